"""Kernels that composite sprites over planes at any scale and subpixel position, and measure what a figure covers.

Each output sample mixes the four nearest samples of the sprite with weights in 256ths: first the two rows, then the
two columns.
"""

from __future__ import annotations

from math import ceil, floor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.color import Plane
from streamdet.kernels import kernel

_HALF_COVERED = 128 * 65536


class SpriteLayers(NamedTuple):
    """Samples of a sprite for planes of one resolution.

    Attributes:
        values: (channels, rows, columns) uint8 of value times opacity, at least 2x2; the last channel is the opacity.
        spans: (rows, 2) int32: first column of each row with any opacity, and one past the last; 0, 0 without any.
    """

    values: NDArray[np.uint8]
    spans: NDArray[np.int32]


class Placement(NamedTuple):
    """Position of a sprite in a plane.

    Attributes:
        left: x of its left edge, in samples of the plane.
        top: y of its top edge, in samples of the plane.
        scale: samples of the plane per sample of the sprite.
    """

    left: float
    top: float
    scale: float


@kernel(no_alias=True)
def _columns(left: float, scale: float, columns: int, begin: int, places: NDArray[np.int32]) -> None:
    """Writes for each output column the sprite column to its left, and the weight of the one to the right."""
    for k in range(places.shape[1]):
        u = min(max((begin + k + 0.5 - left) / scale - 0.5, 0.0), columns - 1.0)
        at = min(int(u), columns - 2)
        places[0, k] = at
        places[1, k] = int((u - at) * 256)


@kernel(no_alias=True)
def _row(upper: Plane, lower: Plane, weight: int, first: int, last: int, mixed: NDArray[np.int32]) -> None:
    """Mixes two rows of a sprite from column `first` to `last`, exclusive."""
    low = np.int32(weight)
    for k in range(first, last):
        mixed[k] = np.int32(upper[k]) * (np.int32(256) - low) + np.int32(lower[k]) * low


@kernel(no_alias=True)
def _composite_row(
    line: Plane, value: NDArray[np.int32], opacity: NDArray[np.int32], places: NDArray[np.int32]
) -> None:
    """Composites one mixed row over a row of a plane (modified)."""
    half, ones, sixteen = np.int32(32768), np.int32(257), np.int32(16)
    for k in range(line.shape[0]):
        at, right = places[0, k], places[1, k]
        left = np.int32(256) - right
        covered = (opacity[at] * left + opacity[at + 1] * right + half) >> sixteen
        added = (value[at] * left + value[at + 1] * right + half) >> sixteen
        under = (np.int32(line[k]) * (np.int32(255) - covered) * ones + half) >> sixteen
        line[k] = np.uint8(min(under + added, np.int32(255)))


@kernel(no_alias=True)
def _composite_aligned_row(line: Plane, value: Plane, opacity: Plane) -> None:
    """The same for a sprite aligned with the samples, as all static sprites are: no mixing."""
    half, ones, sixteen = np.int32(32768), np.int32(257), np.int32(16)
    for k in range(line.shape[0]):
        under = (np.int32(line[k]) * (np.int32(255) - np.int32(opacity[k])) * ones + half) >> sixteen
        line[k] = np.uint8(min(under + np.int32(value[k]), np.int32(255)))


@kernel
def composite_plane(plane: Plane, width: int, sprite: SpriteLayers, channel: int, placement: Placement) -> None:
    """Composites a channel of a sprite over a plane (modified).

    Args:
        plane: (rows, line bytes) uint8.
        width: samples per row.
        sprite: what to composite.
        channel: index of one of its values.
        placement: where.
    """
    values, spans = sprite.values, sprite.spans
    left, top, scale = placement.left, placement.top, placement.scale
    rows, columns = values.shape[1], values.shape[2]
    begin, end = max(floor(left), 0), min(ceil(left + columns * scale), width)
    if begin >= end:
        return
    aligned = scale == 1 and left == floor(left) and top == floor(top)
    places = np.empty((2, end - begin), np.int32)
    _columns(left, scale, columns, begin, places)
    value, opacity = np.zeros(columns, np.int32), np.zeros(columns, np.int32)
    for row in range(max(floor(top), 0), min(ceil(top + rows * scale), plane.shape[0])):
        v = min(max((row + 0.5 - top) / scale - 0.5, 0.0), rows - 1.0)
        at = min(int(v), rows - 2)
        weight = int((v - at) * 256)
        first, last = min(spans[at, 0], spans[at + 1, 0]), max(spans[at, 1], spans[at + 1, 1])
        if first >= last:
            continue
        if aligned:
            first, last = max(first, begin - floor(left)), min(last, end - floor(left))
            at += weight >> 8
            if first < last:
                line = plane[row, floor(left) + first : floor(left) + last]
                _composite_aligned_row(line, values[channel, at, first:last], values[-1, at, first:last])
            continue
        first, last = max(first - 1, 0), min(last + 1, columns)
        _row(values[-1, at], values[-1, at + 1], weight, first, last, opacity)
        _row(values[channel, at], values[channel, at + 1], weight, first, last, value)
        start = min(max(floor(left + first * scale) - begin, 0), end - begin)
        stop = min(max(ceil(left + last * scale) - begin, 0), end - begin)
        while start < stop and places[0, start] < first:
            start += 1
        while start < stop and places[0, stop - 1] + 1 >= last:
            stop -= 1
        if start < stop:
            _composite_row(plane[row, begin + start : begin + stop], value, opacity, places[:, start:stop])


