"""Laying sprites over planes at any size and place, between the pixels too, and measuring what they cover.

Each output sample mixes the four nearest of the sprite with weights in 256ths: first the two rows, then two columns.
"""

from __future__ import annotations

from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from streamdet.color import Plane
from streamdet.kernels import kernel

Layers = NDArray[np.uint8]
"""(channels, rows, columns) uint8 of values times opacity; the last channel is the opacity. At least 2x2."""


@kernel(apart=True)
def _columns(left: float, size: float, columns: int, begin: int, places: NDArray[np.int32]) -> None:
    """Writes for each output column the sprite's column to its left, and the weight of the one to the right."""
    for k in range(places.shape[1]):
        u = min(max((begin + k + 0.5 - left) / size - 0.5, 0.0), columns - 1.0)
        at = min(int(u), columns - 2)
        places[0, k] = at
        places[1, k] = int((u - at) * 256)


@kernel(apart=True)
def _row(upper: Plane, lower: Plane, weight: int, first: int, last: int, mixed: NDArray[np.int32]) -> None:
    """Mixes two rows of a sprite from column `first` up to `last`, exclusive."""
    low = np.int32(weight)
    for k in range(first, last):
        mixed[k] = np.int32(upper[k]) * (np.int32(256) - low) + np.int32(lower[k]) * low


@kernel(apart=True)
def _lay_row(line: Plane, value: NDArray[np.int32], opacity: NDArray[np.int32], places: NDArray[np.int32]) -> None:
    """Lays one mixed row over a row of a plane (written)."""
    half, ones, sixteen = np.int32(32768), np.int32(257), np.int32(16)
    for k in range(line.shape[0]):
        at, right = places[0, k], places[1, k]
        left = np.int32(256) - right
        covered = (opacity[at] * left + opacity[at + 1] * right + half) >> sixteen
        added = (value[at] * left + value[at + 1] * right + half) >> sixteen
        under = (np.int32(line[k]) * (np.int32(255) - covered) * ones + half) >> sixteen
        line[k] = np.uint8(min(under + added, np.int32(255)))


@kernel(apart=True)
def _lay_still_row(line: Plane, value: Plane, opacity: Plane) -> None:
    """The same for a sprite that lies exactly on the samples, as all that stands still does: nothing is mixed."""
    half, ones, sixteen = np.int32(32768), np.int32(257), np.int32(16)
    for k in range(line.shape[0]):
        under = (np.int32(line[k]) * (np.int32(255) - np.int32(opacity[k])) * ones + half) >> sixteen
        line[k] = np.uint8(min(under + np.int32(value[k]), np.int32(255)))


@kernel
def lay_plane(
    plane: Plane,
    width: int,
    sprite: Layers,
    channel: int,
    spans: NDArray[np.int32],
    left: float,
    top: float,
    size: float,
) -> None:
    """Lays a channel of a sprite over a plane (written).

    Args:
        plane: (rows, line bytes) uint8.
        width: samples per row.
        sprite: what to lay.
        channel: which of its values.
        spans: (rows, 2) int32 of the sprite: columns outside of which a row has no opacity.
        left: of the sprite in the plane's samples.
        top: the same.
        size: how many times as large as the sprite it gets.
    """
    rows, columns = sprite.shape[1], sprite.shape[2]
    begin, end = max(floor(left), 0), min(ceil(left + columns * size), width)
    if begin >= end:
        return
    still = size == 1 and left == floor(left) and top == floor(top)
    places = np.empty((2, end - begin), np.int32)
    _columns(left, size, columns, begin, places)
    value, opacity = np.zeros(columns, np.int32), np.zeros(columns, np.int32)
    for row in range(max(floor(top), 0), min(ceil(top + rows * size), plane.shape[0])):
        v = min(max((row + 0.5 - top) / size - 0.5, 0.0), rows - 1.0)
        at = min(int(v), rows - 2)
        weight = int((v - at) * 256)
        first, last = min(spans[at, 0], spans[at + 1, 0]), max(spans[at, 1], spans[at + 1, 1])
        if first >= last:
            continue
        if still:
            first, last = max(first, begin - floor(left)), min(last, end - floor(left))
            at += weight >> 8
            if first < last:
                line = plane[row, floor(left) + first : floor(left) + last]
                _lay_still_row(line, sprite[channel, at, first:last], sprite[-1, at, first:last])
            continue
        first, last = max(first - 1, 0), min(last + 1, columns)
        _row(sprite[-1, at], sprite[-1, at + 1], weight, first, last, opacity)
        _row(sprite[channel, at], sprite[channel, at + 1], weight, first, last, value)
        start = min(max(floor(left + first * size) - begin, 0), end - begin)
        stop = min(max(ceil(left + last * size) - begin, 0), end - begin)
        while start < stop and places[0, start] < first:
            start += 1
        while start < stop and places[0, stop - 1] + 1 >= last:
            stop -= 1
        if start < stop:
            _lay_row(plane[row, begin + start : begin + stop], value, opacity, places[:, start:stop])


