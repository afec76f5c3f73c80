"""OpenVINO's Python module, with its usage statistics off."""

from __future__ import annotations

import functools
import sys
from importlib import util
from typing import Any


def has_openvino() -> bool:
    """Returns whether the package is installed, without importing it."""
    return util.find_spec("openvino") is not None


@functools.cache
def openvino_module() -> Any:
    """Returns the `openvino` module.

    Its import starts a thread that sends usage statistics to its maker, unless the package `openvino_telemetry` is
    missing. So that package is hidden during the import.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    hidden = "openvino_telemetry"
    before = sys.modules.get(hidden)
    sys.modules[hidden] = None  # type: ignore[assignment]  # makes the import fail
    try:
        import openvino
    finally:
        if before is None:
            del sys.modules[hidden]
        else:
            sys.modules[hidden] = before
    return openvino


@functools.cache
def openvino_core() -> Any:
    """Returns the one `openvino.Core` of this process, which is never freed.

    The first model on a core installs an alternate signal stack; freeing the core restores the previous one. If two
    cores are freed in the order of their creation, the second restores a stack that the first has freed, and the next
    Ctrl-C kills the process (OpenVINO 2026.4).

    Raises:
        ImportError: OpenVINO is not installed.
    """
    return openvino_module().Core()
