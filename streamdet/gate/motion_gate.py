"""The gate in front of a detector: skips frames that show nothing new."""

from __future__ import annotations

import numpy as np

from streamdet.gate.block_change import BlockMeans, block_px, changed_blocks
from streamdet.picture import Picture, PixelFormat
from streamdet.tracking.pyramid import shrink

_SETTLE_FRAMES = 2
"""Still frames that the detector runs on before the gate closes, so that an error in one frame does not stay."""

_MIN_CHANGED_BLOCKS = 2
"""Minimum number of changed blocks: an object of 8 x 16 pixels in 720p."""


class MotionGate:
    """Decides which frames of one stream, in order, the detector runs on.

    A frame is admitted if it differs from the last admitted one, and at the latest `redetect_s` after it: objects that
    the gate does not notice (low contrast, very small) are found no later than that.

    Args:
        redetect_s: maximum time between two frames that the detector runs on, in seconds of the stream.
    """

    def __init__(self, redetect_s: float) -> None:
        self._redetect_s = redetect_s
        self._inferred: BlockMeans | None = None
        self._inferred_s = 0.0
        self._size = (0, 0)
        self._still = 0

    def admit(self, picture: Picture, time_s: float) -> bool:
        """Returns whether to run the detector on `picture`; if so, later pictures are compared with it."""
        step, first = (3, 1) if picture.format is PixelFormat.BGR24 else (1, 0)  # green contributes most to luma
        now = shrink(picture.planes[0], picture.width, picture.height, block_px(picture.width), step, first)
        same_size = (picture.width, picture.height) == self._size
        still = same_size and self._inferred is not None and self._is_still(now, self._inferred)
        early = 0 <= time_s - self._inferred_s < self._redetect_s
        if still and early and self._still >= _SETTLE_FRAMES:
            return False
        self._still = self._still + 1 if still else 0
        self._inferred, self._inferred_s, self._size = now, time_s, (picture.width, picture.height)
        return True

    @staticmethod
    def _is_still(now: BlockMeans, before: BlockMeans) -> bool:
        return int(changed_blocks(now, before)) < _MIN_CHANGED_BLOCKS


def warm_up() -> None:
    """Compiles the kernels of the gate."""
    plane = np.zeros((16, 32), np.uint8)
    small = shrink(plane, 32, 16, block_px(32), 1, 0)
    changed_blocks(small, small)
