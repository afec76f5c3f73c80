"""Smooth lines of changing width and opacity, as coverage masks."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streamdet.color import Plane
from streamdet.draw.blend import Spans
from streamdet.kernels import kernel


@kernel
def stroke_bounds(path: NDArray[np.float64], width: int, height: int) -> tuple[int, int, int, int]:
    """Returns left, top, right, bottom of the part of the picture that `stroke_mask` can write for `path`."""
    left, top, right, bottom = width, height, 0, 0
    for x, y, radius, _ in path:
        if np.isfinite(x + y + radius) and abs(x) < 1e6 and abs(y) < 1e6 and radius < 1e6:
            left, right = min(left, int(np.floor(x - radius - 1))), max(right, int(np.ceil(x + radius + 1)))
            top, bottom = min(top, int(np.floor(y - radius - 1))), max(bottom, int(np.ceil(y + radius + 1)))
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height)


def stroke_bounds_reference(path: NDArray[np.float64], width: int, height: int) -> tuple[int, int, int, int]:
    """The same as `stroke_bounds` in plain numpy."""
    drawn = path[np.isfinite(path[:, :3]).all(axis=1) & (np.abs(path[:, :2]) < 1e6).all(axis=1) & (path[:, 2] < 1e6)]
    reach = drawn[:, 2:3] + 1
    left, top = np.floor(drawn[:, :2] - reach).min(axis=0, initial=max(width, height)).astype(int).tolist()
    right, bottom = np.ceil(drawn[:, :2] + reach).max(axis=0, initial=0).astype(int).tolist()
    return max(min(left, width), 0), max(min(top, height), 0), min(right, width), min(bottom, height)


@kernel
def stroke_mask(path: NDArray[np.float64], left: int, top: int, mask: Plane, spans: Spans) -> None:
    """Draws a smooth line with round ends and joints into a coverage mask.

    Where segments overlap the stronger coverage counts, so that a see-through line shows no dots at its joints.

    Args:
        path: (N, 4) float64: x, y in pixels (pixel centers at .5), radius in pixels, opacity 0..1; radius and opacity
            change evenly from point to point. A segment with a point not finite or beyond a million is left out.
        left: column of the picture under the first column of `mask`.
        top: row of the picture under the first row of `mask`.
        mask: (rows, columns) uint8, written where the line is.
        spans: (rows, 2) int64, widened to the columns written in each row.
    """
    for k in range(len(path) - 1):
        x0, y0, r0, a0 = path[k]
        x1, y1, r1, a1 = path[k + 1]
        far = max(abs(x0), abs(y0), abs(x1), abs(y1), r0, r1)
        if not (np.isfinite(x0 + y0 + r0 + a0 + x1 + y1 + r1 + a1) and far < 1e6):
            continue
        reach = max(r0, r1) + 1.0
        dx, dy = x1 - x0, y1 - y0
        length2 = dx * dx + dy * dy
        along_x, along_y = (dx / length2, dy / length2) if length2 > 0.0 else (0.0, 0.0)
        first_row = max(int(np.floor(min(y0, y1) - reach)) - top, 0)
        last_row = min(int(np.ceil(max(y0, y1) + reach)) - top, mask.shape[0])
        first_column = max(int(np.floor(min(x0, x1) - reach)) - left, 0)
        last_column = min(int(np.ceil(max(x0, x1) + reach)) - left, mask.shape[1])
        for row in range(first_row, last_row):
            py = row + top + 0.5 - y0
            spans[row, 0] = min(spans[row, 0], first_column)
            spans[row, 1] = max(spans[row, 1], last_column)
            line = mask[row, first_column:last_column]
            for column in range(len(line)):
                px = column + first_column + left + 0.5 - x0
                t = min(max(px * along_x + py * along_y, 0.0), 1.0)
                distance = np.sqrt((px - t * dx) ** 2 + (py - t * dy) ** 2)
                coverage = min(max(r0 + t * (r1 - r0) + 0.5 - distance, 0.0), 1.0)
                line[column] = max(line[column], np.uint8(255.0 * coverage * (a0 + t * (a1 - a0)) + 0.5))


def stroke_mask_reference(path: NDArray[np.float64], left: int, top: int, mask: Plane) -> Plane:
    """The same as `stroke_mask` in plain numpy; returns a new mask."""
    rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]]
    points = np.stack([columns + left + 0.5, rows + top + 0.5], axis=-1)
    result = mask.astype(np.int64)
    for start, end in pairwise(path):
        direction = end[:2] - start[:2]
        length2 = float(direction @ direction)
        t = np.clip((points - start[:2]) @ direction / length2, 0, 1) if length2 > 0 else np.zeros(mask.shape)
        distance = np.linalg.norm(points - start[:2] - t[..., None] * direction, axis=-1)
        coverage = np.clip(start[2] + t * (end[2] - start[2]) + 0.5 - distance, 0, 1)
        value = (255 * coverage * (start[3] + t * (end[3] - start[3])) + 0.5).astype(np.int64)
        result = np.maximum(result, value)
    return result.astype(np.uint8)
