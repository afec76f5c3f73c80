"""Real-time object detection on live video: cameras, RTSP streams and files in, annotated streams and data out.

`run` and `stream` are the main entry points. Importing this package is light: each name is imported when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamdet.api import run as run
    from streamdet.api import stream as stream
    from streamdet.config import Config as Config
    from streamdet.config import load_config as load_config
    from streamdet.errors import AccountingError as AccountingError
    from streamdet.errors import AuthError as AuthError
    from streamdet.errors import ConfigError as ConfigError
    from streamdet.errors import DownloadError as DownloadError
    from streamdet.errors import HardwareError as HardwareError
    from streamdet.errors import ModelError as ModelError
    from streamdet.errors import SinkError as SinkError
    from streamdet.errors import SourceError as SourceError
    from streamdet.errors import StreamdetError as StreamdetError
    from streamdet.errors import UsageError as UsageError
    from streamdet.evaluate.coco import evaluate_coco as evaluate_coco
    from streamdet.inference.detector import DetectorOptions as DetectorOptions
    from streamdet.inference.detector import load_detector as load_detector
    from streamdet.picture import Picture as Picture
    from streamdet.pipeline.report import Report as Report
    from streamdet.protocols import Detector as Detector
    from streamdet.protocols import Tracker as Tracker
    from streamdet.scenes.frame_code import read_frame_code as read_frame_code
    from streamdet.sinks.base import Sink as Sink
    from streamdet.sources.base import Source as Source
    from streamdet.trackers import register_tracker as register_tracker
    from streamdet.tracking.tracker import ByteTracker as ByteTracker
    from streamdet.tracking.tracker_options import TrackerOptions as TrackerOptions
    from streamdet.types import Detected as Detected
    from streamdet.types import Detections as Detections
    from streamdet.types import Frame as Frame
    from streamdet.types import Result as Result
    from streamdet.types import SourceInfo as SourceInfo
    from streamdet.version import __version__ as __version__


# module -> the public names that it defines
_MODULES = {
    "streamdet.api": "run stream",
    "streamdet.config": "Config load_config",
    "streamdet.errors": (
        "AccountingError AuthError ConfigError DownloadError HardwareError ModelError SinkError SourceError "
        "StreamdetError UsageError"
    ),
    "streamdet.evaluate.coco": "evaluate_coco",
    "streamdet.inference.detector": "DetectorOptions load_detector",
    "streamdet.picture": "Picture",
    "streamdet.pipeline.report": "Report",
    "streamdet.protocols": "Detector Tracker",
    "streamdet.scenes.frame_code": "read_frame_code",
    "streamdet.sinks.base": "Sink",
    "streamdet.sources.base": "Source",
    "streamdet.trackers": "register_tracker",
    "streamdet.tracking.tracker_options": "TrackerOptions",
    "streamdet.tracking.tracker": "ByteTracker",
    "streamdet.types": "Detected Detections Frame Result SourceInfo",
    "streamdet.version": "__version__",
}

_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [
    "AccountingError",
    "AuthError",
    "ByteTracker",
    "Config",
    "ConfigError",
    "Detected",
    "Detections",
    "Detector",
    "DetectorOptions",
    "DownloadError",
    "Frame",
    "HardwareError",
    "ModelError",
    "Picture",
    "Report",
    "Result",
    "Sink",
    "SinkError",
    "Source",
    "SourceError",
    "SourceInfo",
    "StreamdetError",
    "Tracker",
    "TrackerOptions",
    "UsageError",
    "__version__",
    "evaluate_coco",
    "load_config",
    "load_detector",
    "read_frame_code",
    "register_tracker",
    "run",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'streamdet' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
