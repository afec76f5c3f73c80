"""Pre-processing: from the planes of a picture to the network input, in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdet.color import ColorSpace, Plane
from streamdet.detect.letterbox import LetterboxTransform, PictureArea, letterbox
from streamdet.detect.resample import (
    MAX_WIDTH,
    PACKED,
    PLANAR,
    SEMI_PLANAR,
    ChannelTransform,
    SampleAxes,
    Scratch,
    TargetArea,
    resample,
)
from streamdet.model_spec.spec import ModelSpec
from streamdet.picture import Picture, PixelFormat

__all__ = ["LetterboxTransform", "Preprocessor"]

_LAYOUTS = {PixelFormat.I420: PLANAR, PixelFormat.NV12: SEMI_PLANAR, PixelFormat.BGR24: PACKED}
_CACHED_SIZES = 8  # picture sizes rarely change: a stream that switches, a few cameras of different kinds


class Preprocessor:
    """Writes pictures to the input of one model: resize, color conversion, normalization.

    Resizing is bilinear on pixel centers without a low-pass filter, like `cv2.INTER_LINEAR`. Color conversion uses the
    matrix and range of the picture. YUV pixels become integers of 0..255 first, as in `Picture.bgr`, so that a network
    gets the same numbers either way. Blending without that rounding and clipping moved YOLOX-nano's scores by up to
    0.05.

    Not thread-safe: each thread needs its own instance.

    Args:
        spec: the model.

    Attributes:
        dtype: float32 or uint8.
        shape: shape of one image of the batch.

    Raises:
        ValueError: a uint8 input with mean or std, or a std of zero.
    """

    def __init__(self, spec: ModelSpec) -> None:
        mean, std = np.array(spec.mean), np.array(spec.std)
        if spec.uint8 and (mean.any() or (std != 1).any()):
            raise ValueError("a uint8 input is not normalized: mean must be 0 and std 1")
        if (std == 0).any():
            raise ValueError(f"std must not be zero, got {spec.std}")
        self._spec = spec
        self._mean, self._std = mean, std
        self.dtype: np.dtype[Any] = np.dtype(np.uint8 if spec.uint8 else np.float32)
        self.shape = (3, spec.height, spec.width) if spec.nchw else (spec.height, spec.width, 3)
        self._pad = ((spec.pad_value - mean) / std).astype(self.dtype)
        self._size_plans: dict[tuple[int, int], _SizePlan] = {}
        self._channel_transforms: dict[ColorSpace, ChannelTransform] = {}

    def __call__(self, picture: Picture, out: NDArray[np.float32] | NDArray[np.uint8]) -> LetterboxTransform:
        """Writes `picture` to `out` and returns how frame pixels map to input pixels.

        Args:
            picture: any size; only read.
            out: one image of the batch: `shape` and `dtype` of this preprocessor, C-contiguous; overwritten.

        Raises:
            ValueError: `out` has another shape or type, or the picture is too wide for the kernels.
        """
        if out.shape != self.shape or out.dtype != self.dtype or not out.flags.c_contiguous:
            raise ValueError(f"expected a C-contiguous {self.dtype} array {self.shape}, got {out.dtype} {out.shape}")
        plan = self._size_plan(picture.width, picture.height)
        planes = tuple(_read_only(plane) for plane in picture.planes)
        self._fill_borders(plan.area, out)
        resample(
            _LAYOUTS[picture.format],
            (planes[0], planes[-1] if len(planes) < 3 else planes[1], planes[-1]),
            picture.width,
            plan.axes,
            self._channel_transform(picture.color),
            plan.scratch,
            out.reshape(-1, self.shape[2]) if self._spec.nchw else out.reshape(self.shape[0], -1),
            TargetArea(not self._spec.nchw, int(self._spec.rgb), self._spec.height, plan.area.top, plan.area.left),
        )
        return plan.transform

    def warm_up(self) -> None:
        """Compiles the kernels for pictures of any format, so that the first frame does not wait."""
        out = np.empty(self.shape, self.dtype)
        self(Picture.from_bgr(np.zeros((2, 2, 3), np.uint8)), out)

    def _size_plan(self, width: int, height: int) -> _SizePlan:
        key = (width, height)
        if key not in self._size_plans:
            if len(self._size_plans) == _CACHED_SIZES:
                del self._size_plans[next(iter(self._size_plans))]
            self._size_plans[key] = _make_size_plan(self._spec, width, height, self.dtype)
        return self._size_plans[key]

    def _channel_transform(self, space: ColorSpace) -> ChannelTransform:
        if space not in self._channel_transforms:
            to_bgr = space.yuv_to_rgb()[::-1].copy()
            to_bgr[:, 3] += np.float32(0.5)  # the kernel truncates
            scale, shift = 1 / self._std, -self._mean / self._std
            if self._spec.uint8:
                shift = shift + 0.5  # here too
            if self._spec.rgb:  # the kernel blends blue, green, red
                scale, shift = scale[::-1], shift[::-1]
            self._channel_transforms[space] = ChannelTransform(
                to_bgr, scale.astype(np.float32), shift.astype(np.float32)
            )
        return self._channel_transforms[space]

    def _fill_borders(self, area: PictureArea, out: NDArray[np.float32] | NDArray[np.uint8]) -> None:
        rows = out if not self._spec.nchw else out.transpose(1, 2, 0)
        right, bottom = area.left + area.width, area.top + area.height
        for border in (rows[: area.top], rows[bottom:], rows[:, : area.left], rows[:, right:]):
            if border.size:
                border[:] = self._pad


@dataclass(frozen=True, slots=True)
class _SizePlan:
    """Everything that depends only on the size of a picture."""

    area: PictureArea
    transform: LetterboxTransform
    axes: SampleAxes
    scratch: Scratch


def _make_size_plan(spec: ModelSpec, width: int, height: int, dtype: np.dtype[Any]) -> _SizePlan:
    if width > MAX_WIDTH:
        raise ValueError(f"pictures wider than {MAX_WIDTH} pixels are not supported, got {width}x{height}")
    area = letterbox(spec, width, height)
    scratch = Scratch.allocate(width, area.width, dtype)
    return _SizePlan(area, area.transform(width, height), make_axes(width, height, area), scratch)


def make_axes(width: int, height: int, area: PictureArea) -> SampleAxes:
    """Returns the source samples of each pixel of `area`, for a picture of `width` x `height` pixels."""
    columns, column_weight = _taps(width, area.width)
    rows, row_weight = _taps(height, area.height)
    single = np.float32
    return SampleAxes(
        columns.astype(np.uint16), column_weight.astype(single), rows.astype(np.int32), row_weight.astype(single)
    )


def _taps(samples: int, outputs: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns the left tap of each output sample and the weight of the right tap; pixel centers are at n + 0.5."""
    centers = np.clip((np.arange(outputs) + 0.5) * (samples / outputs) - 0.5, 0, samples - 1)
    left = np.floor(centers).astype(np.int64)
    return left, centers - left


def _read_only(plane: Plane) -> Plane:
    """Returns a read-only view, so that kernels see one array type for any picture."""
    view = plane.view()
    view.flags.writeable = False
    return view
