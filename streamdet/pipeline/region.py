"""Crops the region of a picture that the detector gets, and moves boxes from there back to the whole picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streamdet.errors import ConfigError
from streamdet.picture import Picture
from streamdet.types import Detected, Detections

Region = tuple[float, float, float, float]
"""left, top, right, bottom as fractions of the picture, 0 to 1."""

Corner = tuple[int, int]
"""left, top of the region in the picture, in pixels."""


def check_region(region: Region) -> None:
    """Raises ConfigError for a region that is empty or not inside the picture."""
    left, top, right, bottom = region
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ConfigError(
            f"detect.region must be left, top, right, bottom as fractions of the picture, got {list(region)}: "
            "write for example [0, 0.5, 1, 1] for the lower half"
        )


def crop(picture: Picture, region: Region | None) -> tuple[Picture, Corner]:
    """Returns the region of a picture, without a copy where the memory layout allows it, and its corner.

    Its edges lie on whole chroma samples, and it is at least two pixels wide and high.
    """
    if region is None:
        return picture, (0, 0)
    left, right = _edges_px(region[0], region[2], picture.width)
    top, bottom = _edges_px(region[1], region[3], picture.height)
    return picture.crop(left, top, right, bottom), (left, top)


def _edges_px(first: float, last: float, size: int) -> tuple[int, int]:
    low = min(int(first * size) // 2 * 2, max(0, (size - 1) // 2 * 2))
    high = min(size, max(low + 2, (int(np.ceil(last * size - 1e-6)) + 1) // 2 * 2))
    return low, high


def detected_in_picture(detected: Detected, corner: Corner) -> Detected:
    """Returns what was detected in a region, in pixels of the whole picture."""
    return detected if corner == (0, 0) else Detected(in_picture(detected.detections, corner), detected.times)


def in_picture(detections: Detections, corner: Corner) -> Detections:
    """Returns detections of a region in pixels of the whole picture."""
    if corner == (0, 0) or not len(detections):
        return detections
    return replace(detections, boxes_xyxy=detections.boxes_xyxy + np.array(2 * corner, np.float32))
