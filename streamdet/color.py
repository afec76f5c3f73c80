"""Conversion between YUV and RGB: exact coefficients, and kernels with their numpy references."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel

Plane = NDArray[np.uint8]
Affine = NDArray[np.float32]


class Matrix(Enum):
    """Luma weights (Kr, Kb) of a color matrix: ITU-R BT.601-7, BT.709-6 and BT.2020-2 (non-constant luminance)."""

    BT601 = (0.299, 0.114)
    BT709 = (0.2126, 0.0722)
    BT2020 = (0.2627, 0.0593)


@dataclass(frozen=True, slots=True)
class ColorSpace:
    """The meaning of the YUV samples of a picture: color matrix and range."""

    matrix: Matrix = Matrix.BT601
    full_range: bool = False

    def yuv_to_rgb(self) -> NDArray[np.float32]:
        """Returns (3, 4) float32: ``rgb = M[:, :3] @ (y, u, v) + M[:, 3]`` on 8-bit values.

        >>> m = ColorSpace(Matrix.BT709).yuv_to_rgb()
        >>> (m[:, :3] @ np.array([235, 128, 128], np.float32) + m[:, 3]).round().tolist()
        [255.0, 255.0, 255.0]
        """
        kr, kb = self.matrix.value
        kg = 1.0 - kr - kb
        luma_scale, chroma_scale, luma_zero = (1.0, 1.0, 0.0) if self.full_range else (255 / 219, 255 / 224, 16.0)
        linear = np.array(
            [
                [luma_scale, 0.0, chroma_scale * 2 * (1 - kr)],
                [luma_scale, -chroma_scale * 2 * (1 - kb) * kb / kg, -chroma_scale * 2 * (1 - kr) * kr / kg],
                [luma_scale, chroma_scale * 2 * (1 - kb), 0.0],
            ]
        )
        return np.column_stack([linear, -linear @ [luma_zero, 128.0, 128.0]]).astype(np.float32)

    def rgb_to_yuv(self) -> NDArray[np.float32]:
        """Returns (3, 4) float32, the inverse of `yuv_to_rgb`."""
        forward = self.yuv_to_rgb().astype(np.float64)
        inverse = np.linalg.inv(forward[:, :3])
        return np.column_stack([inverse, -inverse @ forward[:, 3]]).astype(np.float32)


def assumed_color_space(width: int, height: int) -> ColorSpace:
    """Returns what players assume if a stream states nothing: limited range, BT.709 from HD sizes up, BT.601 below."""
    return ColorSpace(Matrix.BT709 if width >= 1280 or height > 576 else Matrix.BT601)


@kernel(no_alias=True, contract=True)
def _chroma_terms(u: Plane, v: Plane, m: Affine, terms: NDArray[np.float32]) -> None:
    """Writes what chroma adds to blue, green and red of each pixel: (3, 2 * samples) float32, two pixels per sample."""
    blue, green, red = terms[0], terms[1], terms[2]
    half = np.float32(0.5)
    b1, b2, b3 = m[2, 1], m[2, 2], m[2, 3] + half
    g1, g2, g3 = m[1, 1], m[1, 2], m[1, 3] + half
    r1, r2, r3 = m[0, 1], m[0, 2], m[0, 3] + half
    for x in range(len(blue) >> 1):
        cb, cr = np.float32(np.int32(u[x])), np.float32(np.int32(v[x]))
        blue[2 * x] = blue[2 * x + 1] = b1 * cb + b2 * cr + b3
        green[2 * x] = green[2 * x + 1] = g1 * cb + g2 * cr + g3
        red[2 * x] = red[2 * x + 1] = r1 * cb + r2 * cr + r3


@kernel(no_alias=True, contract=True)
def _bgr_row(y: Plane, width: int, m: Affine, terms: NDArray[np.float32], out: Plane) -> None:
    """Writes one row of BGR from luma and the terms of its chroma."""
    blue, green, red = terms[0], terms[1], terms[2]
    low, high = np.float32(0.0), np.float32(255.0)
    b0, g0, r0 = m[2, 0], m[1, 0], m[0, 0]
    for x in range(width):
        luma = np.float32(np.int32(y[x]))
        out[3 * x] = np.uint8(np.int32(min(max(b0 * luma + blue[x], low), high)))
        out[3 * x + 1] = np.uint8(np.int32(min(max(g0 * luma + green[x], low), high)))
        out[3 * x + 2] = np.uint8(np.int32(min(max(r0 * luma + red[x], low), high)))


@kernel
def i420_to_bgr(y: Plane, u: Plane, v: Plane, width: int, height: int, m: Affine, out: Plane) -> None:
    """Converts I420 planes (rows, line bytes) to BGR in place; chroma is taken from the nearest sample.

    Args:
        y: (height, line) uint8.
        u: (ceil(height / 2), line) uint8.
        v: (ceil(height / 2), line) uint8.
        width: pixels per row, at most the line of `y`.
        height: rows.
        m: (3, 4) float32 from `ColorSpace.yuv_to_rgb`.
        out: (height, 3 * width) uint8, written.
    """
    terms = np.empty((3, (width + 1) & ~1), np.float32)
    for row in range(height):
        if row & 1 == 0:
            _chroma_terms(u[row >> 1], v[row >> 1], m, terms)
        _bgr_row(y[row], width, m, terms, out[row])


def i420_to_bgr_reference(y: Plane, u: Plane, v: Plane, width: int, height: int, m: Affine) -> Plane:
    """Numpy reference of `i420_to_bgr`; returns (height, 3 * width) uint8."""
    rows, columns = np.arange(height) >> 1, np.arange(width) >> 1
    yuv = np.stack([y[:height, :width], u[rows][:, columns], v[rows][:, columns]], axis=-1).astype(np.float32)
    rgb = yuv @ m[:, :3].T + m[:, 3] + np.float32(0.5)
    bgr: Plane = np.clip(rgb[..., ::-1], 0, 255).astype(np.uint8)
    return bgr.reshape(height, 3 * width)


@kernel(no_alias=True, contract=True)
def _luma_row(bgr: Plane, width: int, m: Affine, y: Plane) -> None:
    """Writes one row of luma."""
    low, high = np.float32(0.0), np.float32(255.0)
    red, green, blue, zero = m[0, 0], m[0, 1], m[0, 2], m[0, 3] + np.float32(0.5)
    for x in range(width):
        b, g, r = np.int32(bgr[3 * x]), np.int32(bgr[3 * x + 1]), np.int32(bgr[3 * x + 2])
        luma = red * np.float32(r) + green * np.float32(g) + blue * np.float32(b) + zero
        y[x] = np.uint8(np.int32(min(max(luma, low), high)))


@kernel(no_alias=True)
def _column_sums(upper: Plane, lower: Plane, width: int, sums: NDArray[np.uint16]) -> None:
    """Writes the sum of two rows, (3, even width) uint16: blue, green, red; an odd last pixel is repeated."""
    blue, green, red = sums[0], sums[1], sums[2]
    for x in range(width):
        blue[x] = np.uint16(upper[3 * x]) + np.uint16(lower[3 * x])
        green[x] = np.uint16(upper[3 * x + 1]) + np.uint16(lower[3 * x + 1])
        red[x] = np.uint16(upper[3 * x + 2]) + np.uint16(lower[3 * x + 2])
    if width & 1:
        blue[width], green[width], red[width] = blue[width - 1], green[width - 1], red[width - 1]


@kernel(no_alias=True, contract=True)
def _chroma_row(sums: NDArray[np.uint16], samples: int, m: Affine, u: Plane, v: Plane) -> None:
    """Writes one row of both chroma planes from the sums of two rows."""
    blue, green, red = sums[0], sums[1], sums[2]
    low, high, quarter, half = np.float32(0.0), np.float32(255.0), np.float32(0.25), np.float32(0.5)
    u_red, u_green, u_blue, u_zero = m[1, 0] * quarter, m[1, 1] * quarter, m[1, 2] * quarter, m[1, 3] + half
    v_red, v_green, v_blue, v_zero = m[2, 0] * quarter, m[2, 1] * quarter, m[2, 2] * quarter, m[2, 3] + half
    for x in range(samples):
        b = np.float32(np.int32(blue[2 * x]) + np.int32(blue[2 * x + 1]))
        g = np.float32(np.int32(green[2 * x]) + np.int32(green[2 * x + 1]))
        r = np.float32(np.int32(red[2 * x]) + np.int32(red[2 * x + 1]))
        cb = u_red * r + u_green * g + u_blue * b + u_zero
        cr = v_red * r + v_green * g + v_blue * b + v_zero
        u[x] = np.uint8(np.int32(min(max(cb, low), high)))
        v[x] = np.uint8(np.int32(min(max(cr, low), high)))


@kernel
def bgr_to_i420(bgr: Plane, width: int, height: int, m: Affine, y: Plane, u: Plane, v: Plane) -> None:
    """Converts BGR (height, >= 3 * width) uint8 to I420 planes in place; chroma is the mean of its 2x2 pixels.

    `m` is (3, 4) float32 from `ColorSpace.rgb_to_yuv`; planes are shaped as in `i420_to_bgr` and are written.
    """
    samples = (width + 1) >> 1
    sums = np.empty((3, 2 * samples), np.uint16)
    for row in range(0, height, 2):
        below = min(row + 1, height - 1)
        _luma_row(bgr[row], width, m, y[row])
        _luma_row(bgr[below], width, m, y[below])
        _column_sums(bgr[row], bgr[below], width, sums)
        _chroma_row(sums, samples, m, u[row >> 1], v[row >> 1])


def bgr_to_i420_reference(bgr: Plane, width: int, height: int, m: Affine) -> tuple[Plane, Plane, Plane]:
    """Numpy reference of `bgr_to_i420`; returns the three planes without padding."""
    rgb = bgr[:height, : 3 * width].reshape(height, width, 3)[..., ::-1].astype(np.float32)
    luma = rgb @ m[0, :3] + m[0, 3]
    padded = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    mean = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2, 3).mean(axis=(1, 3), dtype=np.float32)
    cb, cr = (mean @ m[k, :3] + m[k, 3] for k in (1, 2))
    y, u, v = (np.clip(plane + np.float32(0.5), 0, 255).astype(np.uint8) for plane in (luma, cb, cr))
    return y, u, v
