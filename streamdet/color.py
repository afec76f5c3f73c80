"""Colour: how YUV and RGB relate, as exact coefficients and as kernels beside their numpy references."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel

Plane = NDArray[np.uint8]
Affine = NDArray[np.float32]


class Matrix(Enum):
    """Luma weights (Kr, Kb) of a colour matrix: ITU-R BT.601-7, BT.709-6 and BT.2020-2 (non-constant luminance)."""

    BT601 = (0.299, 0.114)
    BT709 = (0.2126, 0.0722)
    BT2020 = (0.2627, 0.0593)


@dataclass(frozen=True, slots=True)
class ColorSpace:
    """How the YUV samples of a picture are to be read."""

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


def guess(width: int, height: int) -> ColorSpace:
    """Returns what players assume where a stream does not say: BT.709 from HD sizes on, BT.601 below, limited range."""
    return ColorSpace(Matrix.BT709 if width >= 1280 or height > 576 else Matrix.BT601)


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
    for row in range(height):
        chroma_row = row >> 1
        for column in range(width):
            luma = np.float32(y[row, column])
            cb = np.float32(u[chroma_row, column >> 1])
            cr = np.float32(v[chroma_row, column >> 1])
            for channel in range(3):
                k = 2 - channel
                value = m[k, 0] * luma + m[k, 1] * cb + m[k, 2] * cr + m[k, 3] + np.float32(0.5)
                out[row, 3 * column + channel] = np.uint8(min(max(value, np.float32(0.0)), np.float32(255.0)))


def i420_to_bgr_reference(y: Plane, u: Plane, v: Plane, width: int, height: int, m: Affine) -> Plane:
    """The same as `i420_to_bgr` in plain numpy; returns (height, 3 * width) uint8."""
    rows, columns = np.arange(height) >> 1, np.arange(width) >> 1
    yuv = np.stack([y[:height, :width], u[rows][:, columns], v[rows][:, columns]], axis=-1).astype(np.float32)
    rgb = yuv @ m[:, :3].T + m[:, 3] + np.float32(0.5)
    bgr: Plane = np.clip(rgb[..., ::-1], 0, 255).astype(np.uint8)
    return bgr.reshape(height, 3 * width)


@kernel
def bgr_to_i420(bgr: Plane, width: int, height: int, m: Affine, y: Plane, u: Plane, v: Plane) -> None:
    """Converts BGR (height, >= 3 * width) uint8 to I420 planes in place; chroma is the mean of its 2x2 pixels.

    `m` is (3, 4) float32 from `ColorSpace.rgb_to_yuv`; planes are shaped as in `i420_to_bgr` and are written.
    """
    half = np.float32(0.5)
    for chroma_row in range((height + 1) >> 1):
        for chroma_column in range((width + 1) >> 1):
            blue = np.float32(0.0)
            green = np.float32(0.0)
            red = np.float32(0.0)
            for dy in range(2):
                row = min(2 * chroma_row + dy, height - 1)
                for dx in range(2):
                    column = min(2 * chroma_column + dx, width - 1)
                    b = np.float32(bgr[row, 3 * column])
                    g = np.float32(bgr[row, 3 * column + 1])
                    r = np.float32(bgr[row, 3 * column + 2])
                    luma = m[0, 0] * r + m[0, 1] * g + m[0, 2] * b + m[0, 3] + half
                    y[row, column] = np.uint8(min(max(luma, np.float32(0.0)), np.float32(255.0)))
                    blue += b
                    green += g
                    red += r
            blue *= np.float32(0.25)
            green *= np.float32(0.25)
            red *= np.float32(0.25)
            cb = m[1, 0] * red + m[1, 1] * green + m[1, 2] * blue + m[1, 3] + half
            cr = m[2, 0] * red + m[2, 1] * green + m[2, 2] * blue + m[2, 3] + half
            u[chroma_row, chroma_column] = np.uint8(min(max(cb, np.float32(0.0)), np.float32(255.0)))
            v[chroma_row, chroma_column] = np.uint8(min(max(cr, np.float32(0.0)), np.float32(255.0)))


def bgr_to_i420_reference(bgr: Plane, width: int, height: int, m: Affine) -> tuple[Plane, Plane, Plane]:
    """The same as `bgr_to_i420` in plain numpy; returns the three planes without padding."""
    rgb = bgr[:height, : 3 * width].reshape(height, width, 3)[..., ::-1].astype(np.float32)
    luma = rgb @ m[0, :3] + m[0, 3]
    padded = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    mean = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2, 3).mean(axis=(1, 3), dtype=np.float32)
    cb, cr = (mean @ m[k, :3] + m[k, 3] for k in (1, 2))
    y, u, v = (np.clip(plane + np.float32(0.5), 0, 255).astype(np.uint8) for plane in (luma, cb, cr))
    return y, u, v
