"""A detector without cost, for measuring a pipeline without its network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from streamdet.picture import Picture
from streamdet.types import Detected, Detections

_OBJECTS = 12
_LABELS = ("person", "bicycle", "car")


class StubDetector:
    """Reports a dozen boxes that drift across the picture."""

    max_batch = 1

    def __init__(self) -> None:
        self._calls = 0

    def detect(self, pictures: Sequence[Picture]) -> list[Detected]:
        """Returns the next step of the drift for each picture, regardless of its content."""
        found = [Detected(boxes_of_step(self._calls + i)) for i in range(len(pictures))]
        self._calls += len(pictures)
        return found


@lru_cache(maxsize=4096)  # computed before the measurement
def boxes_of_step(step: int) -> Detections:
    """Returns the boxes for the `step`-th picture of 1920x1080."""
    number = np.arange(_OBJECTS)
    left = 40 + 140 * number + 2 * step * (number % 3)
    top = 60 + 70 * number + step * (number % 2)
    boxes = np.stack([left, top, left + 120, top + 220], axis=1).astype(np.float32)
    return Detections(boxes, np.full(_OBJECTS, 0.9, np.float32), (number % 3).astype(np.int32), labels=_LABELS)