def lay_plane_reference(
    plane: Plane, width: int, sprite: Layers, channel: int, left: float, top: float, size: float
) -> Plane:
    """The same as `lay_plane` in plain numpy; returns a new plane."""
    x, y, weighted = sampled(sprite, left, top, size, width, plane.shape[0])
    values = (weighted + 32768) >> 16
    result = plane.copy()
    if values.size:
        view = result[y : y + values.shape[1], x : x + values.shape[2]]
        under = (view.astype(np.int64) * (255 - values[-1]) * 257 + 32768) >> 16
        view[:] = np.minimum(under + values[channel], 255)
    return result


def sampled(
    sprite: Layers, left: float, top: float, size: float, width: int | None = None, height: int | None = None
) -> tuple[int, int, NDArray[np.int64]]:
    """Returns the first column and row that a sprite covers, and its values from there times 65536.

    What lies outside of a plane of `width` and `height` is left out where they are given.
    """
    rows, columns = sprite.shape[1:]
    x0, y0, x1, y1 = floor(left), floor(top), ceil(left + columns * size), ceil(top + rows * size)
    if width is not None and height is not None:
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    v = np.clip((np.arange(y0, max(y1, y0)) + 0.5 - top) / size - 0.5, 0.0, rows - 1.0)
    u = np.clip((np.arange(x0, max(x1, x0)) + 0.5 - left) / size - 0.5, 0.0, columns - 1.0)
    iv, iu = np.minimum(v.astype(np.int64), rows - 2), np.minimum(u.astype(np.int64), columns - 2)
    fv, fu = ((v - iv) * 256).astype(np.int64)[:, None], ((u - iu) * 256).astype(np.int64)
    wide = sprite.astype(np.int64)
    mixed = wide[:, iv] * (256 - fv) + wide[:, iv + 1] * fv
    return x0, y0, mixed[..., iu] * (256 - fu) + mixed[..., iu + 1] * fu


@kernel
def own(
    owners: NDArray[np.int8], body: Plane, left: float, top: float, size: float, owner: int, found: NDArray[np.int64]
) -> None:
    """Writes `owner` wherever a figure covers at least half a pixel of the picture, and measures the figure.

    Args:
        owners: (height, width) int8, written.
        body: (rows, columns) uint8, opacity.
        left: of the sprite, pixels.
        top: of the sprite, pixels.
        size: how much larger than `body` it is.
        owner: what to write.
        found: (6,) int64, written: left, top, right, bottom (exclusive) of the pixels inside the picture, their
            number, and the number of all pixels, inside or not.
    """
    height, width = owners.shape
    found[0], found[1], found[2:] = width, height, 0
    rows, columns = body.shape
    begin, end = floor(left), ceil(left + columns * size)
    places = np.empty((2, end - begin), np.int32)
    _columns(left, size, columns, begin, places)
    mixed = np.empty(columns, np.int32)
    for row in range(floor(top), ceil(top + rows * size)):
        v = min(max((row + 0.5 - top) / size - 0.5, 0.0), rows - 1.0)
        at = min(int(v), rows - 2)
        _row(body[at], body[at + 1], int((v - at) * 256), 0, columns, mixed)
        for k in range(end - begin):
            right = places[1, k]
            covered = mixed[places[0, k]] * (np.int32(256) - right) + mixed[places[0, k] + 1] * right
            if covered < 128 * 65536:
                continue
            found[5] += 1
            column = begin + k
            if 0 <= row < height and 0 <= column < width:
                owners[row, column] = owner
                found[0], found[1] = min(found[0], column), min(found[1], row)
                found[2], found[3] = max(found[2], column + 1), max(found[3], row + 1)
                found[4] += 1


def own_reference(
    owners: NDArray[np.int8], body: Plane, left: float, top: float, size: float, owner: int
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """The same as `own` in plain numpy; returns a new array of owners, and what was found."""
    height, width = owners.shape
    x0, y0, weighted = sampled(body[None], left, top, size)
    rows, columns = np.nonzero(weighted[0] >= 128 * 65536)
    rows, columns = rows + y0, columns + x0
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    marked = owners.copy()
    marked[rows[inside], columns[inside]] = owner
    found = np.array([width, height, 0, 0, inside.sum(), len(rows)], np.int64)
    if inside.any():
        y, x = rows[inside], columns[inside]
        found[:4] = x.min(), y.min(), x.max() + 1, y.max() + 1
    return marked, found
