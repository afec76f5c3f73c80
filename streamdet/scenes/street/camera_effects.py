"""Effects of the camera: changing brightness, noise, and compression artifacts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamdet.color import Plane
from streamdet.kernels import kernel
from streamdet.picture import Picture, PixelFormat
from streamdet.scenes.street.options import StreetOptions
from streamdet.scenes.street.rng import gaussian_noise

_NOISE_LENGTH = 1 << 16
_ONE = 256


@kernel(no_alias=True)
def apply_gain_and_noise(
    plane: Plane, width: int, zero: int, gain: int, noise: NDArray[np.int8], offsets: NDArray[np.int64]
) -> None:
    """Multiplies differences from `zero` by `gain` / 256, and adds noise to a plane (modified).

    Args:
        plane: (rows, line bytes) uint8.
        width: samples per row.
        zero: value that does not change: 16 for luma, 128 for chroma.
        gain: 0 to 256.
        noise: a stretch of it is added to each row.
        offsets: (rows,) start of each row's stretch.
    """
    for row in range(plane.shape[0]):
        line, added = plane[row, :width], noise[offsets[row] : offsets[row] + width]
        for column in range(width):
            value = np.int32(zero) + ((np.int32(line[column]) - np.int32(zero)) * np.int32(gain) + np.int32(128) >> 8)
            line[column] = np.uint8(min(max(value + np.int32(added[column]), np.int32(0)), np.int32(255)))


def apply_gain_and_noise_reference(
    plane: Plane, width: int, zero: int, gain: int, noise: NDArray[np.int8], offsets: NDArray[np.int64]
) -> Plane:
    """The same as `apply_gain_and_noise` in plain numpy; returns a new plane."""
    result = plane.copy()
    scaled = zero + ((plane[:, :width].astype(np.int64) - zero) * gain + 128 >> 8)
    result[:, :width] = np.clip(scaled + noise[offsets[:, None] + np.arange(width)], 0, 255)
    return result


class CameraEffects:
    """Applies brightness and noise to pictures."""

    def __init__(self, options: StreetOptions) -> None:
        values = options.noise * gaussian_noise(_NOISE_LENGTH + options.width, options.seed)
        self._noise = np.clip(np.rint(values), -127, 127).astype(np.int8)
        self._no_noise = np.zeros(options.width, np.int8)
        self._rows = np.arange(options.height, dtype=np.uint64)
        self._seed = options.seed
        self._has_noise = options.noise > 0

    def apply(self, picture: Picture, index: int, brightness: float) -> None:
        """Applies `brightness` (at most 1) and the noise of frame `index` to an I420 picture (modified)."""
        gain = round(_ONE * brightness)
        if gain == _ONE and not self._has_noise:
            return
        # Start of each row's noise: a hash of row, frame and seed (constants of splitmix64).
        mixed = self._rows * np.uint64(0x9E3779B97F4A7C15) + np.uint64(
            (index * 0xBF58476D1CE4E5B9 + self._seed) % 2**64
        )
        mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0x94D049BB133111EB)
        offsets = (mixed >> np.uint64(48)).astype(np.int64) % _NOISE_LENGTH
        apply_gain_and_noise(picture.planes[0], picture.width, 16, gain, self._noise, offsets)
        if gain != _ONE:
            no_offsets = np.zeros(len(picture.planes[1]), np.int64)
            for plane in picture.planes[1:]:
                apply_gain_and_noise(plane, (picture.width + 1) // 2, 128, gain, self._no_noise, no_offsets)


def recompress_jpeg(picture: Picture, quality: int) -> None:
    """Replaces an I420 picture (modified) by itself after JPEG compression at `quality`."""
    import cv2

    bgr = picture.copy(PixelFormat.BGR24).bgr()
    coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    bgr = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    decoded = Picture.from_bgr(bgr, picture.color).copy(PixelFormat.I420)
    for k in range(3):
        picture.visible(k)[:] = decoded.visible(k)
