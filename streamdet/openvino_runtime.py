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


@functools.cache
def openvino_core() -> Any:
    """Returns the one `openvino.Core` of this process; it lives as long as the process.

    The first model on a core gives signals a stack of their own, and the core's end takes it away again and puts the
    one from before back. Of two cores that end in the order they began in, the second puts back what the first has
    freed, and then the next Ctrl-C kills the process (OpenVINO 2026.4).

    Raises:
        ImportError: OpenVINO is not installed.
    """
    return openvino_module().Core()
