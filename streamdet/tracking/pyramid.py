"""A small brightness pyramid of a picture, on which motion is measured.

The finest level is about `TARGET_PX` wide for any size of picture, so the cost of the following steps does not depend
on the camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.picture import Picture, PixelFormat

Level = NDArray[np.float32]
"""(rows, columns) float32 brightness, 0 to 255."""

TARGET_PX = 640
"""Minimum width of the finest level: below 640 a distant person has too few pixels for a window of 8."""
LEVELS = 4
"""With a window of 8 and 4 levels a motion of up to 32 px of the finest level is found."""
MIN_LEVEL_PX = 16
"""Minimum size of a level: a window and its border must fit."""


@dataclass(frozen=True, slots=True, eq=False)
class Pyramid:
    """Brightness at decreasing resolutions.

    Attributes:
        scale: pixels of the picture per pixel of the finest level.
        width: of the picture.
        height: of the picture.
        levels: finest first, each half as wide as the one before; at least one.
    """

    scale: int
    width: int
    height: int
    levels: tuple[Level, ...]


@kernel(no_alias=True)
def shrink(plane: NDArray[np.uint8], width: int, height: int, factor: int, step: int, first: int) -> Level:
    """Returns the means of `factor` x `factor` pixels, (height // factor, width // factor) float32.

    Args:
        plane: (rows, line bytes) uint8; lines may be longer than the picture is wide.
        width: of the picture in pixels.
        height: of the picture in pixels.
        factor: at least 1.
        step: bytes from one pixel to the next (1 for a luma plane, 3 for BGR).
        first: byte of the first pixel in its line.
    """
    rows, columns = height // factor, width // factor
    out = np.empty((rows, columns), np.float32)
    share = np.float32(1.0 / (factor * factor))
    if factor == 1:
        for y in range(rows):
            for x in range(columns):
                out[y, x] = plane[y, first + x * step]
        return out
    if factor == 2:  # 720p: written out, because only then does LLVM vectorize it
        for y in range(rows):
            for x in range(columns):
                at = first + 2 * x * step
                out[y, x] = share * np.float32(
                    np.int32(plane[2 * y, at])
                    + np.int32(plane[2 * y, at + step])
                    + np.int32(plane[2 * y + 1, at])
                    + np.int32(plane[2 * y + 1, at + step])
                )
        return out
    wide = columns * factor
    sums = np.empty(wide, np.uint16)  # up to 257 rows of 255
    for y in range(rows):
        sums[:] = 0
        for k in range(factor):
            line = plane[y * factor + k, first:]
            if step == 1:  # only with a constant step does LLVM vectorize this
                for x in range(wide):
                    sums[x] += line[x]
            else:
                for x in range(wide):
                    sums[x] += line[x * step]
        for x in range(columns):
            total = np.int32(0)
            for k in range(factor):
                total += sums[x * factor + k]
            out[y, x] = share * np.float32(total)
    return out


def shrink_reference(plane: NDArray[np.uint8], width: int, height: int, factor: int, step: int, first: int) -> Level:
    """The same as `shrink` in plain numpy."""
    rows, columns = height // factor, width // factor
    used = plane[: rows * factor, first : first + (columns * factor - 1) * step + 1 : step].astype(np.float64)
    means = used.reshape(rows, factor, columns, factor).mean(axis=(1, 3))
    shrunk: Level = means.astype(np.float32)
    return shrunk


@kernel(no_alias=True)
def halve(level: Level) -> Level:
    """Returns the means of 2 x 2 pixels, (rows // 2, columns // 2) float32."""
    rows, columns = level.shape[0] // 2, level.shape[1] // 2
    out = np.empty((rows, columns), np.float32)
    quarter = np.float32(0.25)
    for y in range(rows):
        for x in range(columns):
            out[y, x] = quarter * (
                (level[2 * y, 2 * x] + level[2 * y, 2 * x + 1])
                + (level[2 * y + 1, 2 * x] + level[2 * y + 1, 2 * x + 1])
            )
    return out


def halve_reference(level: Level) -> Level:
    """The same as `halve` in plain numpy."""
    rows, columns = level.shape[0] // 2, level.shape[1] // 2
    means = level[: 2 * rows, : 2 * columns].astype(np.float64).reshape(rows, 2, columns, 2).mean(axis=(1, 3))
    shrunk: Level = means.astype(np.float32)
    return shrunk


def scale_for(width: int, height: int) -> int:
    """Returns how many pixels of a picture, in each direction, become one pixel of the finest level.

    >>> [scale_for(*size) for size in ((320, 240), (1280, 720), (1920, 1080), (3840, 2160), (1080, 1920))]
    [1, 2, 3, 6, 3]
    """
    return max(1, min(max(width, height) // TARGET_PX, min(width, height) // 320))


def build_pyramid(picture: Picture) -> Pyramid | None:
    """Returns the pyramid of a picture (of its green channel where it is BGR); None if it is too small."""
    width, height = picture.width, picture.height
    scale = scale_for(width, height)
    if min(width, height) // scale < MIN_LEVEL_PX:
        return None
    step, first = (3, 1) if picture.format is PixelFormat.BGR24 else (1, 0)
    levels = [shrink(picture.planes[0], width, height, scale, step, first)]
    while len(levels) < LEVELS and min(levels[-1].shape) >= 2 * MIN_LEVEL_PX:
        levels.append(halve(levels[-1]))
    return Pyramid(scale, width, height, tuple(levels))
