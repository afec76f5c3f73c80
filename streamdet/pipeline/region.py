"""A part of a picture, in shares of it, and boxes back from there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streamdet.errors import ConfigError
from streamdet.picture import Picture
from streamdet.types import Detections

Shares = tuple[float, float, float, float]
"""left, top, right, bottom, each from 0 to 1."""

Corner = tuple[int, int]
"""left, top of the part in the picture, in pixels."""


def check_region(region: Shares) -> None:
    """Raises ConfigError for what is no part of a picture."""
    left, top, right, bottom = region
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ConfigError(
            f"detect.region must be left, top, right, bottom in shares of the picture, got {list(region)}: "
            "write for example [0, 0.5, 1, 1] for the lower half"
        )


def crop(picture: Picture, region: Shares | None) -> tuple[Picture, Corner]:
    """Returns the part of a picture, without a copy where memory allows, and where it begins.

    Its edges lie on whole chroma samples, and it has two pixels at least.
    """
    if region is None:
        return picture, (0, 0)
    left, right = _edges(region[0], region[2], picture.width)
    top, bottom = _edges(region[1], region[3], picture.height)
    return picture.part(left, top, right, bottom), (left, top)


def _edges(first: float, last: float, size: int) -> Corner:
    low = min(int(first * size) // 2 * 2, max(0, (size - 1) // 2 * 2))
    high = min(size, max(low + 2, (int(np.ceil(last * size - 1e-6)) + 1) // 2 * 2))
    return low, high


def moved(detections: Detections, corner: Corner) -> Detections:
    """Returns what was found in a part in pixels of the whole picture."""
    if corner == (0, 0) or not len(detections):
        return detections
    return replace(detections, boxes_xyxy=detections.boxes_xyxy + np.array(2 * corner, np.float32))
