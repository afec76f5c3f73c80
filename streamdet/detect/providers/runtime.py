"""The ONNX Runtime module, quiet."""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def runtime() -> Any:
    """Returns the `onnxruntime` module, silenced: what it logs as an error is raised as an exception here anyway."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)  # fatal only
    return onnxruntime
