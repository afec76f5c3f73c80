"""Kernels from the planes of a picture to the network's input, each beside its numpy reference.

One pass over the output. A source row is first resampled to the output's width, into a row buffer that stays in the
nearest cache, and is kept there for the output rows that need it again. An output row is then blended from two such
rows, turned into the network's channels, and written once.

The two taps of an output pixel are packed into one 32-bit word beforehand, so that one vector gather fetches both.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.color import Affine, Plane
from streamdet.kernels import kernel

Floats = NDArray[np.float32]
Columns = NDArray[np.uint16]  # an unsigned 16-bit index is what lets LLVM emit gathers with 32-bit indices
Words = NDArray[np.uint32]
Tensor = NDArray[np.float32] | NDArray[np.uint8]

MAX_WIDTH = 65535
"""Widest picture the kernels take, in pixels: a column number must fit `Columns`."""

PLANAR, SEMI_PLANAR, PACKED = 0, 1, 2
"""Layouts of the planes: I420, NV12, BGR24."""

_BYTE = np.uint32(0xFF)
_8 = np.uint32(8)
_16 = np.uint32(16)
_24 = np.uint32(24)


class Axes(NamedTuple):
    """Where the samples of an output row and column come from: sample ``near[i]`` and, by ``share[i]``, the next one.

    Attributes:
        columns: (n,) uint16, left tap of each output column.
        column_share: (n,) float32 in [0, 1).
        rows: (m,) int32, upper tap of each output row.
        row_share: (m,) float32 in [0, 1); 0 where the next row would be past the edge.
    """

    columns: Columns
    column_share: Floats
    rows: NDArray[np.int32]
    row_share: Floats


class Color(NamedTuple):
    """From the three samples of a pixel to the network's channels: ``clip(m[:, :3] @ samples + m[:, 3], low, high)``.

    Attributes:
        m: (3, 4) float32.
        low: (3,) float32.
        high: (3,) float32.
    """

    m: Affine
    low: Floats
    high: Floats


class Scratch(NamedTuple):
    """Row buffers of one preprocessor, kept between pictures.

    Attributes:
        words: (source columns + 1,) uint32, packed taps of a row.
        rows: (2, 3, n) float32, resampled source rows at place ``row & 1``: neighbours never share a place.
        line: (3, n) of the output's type, one output row before its channels are interleaved.
    """

    words: Words
    rows: NDArray[np.float32]
    line: Tensor


class Target(NamedTuple):
    """Where on the network's input the picture goes.

    Attributes:
        interleaved: NHWC rather than NCHW.
        height: rows of the input.
        top: first row of the picture.
        left: first column of the picture.
    """

    interleaved: bool
    height: int
    top: int
    left: int


@kernel(apart=True)
def pack_single(line: Plane, width: int, words: Words) -> None:
    """Packs each sample of a row with its right neighbour: bits 0 to 7 and 8 to 15 of `words`."""
    for x in range(width - 1):
        words[x] = np.uint32(line[x]) | np.uint32(np.uint32(line[x + 1]) << _8)
    words[width - 1] = np.uint32(line[width - 1]) * np.uint32(0x0101)


@kernel(apart=True)
def pack_double(first: Plane, second: Plane, step: int, width: int, words: Words) -> None:
    """Packs two rows of samples, `step` bytes apart: from bit 0 up both of column x, then both of column x + 1."""
    for x in range(width - 1):
        here = np.uint32(np.uint32(first[step * x]) | np.uint32(np.uint32(second[step * x]) << _8))
        there = np.uint32(np.uint32(first[step * x + step]) | np.uint32(np.uint32(second[step * x + step]) << _8))
        words[x] = here | np.uint32(there << _16)
    x = width - 1
    words[x] = np.uint32(np.uint32(first[step * x]) | np.uint32(np.uint32(second[step * x]) << _8)) * np.uint32(0x10001)


@kernel(apart=True)
def pack_triple(line: Plane, width: int, words: Words) -> None:
    """Packs the three samples of each pixel into one word; one more word repeats the last."""
    for x in range(width):
        low = np.uint32(np.uint32(line[3 * x]) | np.uint32(np.uint32(line[3 * x + 1]) << _8))
        words[x] = low | np.uint32(np.uint32(line[3 * x + 2]) << _16)
    words[width] = words[width - 1]


@kernel(apart=True, contract=True)
def spread_single(words: Words, columns: Columns, share: Floats, out: Floats) -> None:
    """Resamples a row from `pack_single` to ``len(columns)`` samples."""
    for x in range(len(columns)):
        taps = words[columns[x]]
        left = np.float32(np.int32(taps & _BYTE))
        right = np.float32(np.int32((taps >> _8) & _BYTE))
        out[x] = left + (right - left) * share[x]


@kernel(apart=True, contract=True)
def spread_double(words: Words, columns: Columns, share: Floats, first: Floats, second: Floats) -> None:
    """Resamples a row from `pack_double`."""
    for x in range(len(columns)):
        taps = words[columns[x]]
        left = np.float32(np.int32(taps & _BYTE))
        right = np.float32(np.int32((taps >> _16) & _BYTE))
        first[x] = left + (right - left) * share[x]
        left = np.float32(np.int32((taps >> _8) & _BYTE))
        right = np.float32(np.int32(taps >> _24))
        second[x] = left + (right - left) * share[x]


@kernel(apart=True, contract=True)
def spread_triple(
    words: Words, following: Words, columns: Columns, share: Floats, first: Floats, second: Floats, third: Floats
) -> None:
    """Resamples a row from `pack_triple`; `following` is ``words[1:]``."""
    for x in range(len(columns)):
        here, there = words[columns[x]], following[columns[x]]
        left = np.float32(np.int32(here & _BYTE))
        right = np.float32(np.int32(there & _BYTE))
        first[x] = left + (right - left) * share[x]
        left = np.float32(np.int32((here >> _8) & _BYTE))
        right = np.float32(np.int32((there >> _8) & _BYTE))
        second[x] = left + (right - left) * share[x]
        left = np.float32(np.int32((here >> _16) & _BYTE))
        right = np.float32(np.int32((there >> _16) & _BYTE))
        third[x] = left + (right - left) * share[x]


@kernel(apart=True, contract=True)
def mix_row(
    rows: NDArray[np.float32],
    upper: np.int64,
    upper_c: np.int64,
    share: np.float32,
    share_c: np.float32,
    color: Color,
    first: Tensor,
    second: Tensor,
    third: Tensor,
) -> None:
    """Blends two resampled rows and writes the three channels of one output row.

    Args:
        rows: (2, 3, n) float32, `Scratch.rows`.
        upper: place (0 or 1) of the upper row of the first plane; the lower one is in the other place.
        upper_c: the same for the second and third plane.
        share: of the lower row, first plane.
        share_c: of the lower row, second and third plane.
        color: to the network's channels.
        first: (n,) float32 or uint8, written; bytes are cut off, not rounded (add a half to ``color.m[:, 3]``).
        second: (n,) written.
        third: (n,) written.
    """
    p0, p1 = rows[upper, 0], rows[1 - upper, 0]
    q0, q1 = rows[upper_c, 1], rows[1 - upper_c, 1]
    r0, r1 = rows[upper_c, 2], rows[1 - upper_c, 2]
    m, low, high = color
    a0, b0, c0, d0, low0, high0 = m[0, 0], m[0, 1], m[0, 2], m[0, 3], low[0], high[0]
    a1, b1, c1, d1, low1, high1 = m[1, 0], m[1, 1], m[1, 2], m[1, 3], low[1], high[1]
    a2, b2, c2, d2, low2, high2 = m[2, 0], m[2, 1], m[2, 2], m[2, 3], low[2], high[2]
    for x in range(len(first)):
        p = p0[x] + (p1[x] - p0[x]) * share
        q = q0[x] + (q1[x] - q0[x]) * share_c
        r = r0[x] + (r1[x] - r0[x]) * share_c
        first[x] = min(max(d0 + a0 * p + b0 * q + c0 * r, low0), high0)
        second[x] = min(max(d1 + a1 * p + b1 * q + c1 * r, low1), high1)
        third[x] = min(max(d2 + a2 * p + b2 * q + c2 * r, low2), high2)


@kernel(apart=True)
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
    axes: Axes,
    axes_c: Axes,
    color: Color,
    scratch: Scratch,
    out: Tensor,
    target: Target,
) -> None:
    """Writes a picture to its window on the network's input.

    Args:
        layout: `PLANAR`, `SEMI_PLANAR` or `PACKED`.
        planes: (rows, line) uint8 each; where the layout has fewer than three, the last is repeated.
        width: pixels per row of the picture.
        axes: taps of luma, or of all samples of a packed picture.
        axes_c: taps of chroma; `axes` again for a packed picture.
        color: from the picture's samples to the network's channels.
        scratch: row buffers, written.
        out: the network's input as rows: (3 * height, width) for NCHW, (height, 3 * width) for NHWC; written in the
            window only. float32 or uint8.
        target: where in `out`.
    """
    luma, second, third = planes
    words, rows, line = scratch
    chroma_width = (width + 1) >> 1
    columns = len(axes.columns)
    kept = np.full(2, -1, np.int64)
    kept_c = np.full(2, -1, np.int64)
    for i in range(len(axes.rows)):
        upper, upper_c = np.int64(axes.rows[i]), np.int64(axes_c.rows[i])
        for row in range(upper, min(upper + 2, luma.shape[0])):
            place = row & 1
            if kept[place] != row:
                kept[place] = row
                if layout == PACKED:
                    pack_triple(luma[row], width, words)
                    first_row, second_row, third_row = rows[place, 0], rows[place, 1], rows[place, 2]
                    spread_triple(words, words[1:], axes.columns, axes.column_share, first_row, second_row, third_row)
                else:
                    pack_single(luma[row], width, words)
                    spread_single(words, axes.columns, axes.column_share, rows[place, 0])
        if layout != PACKED:
            for row in range(upper_c, min(upper_c + 2, second.shape[0])):
                place = row & 1
                if kept_c[place] != row:
                    kept_c[place] = row
                    if layout == PLANAR:
                        pack_double(second[row], third[row], 1, chroma_width, words)
                    else:
                        pack_double(second[row], second[row][1:], 2, chroma_width, words)
                    spread_double(words, axes_c.columns, axes_c.column_share, rows[place, 1], rows[place, 2])
        share, share_c = axes.row_share[i], axes_c.row_share[i]
        if target.interleaved:
            mix_row(rows, upper & 1, upper_c & 1, share, share_c, color, line[0], line[1], line[2])
            interleave(line, out[target.top + i, 3 * target.left : 3 * (target.left + columns)])
        else:
            red = out[target.top + i, target.left : target.left + columns]
            green = out[target.height + target.top + i, target.left : target.left + columns]
            blue = out[2 * target.height + target.top + i, target.left : target.left + columns]
            mix_row(rows, upper & 1, upper_c & 1, share, share_c, color, red, green, blue)


def resample_reference(
    layout: int, planes: tuple[Plane, Plane, Plane], width: int, axes: Axes, axes_c: Axes, color: Color
) -> NDArray[np.float32]:
    """The same as `resample` in plain numpy; returns (3, rows, columns) float32, channels before they become bytes."""
    luma, second, third = planes
    chroma_width = (width + 1) // 2
    if layout == PACKED:
        pixels = luma[:, : 3 * width].reshape(-1, width, 3)
        samples = [_bilinear_reference(pixels[..., i], axes) for i in range(3)]
    else:
        if layout == SEMI_PLANAR:
            pairs = second[:, : 2 * chroma_width].reshape(-1, chroma_width, 2)
            second, third = pairs[..., 0], pairs[..., 1]
        chroma = [_bilinear_reference(plane[:, :chroma_width], axes_c) for plane in (second, third)]
        samples = [_bilinear_reference(luma[:, :width], axes), *chroma]
    channels = np.tensordot(color.m[:, :3], np.stack(samples), 1) + color.m[:, 3, None, None]
    clipped: NDArray[np.float32] = np.clip(channels, color.low[:, None, None], color.high[:, None, None])
    return clipped


def _bilinear_reference(plane: Plane, axes: Axes) -> NDArray[np.float32]:
    left = plane[:, axes.columns].astype(np.float32)
    right = plane[:, np.minimum(axes.columns.astype(np.int64) + 1, plane.shape[1] - 1)].astype(np.float32)
    rows = left + (right - left) * axes.column_share
    upper, lower = rows[axes.rows], rows[np.minimum(axes.rows + 1, plane.shape[0] - 1)]
    blended: NDArray[np.float32] = upper + (lower - upper) * axes.row_share[:, None]
    return blended
