"""The timing modes: when a frame is shown, and which detections its boxes come from."""

from enum import Enum


class TimingMode(Enum):
    """When a frame of a stream is shown, and which detections its boxes come from.

    EVERY_FRAME: each frame waits for its own detections. LIVE: each frame is shown at once; the boxes of the last
    detections are moved to its time. SMOOTH: each frame is shown a stated time after it was captured; its boxes are
    interpolated between the detections before and after it.
    """

    EVERY_FRAME = "every-frame"
    LIVE = "live"
    SMOOTH = "smooth"


MAX_DELAY_S = 5.0
"""Longest delay of smooth mode; delayed frames are decoded pictures in memory."""
