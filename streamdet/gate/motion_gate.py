"""Keeps a detector from looking at what it has already seen: the gate in front of it."""

from __future__ import annotations

import numpy as np

from streamdet.gate.block_change import Small, block_px, changed_blocks
from streamdet.picture import Picture, PixelFormat
from streamdet.tracking.pyramid import shrink

_SETTLE = 2
"""Still frames that are looked at before the gate shuts: a mistake of the detector in one frame is not kept."""

_LEAST_BLOCKS = 2
"""Blocks that have to change: a thing of 8 x 16 pixels in 720p."""


class MotionGate:
    """Decides for the frames of one stream, in order, which have to be looked at.

    A frame is let through where it differs from the last one that was, and at the latest `redetect_s` after it: so
    what the gate does not notice (little contrast, very small) is found no later than that.

    Args:
        redetect_s: longest time, of the stream, without a look.
    """

    def __init__(self, redetect_s: float) -> None:
        self._redetect_s = redetect_s
        self._seen: Small | None = None
        self._seen_s = 0.0
        self._size = (0, 0)
        self._still = 0

    def admit(self, picture: Picture, time_s: float) -> bool:
        """Says whether to look at `picture`; if so, later ones are compared with it."""
        step, first = (3, 1) if picture.format is PixelFormat.BGR24 else (1, 0)  # green is most of the light
        now = shrink(picture.planes[0], picture.width, picture.height, block_px(picture.width), step, first)
        same_size = (picture.width, picture.height) == self._size
        still = same_size and self._seen is not None and self._is_still(now, self._seen)
        early = 0 <= time_s - self._seen_s < self._redetect_s
        if still and early and self._still >= _SETTLE:
            return False
        self._still = self._still + 1 if still else 0
        self._seen, self._seen_s, self._size = now, time_s, (picture.width, picture.height)
        return True

    @staticmethod
    def _is_still(now: Small, before: Small) -> bool:
        return int(changed_blocks(now, before)) < _LEAST_BLOCKS


def warm_up() -> None:
    """Compiles the kernels of the gate."""
    plane = np.zeros((16, 32), np.uint8)
    small = shrink(plane, 32, 16, block_px(32), 1, 0)
    changed_blocks(small, small)
