"""Putting one colour onto planes: the only code that writes pixels of a picture, as kernels beside numpy references.

A colour is three integers 0..255 in the order of the planes (Y, Cb, Cr) or of the bytes (B, G, R). Opacity is an
integer 0..256, so that blending is a multiply and a shift. Rectangles are left, top, right, bottom in pixels, right and
bottom exclusive; they may reach outside the picture and may be empty.

On I420 a chroma sample takes the mean coverage of its (up to) four pixels: what converting a BGR drawing would give.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streamdet.color import Plane
from streamdet.kernels import kernel

OPAQUE = 256
"""Opacity that replaces what was there."""


@kernel
def _fill_plane(
    plane: Plane, left: int, top: int, right: int, bottom: int, step: int, offset: int, ink: int, alpha: int
) -> None:
    keep, add = 256 - alpha, ink * alpha + 128
    for row in range(top, bottom):
        if alpha == 256 and step == 1:
            plane[row, left:right] = ink
        else:
            for column in range(left * step + offset, right * step + offset, step):
                plane[row, column] = (plane[row, column] * keep + add) >> 8


@kernel
def fill_i420(
    y: Plane,
    u: Plane,
    v: Plane,
    width: int,
    height: int,
    left: int,
    top: int,
    right: int,
    bottom: int,
    ink: tuple[int, int, int],
    alpha: int,
) -> None:
    """Blends a rectangle into I420 planes (written), shaped as in `streamdet.color.i420_to_bgr`."""
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if left >= right or top >= bottom:
        return
    _fill_plane(y, left, top, right, bottom, 1, 0, ink[0], alpha)
    for row in range(top >> 1, (bottom + 1) >> 1):
        last_row = min(2 * row + 2, height)
        rows = min(last_row, bottom) - max(2 * row, top)
        for column in range(left >> 1, (right + 1) >> 1):
            last_column = min(2 * column + 2, width)
            covered = rows * (min(last_column, right) - max(2 * column, left))
            cell = (last_row - 2 * row) * (last_column - 2 * column)
            a = (2 * covered * alpha + cell) // (2 * cell)
            u[row, column] = (u[row, column] * (256 - a) + ink[1] * a + 128) >> 8
            v[row, column] = (v[row, column] * (256 - a) + ink[2] * a + 128) >> 8


@kernel
def fill_bgr(
    bgr: Plane,
    width: int,
    height: int,
    left: int,
    top: int,
    right: int,
    bottom: int,
    ink: tuple[int, int, int],
    alpha: int,
) -> None:
    """Blends a rectangle into a (height, >= 3 * width) BGR plane (written)."""
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if left < right:
        for channel in range(3):
            _fill_plane(bgr, left, top, right, bottom, 3, channel, ink[channel], alpha)


@kernel
def outline_i420(
    y: Plane,
    u: Plane,
    v: Plane,
    width: int,
    height: int,
    left: int,
    top: int,
    right: int,
    bottom: int,
    thickness: int,
    ink: tuple[int, int, int],
    alpha: int,
) -> None:
    """Blends the inner border of a rectangle, `thickness` pixels wide, into I420 planes (written)."""
    upper, lower = min(top + thickness, bottom), max(bottom - thickness, top + thickness)
    fill_i420(y, u, v, width, height, left, top, right, upper, ink, alpha)
    fill_i420(y, u, v, width, height, left, lower, right, bottom, ink, alpha)
    fill_i420(y, u, v, width, height, left, upper, min(left + thickness, right), min(lower, bottom), ink, alpha)
    fill_i420(
        y, u, v, width, height, max(right - thickness, left + thickness), upper, right, min(lower, bottom), ink, alpha
    )


@kernel
def outline_bgr(
    bgr: Plane,
    width: int,
    height: int,
    left: int,
    top: int,
    right: int,
    bottom: int,
    thickness: int,
    ink: tuple[int, int, int],
    alpha: int,
) -> None:
    """Blends the inner border of a rectangle, `thickness` pixels wide, into a BGR plane (written)."""
    upper, lower = min(top + thickness, bottom), max(bottom - thickness, top + thickness)
    fill_bgr(bgr, width, height, left, top, right, upper, ink, alpha)
    fill_bgr(bgr, width, height, left, lower, right, bottom, ink, alpha)
    fill_bgr(bgr, width, height, left, upper, min(left + thickness, right), min(lower, bottom), ink, alpha)
    fill_bgr(bgr, width, height, max(right - thickness, left + thickness), upper, right, min(lower, bottom), ink, alpha)


@kernel
def stamp_i420(
    y: Plane,
    u: Plane,
    v: Plane,
    width: int,
    height: int,
    mask: Plane,
    left: int,
    top: int,
    ink: tuple[int, int, int],
    alpha: int,
) -> None:
    """Blends one colour through a coverage mask into I420 planes (written).

    `mask` is (rows, columns) uint8, 255 = covered; its first pixel lands on (`left`, `top`).
    """
    first_row, last_row = max(top, 0), min(top + mask.shape[0], height)
    first_column, last_column = max(left, 0), min(left + mask.shape[1], width)
    if first_row >= last_row or first_column >= last_column:
        return
    for chroma_row in range(first_row >> 1, (last_row + 1) >> 1):
        for chroma_column in range(first_column >> 1, (last_column + 1) >> 1):
            covered = 0
            pixels = 0
            for row in range(2 * chroma_row, min(2 * chroma_row + 2, height)):
                for column in range(2 * chroma_column, min(2 * chroma_column + 2, width)):
                    pixels += 1
                    if first_row <= row < last_row and first_column <= column < last_column:
                        value = int(mask[row - top, column - left])
                        if value:
                            covered += value
                            a = (value * alpha + 127) // 255
                            y[row, column] = (y[row, column] * (256 - a) + ink[0] * a + 128) >> 8
            if covered > 0:
                a = (2 * covered * alpha + 255 * pixels) // (510 * pixels)
                u[chroma_row, chroma_column] = (u[chroma_row, chroma_column] * (256 - a) + ink[1] * a + 128) >> 8
                v[chroma_row, chroma_column] = (v[chroma_row, chroma_column] * (256 - a) + ink[2] * a + 128) >> 8


@kernel
def stamp_bgr(
    bgr: Plane, width: int, height: int, mask: Plane, left: int, top: int, ink: tuple[int, int, int], alpha: int
) -> None:
    """Blends one colour through a coverage mask into a BGR plane (written); see `stamp_i420`."""
    for row in range(max(top, 0), min(top + mask.shape[0], height)):
        for column in range(max(left, 0), min(left + mask.shape[1], width)):
            value = int(mask[row - top, column - left])
            if value:
                a = (value * alpha + 127) // 255
                for channel in range(3):
                    at = 3 * column + channel
                    bgr[row, at] = (bgr[row, at] * (256 - a) + ink[channel] * a + 128) >> 8


@kernel
def stroke_mask(path: NDArray[np.float64], left: int, top: int, mask: Plane) -> None:
    """Draws a smooth line with round ends and joints into a coverage mask.

    Where segments overlap the stronger coverage counts, so that a see-through line shows no dots at its joints.

    Args:
        path: (N, 4) float64: x, y in pixels (pixel centres at .5), radius in pixels, opacity 0..1; radius and opacity
            change evenly from point to point. All finite.
        left: column of the picture that the first column of `mask` stands for.
        top: row of the picture that the first row of `mask` stands for.
        mask: (rows, columns) uint8, written where the line is.
    """
    for k in range(len(path) - 1):
        x0, y0, r0, a0 = path[k]
        x1, y1, r1, a1 = path[k + 1]
        reach = max(r0, r1) + 1.0
        dx, dy = x1 - x0, y1 - y0
        length2 = dx * dx + dy * dy
        first_row = max(int(np.floor(min(y0, y1) - reach)) - top, 0)
        last_row = min(int(np.ceil(max(y0, y1) + reach)) - top, mask.shape[0])
        first_column = max(int(np.floor(min(x0, x1) - reach)) - left, 0)
        last_column = min(int(np.ceil(max(x0, x1) + reach)) - left, mask.shape[1])
        for row in range(first_row, last_row):
            py = row + top + 0.5 - y0
            for column in range(first_column, last_column):
                px = column + left + 0.5 - x0
                t = 0.0
                if length2 > 0.0:
                    t = min(max((px * dx + py * dy) / length2, 0.0), 1.0)
                distance = np.sqrt((px - t * dx) ** 2 + (py - t * dy) ** 2)
                coverage = min(max(r0 + t * (r1 - r0) + 0.5 - distance, 0.0), 1.0)
                value = int(255.0 * coverage * (a0 + t * (a1 - a0)) + 0.5)
                if value > mask[row, column]:
                    mask[row, column] = value


def _place(mask: Plane, left: int, top: int, width: int, height: int) -> NDArray[np.int64]:
    """Returns `mask` laid onto an otherwise uncovered (height, width) picture."""
    whole = np.zeros((height, width), np.int64)
    rows, columns = slice(max(top, 0), top + mask.shape[0]), slice(max(left, 0), left + mask.shape[1])
    if rows.start < min(rows.stop, height) and columns.start < min(columns.stop, width):
        part = mask[rows.start - top : height - top, columns.start - left : width - left]
        whole[rows.start : rows.start + part.shape[0], columns.start : columns.start + part.shape[1]] = part
    return whole


def _blended(plane: Plane, ink: int, alpha: NDArray[np.int64]) -> Plane:
    mixed: NDArray[np.int64] = plane.astype(np.int64) * (256 - alpha) + ink * alpha + 128
    return (mixed >> 8).astype(np.uint8)


def stamp_i420_reference(
    planes: tuple[Plane, Plane, Plane], mask: Plane, left: int, top: int, ink: tuple[int, int, int], alpha: int
) -> tuple[Plane, Plane, Plane]:
    """The same as `stamp_i420` in plain numpy, on planes without padding; returns new planes.

    A filled rectangle is a stamp whose mask is 255 everywhere, an outline one whose mask is 255 on its border.
    """
    height, width = planes[0].shape
    coverage = _place(mask, left, top, width, height)
    padded = np.pad(coverage, ((0, height % 2), (0, width % 2)))
    cells = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2).sum(axis=(1, 3))
    inside = np.pad(np.ones_like(coverage), ((0, height % 2), (0, width % 2)))
    pixels = inside.reshape(cells.shape[0], 2, cells.shape[1], 2).sum(axis=(1, 3))
    chroma_alpha = (2 * cells * alpha + 255 * pixels) // (510 * pixels)
    luma_alpha = (coverage * alpha + 127) // 255
    y, u, v = planes
    return (
        _blended(y, ink[0], luma_alpha),
        _blended(u, ink[1], chroma_alpha),
        _blended(v, ink[2], chroma_alpha),
    )


def stamp_bgr_reference(
    bgr: NDArray[np.uint8], mask: Plane, left: int, top: int, ink: tuple[int, int, int], alpha: int
) -> NDArray[np.uint8]:
    """The same as `stamp_bgr` in plain numpy, on a (height, width, 3) array; returns a new one."""
    height, width = bgr.shape[:2]
    a = (_place(mask, left, top, width, height) * alpha + 127) // 255
    return np.stack([_blended(bgr[..., channel], ink[channel], a) for channel in range(3)], axis=-1)


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
