"""Blends one color onto picture planes: the only code that writes pixels, as kernels with numpy references.

Arguments that belong together are plain tuples, see `Rect`, `Size`, `Corner` and `Ink`. A NamedTuple would name their
parts, but costs 0.7 us more each time one is passed from Python to a kernel, and a frame has some hundred such calls.

On I420 a chroma sample takes the mean coverage of its (up to) four pixels: what converting a BGR drawing would give.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamdet.color import Plane
from streamdet.kernels import kernel

Rect = tuple[int, int, int, int]
"""left, top, right, bottom in pixels, right and bottom exclusive; may reach outside the picture and may be empty."""
Size = tuple[int, int]
"""width, height in pixels."""
Corner = tuple[int, int]
"""left, top in pixels; may be negative."""
Ink = tuple[int, int, int, int]
"""A color, 0..255 in the order of the planes (Y, Cb, Cr) or of the bytes (B, G, R), then its opacity, 0..`OPAQUE`."""
Planes = tuple[Plane, Plane, Plane]
"""Y, U, V, shaped as in `streamdet.color.i420_to_bgr`."""
Spans = NDArray[np.int64]
"""(rows, 2) int64: for each row of a mask the first column that is used, and the last + 1."""

OPAQUE = 256
"""Opacity that replaces what was there."""


@kernel
def _mixed(under: int, ink: int, weight: np.float32) -> int:
    """Returns the byte that lies `weight` (0..1) of the way from `under` to `ink`, rounded."""
    below = np.float32(under)
    return np.uint8(np.int32(below + (np.float32(ink) - below) * weight + np.float32(0.5)))  # type: ignore[return-value]


@kernel
def _fill_plane(plane: Plane, rect: Rect, step: int, offset: int, ink: int, opacity: int) -> None:
    """Blends `ink` into a rectangle of a plane whose samples are `step` bytes apart and start at byte `offset`."""
    left, top, right, bottom = rect
    weight = np.float32(opacity) / np.float32(OPAQUE)
    for row in range(top, bottom):
        if opacity == OPAQUE and step == 1:
            plane[row, left:right] = ink
        else:
            line = plane[row, left * step + offset : right * step]
            for at in range(0, len(line), step):
                line[at] = _mixed(line[at], ink, weight)


@kernel
def fill_i420(planes: Planes, size: Size, rect: Rect, ink: Ink) -> None:
    """Blends a rectangle into I420 planes (written)."""
    y, u, v = planes
    width, height = size
    left, top, right, bottom = max(rect[0], 0), max(rect[1], 0), min(rect[2], width), min(rect[3], height)
    if left >= right or top >= bottom:
        return
    opacity = ink[3]
    _fill_plane(y, (left, top, right, bottom), 1, 0, ink[0], opacity)
    # Chroma samples whose four pixels are all inside, then those at the edges.
    inner_left, inner_top, inner_right, inner_bottom = (left + 1) >> 1, (top + 1) >> 1, right >> 1, bottom >> 1
    if inner_left < inner_right:
        inner = inner_left, inner_top, inner_right, inner_bottom
        _fill_plane(u, inner, 1, 0, ink[1], opacity)
        _fill_plane(v, inner, 1, 0, ink[2], opacity)
    for row in range(top >> 1, (bottom + 1) >> 1):
        last_row = min(2 * row + 2, height)
        rows = min(last_row, bottom) - max(2 * row, top)
        column = left >> 1
        while column < (right + 1) >> 1:
            if inner_top <= row < inner_bottom and inner_left <= column < inner_right:
                column = inner_right
                continue
            last_column = min(2 * column + 2, width)
            covered = rows * (min(last_column, right) - max(2 * column, left))
            weight = np.float32(opacity * covered) / np.float32(
                OPAQUE * (last_row - 2 * row) * (last_column - 2 * column)
            )
            u[row, column] = _mixed(u[row, column], ink[1], weight)
            v[row, column] = _mixed(v[row, column], ink[2], weight)
            column += 1


@kernel
def fill_bgr(bgr: Plane, size: Size, rect: Rect, ink: Ink) -> None:
    """Blends a rectangle into a (height, >= 3 * width) BGR plane (written)."""
    width, height = size
    left, top, right, bottom = max(rect[0], 0), max(rect[1], 0), min(rect[2], width), min(rect[3], height)
    if left < right:
        for channel in range(3):
            _fill_plane(bgr, (left, top, right, bottom), 3, channel, ink[channel], ink[3])


@kernel
def _sides(rect: Rect, thickness: int) -> tuple[Rect, Rect, Rect, Rect]:
    """Returns the upper, lower, left and right side of an outline; together they cover each pixel of it once."""
    left, top, right, bottom = rect
    upper, lower = min(top + thickness, bottom), max(bottom - thickness, top + thickness)
    return (
        (left, top, right, upper),
        (left, lower, right, bottom),
        (left, upper, min(left + thickness, right), min(lower, bottom)),
        (max(right - thickness, left + thickness), upper, right, min(lower, bottom)),
    )


@kernel
def outline_i420(planes: Planes, size: Size, rect: Rect, thickness: int, ink: Ink) -> None:
    """Blends the inner border of a rectangle, `thickness` pixels wide, into I420 planes (written)."""
    for side in _sides(rect, thickness):
        fill_i420(planes, size, side, ink)


@kernel
def outline_bgr(bgr: Plane, size: Size, rect: Rect, thickness: int, ink: Ink) -> None:
    """Blends the inner border of a rectangle, `thickness` pixels wide, into a BGR plane (written)."""
    for side in _sides(rect, thickness):
        fill_bgr(bgr, size, side, ink)


@kernel(no_alias=True)
def _blend_line(samples: NDArray[np.uint8], mask: NDArray[np.uint8], ink: int, opacity: int) -> None:
    """Blends `ink` into a stretch of one line. Views and an index from 0 let the compiler use vector instructions.

    Lines are short, so it pays to skip even the check, once per line, whether mask and picture overlap.
    """
    scale = np.float32(opacity) / np.float32(255 * OPAQUE)
    for k in range(len(samples)):
        samples[k] = _mixed(samples[k], ink, np.float32(mask[k]) * scale)


@kernel(no_alias=True)
def _blend_cells(
    samples: NDArray[np.uint8], upper: NDArray[np.uint8], lower: NDArray[np.uint8], ink: int, opacity: int
) -> None:
    """Blends `ink` into a stretch of a chroma line whose samples have all four pixels in the mask."""
    scale = np.float32(opacity) / np.float32(4 * 255 * OPAQUE)
    for k in range(len(samples)):
        covered = (
            np.int32(upper[2 * k]) + np.int32(upper[2 * k + 1]) + np.int32(lower[2 * k]) + np.int32(lower[2 * k + 1])
        )
        samples[k] = _mixed(samples[k], ink, np.float32(covered) * scale)


@kernel
def _blend_edge_cell(
    plane: Plane, row: int, column: int, size: Size, mask: Plane, corner: Corner, ink: int, opacity: int
) -> None:
    """Blends `ink` into one chroma sample of which only some pixels lie in the mask or in the picture."""
    (width, height), (left, top) = size, corner
    pixels = (min(2 * row + 2, height) - 2 * row) * (min(2 * column + 2, width) - 2 * column)
    covered = 0
    for y in range(max(2 * row, top), min(2 * row + 2, height, top + mask.shape[0])):
        for x in range(max(2 * column, left), min(2 * column + 2, width, left + mask.shape[1])):
            covered += mask[y - top, x - left]
    weight = np.float32(covered) * (np.float32(opacity) / np.float32(pixels * 255 * OPAQUE))
    plane[row, column] = _mixed(plane[row, column], ink, weight)


@kernel
def _stamp_chroma(plane: Plane, size: Size, mask: Plane, spans: Spans, corner: Corner, ink: int, opacity: int) -> None:
    """Blends `ink` through a mask into one chroma plane (written)."""
    (width, height), (left, top) = size, corner
    first_row, last_row = max(top, 0), min(top + mask.shape[0], height)
    for row in range(first_row >> 1, (last_row + 1) >> 1):
        upper, lower = max(2 * row, first_row) - top, min(2 * row + 1, last_row - 1) - top
        start = max(left + min(spans[upper, 0], spans[lower, 0]), 0)
        end = min(left + max(spans[upper, 1], spans[lower, 1]), width)
        if start >= end:
            continue
        # [inner, inner_end) are the samples whose four pixels are all in the mask.
        inner, inner_end = (start + 1) >> 1, end >> 1
        if lower == upper or inner >= inner_end:
            inner = inner_end = (end + 1) >> 1
        else:
            at, length = 2 * inner - left, 2 * (inner_end - inner)
            _blend_cells(
                plane[row, inner:inner_end], mask[upper, at : at + length], mask[lower, at : at + length], ink, opacity
            )
        for column in range(start >> 1, inner):
            _blend_edge_cell(plane, row, column, size, mask, corner, ink, opacity)
        for column in range(inner_end, (end + 1) >> 1):
            _blend_edge_cell(plane, row, column, size, mask, corner, ink, opacity)


@kernel
def stamp_i420(planes: Planes, size: Size, mask: Plane, spans: Spans, corner: Corner, ink: Ink) -> None:
    """Blends one color through a coverage mask into I420 planes (written).

    Args:
        planes: Y, U, V.
        size: of the picture.
        mask: (rows, columns) uint8, 255 = covered.
        spans: (rows, 2) int64, the columns of each row of `mask` that are used.
        corner: where the first pixel of `mask` lands.
        ink: Y, Cb, Cr, and the opacity where `mask` is 255.
    """
    y, u, v = planes
    (width, height), (left, top), opacity = size, corner, ink[3]
    first_row, last_row = max(top, 0), min(top + mask.shape[0], height)
    for row in range(first_row, last_row):
        start, end = max(left + spans[row - top, 0], 0), min(left + spans[row - top, 1], width)
        if start < end:
            _blend_line(y[row, start:end], mask[row - top, start - left : end - left], ink[0], opacity)
    if first_row < last_row and left < width and left + mask.shape[1] > 0:
        _stamp_chroma(u, size, mask, spans, corner, ink[1], opacity)
        _stamp_chroma(v, size, mask, spans, corner, ink[2], opacity)


@kernel
def stamp_bgr(bgr: Plane, size: Size, mask: Plane, spans: Spans, corner: Corner, ink: Ink) -> None:
    """Blends one color through a coverage mask into a BGR plane (written); see `stamp_i420`."""
    (width, height), (left, top) = size, corner
    scale = np.float32(ink[3]) / np.float32(255 * OPAQUE)
    for row in range(max(top, 0), min(top + mask.shape[0], height)):
        start, end = max(left + spans[row - top, 0], 0), min(left + spans[row - top, 1], width)
        if start < end:
            line, cover = bgr[row, 3 * start : 3 * end], mask[row - top, start - left : end - left]
            for k in range(len(cover)):
                if cover[k] > 0:
                    weight = np.float32(cover[k]) * scale
                    for channel in range(3):
                        line[3 * k + channel] = _mixed(line[3 * k + channel], ink[channel], weight)


@lru_cache(maxsize=1024)
def full_spans(rows: int, columns: int) -> Spans:
    """Returns spans that use all of a mask. Not to be modified."""
    return np.tile(np.array([0, columns], np.int64), (rows, 1))


def _coverage(mask: Plane, corner: Corner, size: Size) -> NDArray[np.int64]:
    """Returns the coverage of each pixel of a picture by `mask`, (height, width) int64."""
    (left, top), (width, height) = corner, size
    coverage = np.zeros((height, width), np.int64)
    rows, columns = slice(max(top, 0), top + mask.shape[0]), slice(max(left, 0), left + mask.shape[1])
    if rows.start < min(rows.stop, height) and columns.start < min(columns.stop, width):
        part = mask[rows.start - top : height - top, columns.start - left : width - left]
        coverage[rows.start : rows.start + part.shape[0], columns.start : columns.start + part.shape[1]] = part
    return coverage


def _blended(plane: Plane, ink: int, covered: NDArray[np.int64], pixels: NDArray[np.int64], opacity: int) -> Plane:
    """Returns `plane` with `ink` laid over it, opaque by the covered share (0..255 per pixel) of each sample."""
    below = plane.astype(np.float32)
    weight = covered.astype(np.float32) * (np.float32(opacity) / (pixels * 255 * OPAQUE).astype(np.float32))
    return (below + (np.float32(ink) - below) * weight + np.float32(0.5)).astype(np.uint8)


def stamp_i420_reference(planes: Planes, mask: Plane, corner: Corner, ink: Ink) -> Planes:
    """The same as `stamp_i420` in plain numpy, on planes without padding; returns new planes.

    A filled rectangle is a stamp whose mask is 255 everywhere, an outline one whose mask is 255 on its border.
    """
    height, width = planes[0].shape
    coverage = _coverage(mask, corner, (width, height))
    padded = np.pad(coverage, ((0, height % 2), (0, width % 2)))
    cells = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2).sum(axis=(1, 3))
    inside = np.pad(np.ones_like(coverage), ((0, height % 2), (0, width % 2)))
    pixels = inside.reshape(cells.shape[0], 2, cells.shape[1], 2).sum(axis=(1, 3))
    y, u, v = planes
    return (
        _blended(y, ink[0], coverage, np.ones_like(coverage), ink[3]),
        _blended(u, ink[1], cells, pixels, ink[3]),
        _blended(v, ink[2], cells, pixels, ink[3]),
    )


def stamp_bgr_reference(bgr: NDArray[np.uint8], mask: Plane, corner: Corner, ink: Ink) -> NDArray[np.uint8]:
    """The same as `stamp_bgr` in plain numpy, on a (height, width, 3) array; returns a new one."""
    height, width = bgr.shape[:2]
    coverage = _coverage(mask, corner, (width, height))
    ones = np.ones_like(coverage)
    return np.stack([_blended(bgr[..., k], ink[k], coverage, ones, ink[3]) for k in range(3)], axis=-1)
