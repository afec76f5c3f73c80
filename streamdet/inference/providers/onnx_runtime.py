"""The ONNX Runtime module, with logging and telemetry off."""

from __future__ import annotations

import functools
import os
from typing import Any


@functools.cache
def onnxruntime_module() -> Any:
    """Returns the `onnxruntime` module with logging off: every error it logs is also raised as an exception.

    Since 1.31 it sends usage statistics to its maker and keeps an id of the machine in the user's cache, unless
    ORT_DISABLE_TELEMETRY is 1 before it is loaded. A user who wants telemetry sets the variable to 0.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)  # fatal only
    return onnxruntime
