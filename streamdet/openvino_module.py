"""OpenVINO's Python module, without the usage statistics it sends."""

from __future__ import annotations

import functools
import sys
from importlib import util
from typing import Any


def has_openvino() -> bool:
    """Returns whether the package is installed; imports nothing."""
    return util.find_spec("openvino") is not None


@functools.cache
def openvino_module() -> Any:
    """Returns the `openvino` module.

    Its import starts a thread that reports the import to its maker over the network. It does not where the package
    `openvino_telemetry` is absent, so it is made absent while that import runs.

    Raises:
        ImportError: it is not installed.
    """
    hidden = "openvino_telemetry"
    before = sys.modules.get(hidden)
    sys.modules[hidden] = None  # type: ignore[assignment]  # what makes an import fail
    try:
        import openvino
    finally:
        if before is None:
            del sys.modules[hidden]
        else:
            sys.modules[hidden] = before
    return openvino
