"""Real-time object detection on live video: cameras, RTSP streams and files in, annotated streams and data out.

Importing this package is light: names are loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamdet.api import run as run
    from streamdet.api import stream as stream
    from streamdet.errors import StreamdetError as StreamdetError
    from streamdet.types import Detections as Detections
    from streamdet.types import Frame as Frame
    from streamdet.types import Result as Result

__version__ = "0.1.0"

_HOME = {
    "Detections": "streamdet.types",
    "Frame": "streamdet.types",
    "Result": "streamdet.types",
    "StreamdetError": "streamdet.errors",
    "run": "streamdet.api",
    "stream": "streamdet.api",
}

__all__ = ["Detections", "Frame", "Result", "StreamdetError", "__version__", "run", "stream"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'streamdet' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
