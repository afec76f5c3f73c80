"""Resampling kernels, from the planes of a picture to the network input, and their numpy reference.

There is one pass over the output. A source row is resampled to the output width, into a row buffer that stays in the
first-level cache, and is kept there for the other output rows that need it. An output row is blended from two such
rows, converted to the network's channels, and written once.

The three samples of a pixel are first packed into one 32-bit word, so that one load of 64 bits fetches both taps of an
output pixel. YUV becomes integer BGR values before blending, so that a network gets the same numbers from the planes as
from the converted pictures that it was trained on.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.color import Affine, Plane
from streamdet.kernels import kernel

Floats = NDArray[np.float32]
Columns = NDArray[np.uint16]  # unsigned: Numba need not check for negative indices
Words = NDArray[np.uint32]
Pairs = NDArray[np.uint64]
Tensor = NDArray[np.float32] | NDArray[np.uint8]

MAX_WIDTH = 65535
"""Maximum picture width in pixels: a column number must fit `Columns`."""

PLANAR, SEMI_PLANAR, PACKED = 0, 1, 2
"""Layouts of the planes: I420, NV12, BGR24."""

_BYTE = np.uint32(0xFF)
_8 = np.uint32(8)
_16 = np.uint32(16)
_32 = np.uint64(32)


class SampleAxes(NamedTuple):
    """The source samples of each output column and row: the first tap, and the weight of the next sample.

    Attributes:
        columns: (n,) uint16, left tap of each output column.
        column_weight: (n,) float32 in [0, 1), weight of the right tap.
        rows: (m,) int32, upper tap of each output row.
        row_weight: (m,) float32 in [0, 1), weight of the lower tap; 0 if that row is past the edge.
    """

    columns: Columns
    column_weight: Floats
    rows: NDArray[np.int32]
    row_weight: Floats


class ChannelTransform(NamedTuple):
    """Conversion of pixels: YUV to integer BGR values, blending, and then to the network's channels.

    Attributes:
        to_bgr: (3, 4) float32, YUV to BGR; values are clipped to 0..255 and truncated, so [:, 3] includes one half.
        scale: (3,) float32, for blue, green and red.
        shift: (3,) float32, for blue, green and red: the network gets ``scale * value + shift``.
    """

    to_bgr: Affine
    scale: Floats
    shift: Floats


class Scratch(NamedTuple):
    """Row buffers of one preprocessor, reused for every picture.

    Attributes:
        words: (source columns + 1,) uint32, packed pixels of a row.
        taps: (2 n,) uint32, both taps of each output column.
        rows: (2, 3, n) float32, resampled source rows as blue, green, red, at index ``row & 1``: adjacent rows
            never share an index.
        line: (3, n) of the output type, one output row before its channels are interleaved.
    """

    words: Words
    taps: Words
    rows: NDArray[np.float32]
    line: Tensor

    @classmethod
    def allocate(cls, width: int, columns: int, dtype: np.dtype[Any]) -> Scratch:
        """Returns buffers for pictures of `width` columns and an output of `columns`, of `dtype`."""
        words, taps = np.zeros(width + 1, np.uint32), np.zeros(2 * columns, np.uint32)
        return cls(words, taps, np.zeros((2, 3, columns), np.float32), np.zeros((3, columns), dtype))


class TargetArea(NamedTuple):
    """Where the picture is written on the network input.

    Attributes:
        interleaved: True for NHWC, False for NCHW.
        red_first: 1 for RGB, 0 for BGR.
        height: rows of the input.
        top: first row of the picture.
        left: first column of the picture.
    """

    interleaved: bool
    red_first: int
    height: int
    top: int
    left: int


@kernel(no_alias=True, contract=True)
def pack_yuv(luma: Plane, second: Plane, third: Plane, step: int, width: int, m: Affine, words: Words) -> None:
    """Packs blue, green and red of each pixel into one word; the last word is repeated once.

    Chroma samples are `step` bytes apart; `m` is `ChannelTransform.to_bgr`.
    """
    a0, b0, c0, d0 = m[0, 0], m[0, 1], m[0, 2], m[0, 3]
    a1, b1, c1, d1 = m[1, 0], m[1, 1], m[1, 2], m[1, 3]
    a2, b2, c2, d2 = m[2, 0], m[2, 1], m[2, 2], m[2, 3]
    low, high = np.float32(0.0), np.float32(255.0)
    for k in range(width >> 1):
        u, v = np.float32(np.int32(second[step * k])), np.float32(np.int32(third[step * k]))
        blue, green, red = b0 * u + c0 * v + d0, b1 * u + c1 * v + d1, b2 * u + c2 * v + d2
        y = np.float32(np.int32(luma[2 * k]))
        first = np.uint32(np.int32(min(max(a0 * y + blue, low), high)))
        middle = np.uint32(np.int32(min(max(a1 * y + green, low), high)))
        last = np.uint32(np.int32(min(max(a2 * y + red, low), high)))
        words[2 * k] = first | np.uint32(middle << _8) | np.uint32(last << _16)
        y = np.float32(np.int32(luma[2 * k + 1]))
        first = np.uint32(np.int32(min(max(a0 * y + blue, low), high)))
        middle = np.uint32(np.int32(min(max(a1 * y + green, low), high)))
        last = np.uint32(np.int32(min(max(a2 * y + red, low), high)))
        words[2 * k + 1] = first | np.uint32(middle << _8) | np.uint32(last << _16)
    if width & 1:
        k = step * (width >> 1)
        y = np.float32(np.int32(luma[width - 1]))
        u, v = np.float32(np.int32(second[k])), np.float32(np.int32(third[k]))
        blue, green, red = b0 * u + c0 * v + d0, b1 * u + c1 * v + d1, b2 * u + c2 * v + d2
        first = np.uint32(np.int32(min(max(a0 * y + blue, low), high)))
        middle = np.uint32(np.int32(min(max(a1 * y + green, low), high)))
        last = np.uint32(np.int32(min(max(a2 * y + red, low), high)))
        words[width - 1] = first | np.uint32(middle << _8) | np.uint32(last << _16)
    words[width] = words[width - 1]


@kernel(no_alias=True)
def pack_bgr(line: Plane, width: int, words: Words) -> None:
    """Packs the three samples of each pixel into one word; the last word is repeated once."""
    for x in range(width):
        low = np.uint32(np.uint32(line[3 * x]) | np.uint32(np.uint32(line[3 * x + 1]) << _8))
        words[x] = low | np.uint32(np.uint32(line[3 * x + 2]) << _16)
    words[width] = words[width - 1]


@kernel  # not apart: LLVM must assume shared memory and uses plain loads, 1.5x faster than gathers
def fetch_taps(words: Words, columns: Columns, taps: Pairs) -> None:
    """Fetches both taps of each output column; `taps` is `Scratch.taps`, two at a time.

    LLVM makes one load of the two. Reading `words` as overlapping 64-bit words is not possible: Numba would promise
    LLVM that each is aligned to 8 bytes.
    """
    for x in range(len(columns)):
        left = columns[x]
        taps[x] = np.uint64(words[left]) | (np.uint64(words[left + 1]) << _32)


@kernel(no_alias=True, contract=True)
def blend_taps(taps: Words, weight: Floats, first: Floats, second: Floats, third: Floats) -> None:
    """Blends the two taps of each output column, channel by channel."""
    for x in range(len(weight)):
        here, there = taps[2 * x], taps[2 * x + 1]
        left = np.float32(np.int32(here & _BYTE))
        right = np.float32(np.int32(there & _BYTE))
        first[x] = left + (right - left) * weight[x]
        left = np.float32(np.int32((here >> _8) & _BYTE))
        right = np.float32(np.int32((there >> _8) & _BYTE))
        second[x] = left + (right - left) * weight[x]
        left = np.float32(np.int32((here >> _16) & _BYTE))
        right = np.float32(np.int32((there >> _16) & _BYTE))
        third[x] = left + (right - left) * weight[x]


@kernel(no_alias=True, contract=True)
def blend_rows(
    upper: NDArray[np.float32],
    lower: NDArray[np.float32],
    weight: np.float32,
    scale: Floats,
    shift: Floats,
    blue: Tensor,
    green: Tensor,
    red: Tensor,
) -> None:
    """Blends two resampled rows and writes the three channels of one output row.

    Args:
        upper: (3, n) float32.
        lower: (3, n) float32.
        weight: weight of the lower row.
        scale: `ChannelTransform.scale`.
        shift: `ChannelTransform.shift`; uint8 values are truncated, not rounded (add one half).
        blue: (n,) float32 or uint8, written.
        green: (n,) written.
        red: (n,) written.
    """
    b0, g0, r0 = upper[0], upper[1], upper[2]
    b1, g1, r1 = lower[0], lower[1], lower[2]
    for x in range(len(blue)):
        blue[x] = (b0[x] + (b1[x] - b0[x]) * weight) * scale[0] + shift[0]
        green[x] = (g0[x] + (g1[x] - g0[x]) * weight) * scale[1] + shift[1]
        red[x] = (r0[x] + (r1[x] - r0[x]) * weight) * scale[2] + shift[2]


@kernel(no_alias=True)
def interleave(rows: Tensor, out: Tensor) -> None:
    """Writes ``out[3 * x + channel] = rows[channel, x]``."""
    for x in range(rows.shape[1]):
        out[3 * x] = rows[0, x]
        out[3 * x + 1] = rows[1, x]
        out[3 * x + 2] = rows[2, x]


@kernel
def resample(
    layout: int,
    planes: tuple[Plane, Plane, Plane],
    width: int,
    axes: SampleAxes,
    color: ChannelTransform,
    scratch: Scratch,
    out: Tensor,
    target: TargetArea,
) -> None:
    """Writes a picture to its area of the network input.

    Args:
        layout: `PLANAR`, `SEMI_PLANAR` or `PACKED`.
        planes: (rows, line) uint8 each; if the layout has fewer than three, the last is repeated.
        width: pixels per row of the picture.
        axes: source samples of each output pixel.
        color: conversion to the network's channels.
        scratch: row buffers, written.
        out: the network input as rows: (3 * height, width) for NCHW, (height, 3 * width) for NHWC; float32 or uint8;
            only the area of the picture is written.
        target: the area of `out`.
    """
    luma, second, third = planes
    words, taps, rows, line = scratch
    columns = len(axes.columns)
    pairs_of_taps = taps.view(np.uint64)
    left = target.left
    red_first = target.red_first
    kept = np.full(2, -1, np.int64)
    for i in range(len(axes.rows)):
        upper = np.int64(axes.rows[i])
        for row in range(upper, min(upper + 2, luma.shape[0])):
            slot = row & 1
            if kept[slot] != row:
                kept[slot] = row
                if layout == PACKED:
                    pack_bgr(luma[row], width, words)
                elif layout == PLANAR:  # constant steps: LLVM makes a kernel for each
                    pack_yuv(luma[row], second[row >> 1], third[row >> 1], 1, width, color.to_bgr, words)
                else:
                    pack_yuv(luma[row], second[row >> 1], second[row >> 1, 1:], 2, width, color.to_bgr, words)
                fetch_taps(words, axes.columns, pairs_of_taps)
                blend_taps(taps, axes.column_weight, rows[slot, 0], rows[slot, 1], rows[slot, 2])
        here, there, weight = rows[upper & 1], rows[1 - (upper & 1)], axes.row_weight[i]
        if target.interleaved:
            blend_rows(
                here, there, weight, color.scale, color.shift, line[2 * red_first], line[1], line[2 - 2 * red_first]
            )
            interleave(line, out[target.top + i, 3 * left : 3 * (left + columns)])
        else:
            row_b = 2 * red_first * target.height + target.top + i
            row_g = target.height + target.top + i
            row_r = (2 - 2 * red_first) * target.height + target.top + i
            blue_out = out[row_b, left : left + columns]
            green_out = out[row_g, left : left + columns]
            red_out = out[row_r, left : left + columns]
            blend_rows(here, there, weight, color.scale, color.shift, blue_out, green_out, red_out)


def resample_reference(
    layout: int, planes: tuple[Plane, Plane, Plane], width: int, axes: SampleAxes, color: ChannelTransform
) -> NDArray[np.float32]:
    """The same as `resample`, in plain numpy; returns (3, rows, columns) float32: blue, green, red."""
    luma, second, third = planes
    if layout == PACKED:
        pixels: NDArray[np.float32] = luma[:, : 3 * width].reshape(-1, width, 3).astype(np.float32)
    else:
        chroma_width = (width + 1) // 2
        if layout == SEMI_PLANAR:
            pairs = second[:, : 2 * chroma_width].reshape(-1, chroma_width, 2)
            second, third = pairs[..., 0], pairs[..., 1]
        rows, columns = np.arange(luma.shape[0]) // 2, np.arange(width) // 2
        yuv = np.stack([luma[:, :width], *(plane[rows][:, columns] for plane in (second, third))], -1)
        bgr = yuv.astype(np.float32) @ color.to_bgr[:, :3].T + color.to_bgr[:, 3]
        pixels = np.floor(np.clip(bgr, 0, 255))
    channels = [_bilinear_reference(pixels[..., i], axes) * color.scale[i] + color.shift[i] for i in range(3)]
    return np.stack(channels)


def _bilinear_reference(plane: NDArray[np.float32], axes: SampleAxes) -> NDArray[np.float32]:
    left = plane[:, axes.columns]
    right = plane[:, np.minimum(axes.columns.astype(np.int64) + 1, plane.shape[1] - 1)]
    rows = left + (right - left) * axes.column_weight
    upper, lower = rows[axes.rows], rows[np.minimum(axes.rows + 1, plane.shape[0] - 1)]
    blended: NDArray[np.float32] = upper + (lower - upper) * axes.row_weight[:, None]
    return blended