def composite_plane_reference(
    plane: Plane, width: int, sprite: SpriteLayers, channel: int, placement: Placement
) -> Plane:
    """The same as `composite_plane` in plain numpy; returns a new plane."""
    x, y, weighted = resample(sprite.values, placement, width, plane.shape[0])
    values = (weighted + 32768) >> 16
    result = plane.copy()
    if values.size:
        view = result[y : y + values.shape[1], x : x + values.shape[2]]
        under = (view.astype(np.int64) * (255 - values[-1]) * 257 + 32768) >> 16
        view[:] = np.minimum(under + values[channel], 255)
    return result


def resample(
    values: NDArray[np.uint8], placement: Placement, width: int | None = None, height: int | None = None
) -> tuple[int, int, NDArray[np.int64]]:
    """Returns the first column and row that a sprite covers, and its values from there times 65536.

    With `width` and `height`, the result is clipped to a plane of that size.
    """
    left, top, scale = placement
    rows, columns = values.shape[1:]
    x0, y0, x1, y1 = floor(left), floor(top), ceil(left + columns * scale), ceil(top + rows * scale)
    if width is not None and height is not None:
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    v = np.clip((np.arange(y0, max(y1, y0)) + 0.5 - top) / scale - 0.5, 0.0, rows - 1.0)
    u = np.clip((np.arange(x0, max(x1, x0)) + 0.5 - left) / scale - 0.5, 0.0, columns - 1.0)
    iv, iu = np.minimum(v.astype(np.int64), rows - 2), np.minimum(u.astype(np.int64), columns - 2)
    fv, fu = ((v - iv) * 256).astype(np.int64)[:, None], ((u - iu) * 256).astype(np.int64)
    wide = values.astype(np.int64)
    mixed = wide[:, iv] * (256 - fv) + wide[:, iv + 1] * fv
    return x0, y0, mixed[..., iu] * (256 - fu) + mixed[..., iu + 1] * fu


@kernel
def composite_i420(
    y: Plane, u: Plane, v: Plane, width: int, luma: SpriteLayers, chroma: SpriteLayers, placement: Placement
) -> None:
    """Composites a sprite over the three planes of an I420 picture (modified).

    Args:
        y: (rows, line bytes) uint8.
        u: (rows / 2, line bytes) uint8, rounded up.
        v: the same.
        width: of the picture in pixels.
        luma: one value and opacity.
        chroma: two values and opacity.
        placement: in luma samples.
    """
    composite_plane(y, width, luma, 0, placement)
    half = Placement(placement.left / 2, placement.top / 2, placement.scale)
    composite_plane(u, (width + 1) // 2, chroma, 0, half)
    composite_plane(v, (width + 1) // 2, chroma, 1, half)


def composite_i420_reference(
    y: Plane, u: Plane, v: Plane, width: int, luma: SpriteLayers, chroma: SpriteLayers, placement: Placement
) -> tuple[Plane, Plane, Plane]:
    """The same as `composite_i420` in plain numpy; returns new planes."""
    half = Placement(placement.left / 2, placement.top / 2, placement.scale)
    return (
        composite_plane_reference(y, width, luma, 0, placement),
        composite_plane_reference(u, (width + 1) // 2, chroma, 0, half),
        composite_plane_reference(v, (width + 1) // 2, chroma, 1, half),
    )


@kernel
def mark_figure(
    owners: NDArray[np.int8], body: Plane, placement: Placement, owner: int, measured: NDArray[np.int64]
) -> None:
    """Writes `owner` wherever a figure covers at least half a pixel of the picture, and measures the figure.

    Args:
        owners: (height, width) int8, modified.
        body: (rows, columns) uint8, opacity.
        placement: of `body` in the picture.
        owner: what to write.
        measured: (6,) int64, written: left, top, right, bottom (exclusive) of the figure's pixels inside the picture,
            their number, and the number of all its pixels, inside or not.
    """
    left, top, scale = placement.left, placement.top, placement.scale
    height, width = owners.shape
    measured[0], measured[1], measured[2:] = width, height, 0
    rows, columns = body.shape
    begin, end = floor(left), ceil(left + columns * scale)
    places = np.empty((2, end - begin), np.int32)
    _columns(left, scale, columns, begin, places)
    mixed = np.empty(columns, np.int32)
    for row in range(floor(top), ceil(top + rows * scale)):
        v = min(max((row + 0.5 - top) / scale - 0.5, 0.0), rows - 1.0)
        at = min(int(v), rows - 2)
        _row(body[at], body[at + 1], int((v - at) * 256), 0, columns, mixed)
        for k in range(end - begin):
            right = places[1, k]
            covered = mixed[places[0, k]] * (np.int32(256) - right) + mixed[places[0, k] + 1] * right
            if covered < _HALF_COVERED:
                continue
            measured[5] += 1
            column = begin + k
            if 0 <= row < height and 0 <= column < width:
                owners[row, column] = owner
                measured[0], measured[1] = min(measured[0], column), min(measured[1], row)
                measured[2], measured[3] = max(measured[2], column + 1), max(measured[3], row + 1)
                measured[4] += 1


def mark_figure_reference(
    owners: NDArray[np.int8], body: Plane, placement: Placement, owner: int
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """The same as `mark_figure` in plain numpy; returns a new array of owners, and the measurements."""
    height, width = owners.shape
    x0, y0, weighted = resample(body[None], placement)
    rows, columns = np.nonzero(weighted[0] >= _HALF_COVERED)
    rows, columns = rows + y0, columns + x0
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    marked = owners.copy()
    marked[rows[inside], columns[inside]] = owner
    measured = np.array([width, height, 0, 0, inside.sum(), len(rows)], np.int64)
    if inside.any():
        y, x = rows[inside], columns[inside]
        measured[:4] = x.min(), y.min(), x.max() + 1, y.max() + 1
    return marked, measured
