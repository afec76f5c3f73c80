"""The ONNX Runtime module, quiet and by itself."""

from __future__ import annotations

import functools
import os
from typing import Any


@functools.cache
def onnxruntime_module() -> Any:
    """Returns the `onnxruntime` module, silenced: what it logs as an error is raised as an exception here anyway.

    Since 1.31 it reports its use to its maker over the network, and keeps an id of the machine in the user's cache,
    unless it is told not to before it is loaded. Who wants that sets the variable to 0.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)  # fatal only
    return onnxruntime
