"""Rotates pictures to their display orientation, as the rotation metadata of a video states."""

from __future__ import annotations

import numpy as np

from streamdet.color import Plane
from streamdet.picture import Picture, PixelFormat


def quarter_turns(rotation: int) -> int:
    """Returns the number of counter-clockwise quarter turns in `rotation` degrees; 0 for other angles.

    >>> [quarter_turns(angle) for angle in (0, 90, 180, -90, 45)]
    [0, 1, 2, 3, 0]
    """
    return (rotation // 90) % 4 if rotation % 90 == 0 else 0


def rotate(picture: Picture, turns: int) -> Picture:
    """Returns an I420 or NV12 picture rotated counter-clockwise by `turns` quarter turns; itself for 0."""
    if turns == 0:
        return picture
    width, height = (picture.height, picture.width) if turns % 2 else (picture.width, picture.height)
    rotated = Picture.allocate(width, height, PixelFormat.I420, picture.color)
    for plane, source in enumerate(_planar(picture)):
        rotated.visible(plane)[:] = np.rot90(source, turns)
    return rotated


def _planar(picture: Picture) -> list[Plane]:
    if picture.format is PixelFormat.I420:
        return [picture.visible(plane) for plane in range(3)]
    chroma = picture.visible(1)
    return [picture.visible(0), chroma[:, ::2], chroma[:, 1::2]]
