"""From a picture to the network's input, in one pass and straight from its planes."""

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
_PLANS_KEPT = 8  # picture sizes change rarely: a stream that switches, a few cameras of different kinds


class Preprocessor:
    """Fits pictures to the input of one model: resize, colour, normalisation.

    Resizing is bilinear on pixel centres without a low-pass filter, as `cv2.INTER_LINEAR` does it. Colour follows the
    picture's own matrix and range. YUV pixels become whole values of 0..255 first, as in `Picture.bgr`: both ways give
    a network the same numbers. Blending without that rounding and clipping moved YOLOX-nano's scores by up to 0.05.

    Not for use by several threads at once: each needs one of its own.

    Args:
        spec: the model.

    Raises:
        ValueError: a uint8 input with mean or std, or a std of zero.
    """

    def __init__(self, spec: ModelSpec) -> None:
        mean, std = np.array(spec.mean), np.array(spec.std)
        if spec.uint8 and (mean.any() or (std != 1).any()):
            raise ValueError("a uint8 input takes colours as they are: mean must be 0 and std 1")
        if (std == 0).any():
            raise ValueError(f"std must not be zero, got {spec.std}")
        self._spec = spec
        self._mean, self._std = mean, std
        self.dtype: np.dtype[Any] = np.dtype(np.uint8 if spec.uint8 else np.float32)
        self.shape = (3, spec.height, spec.width) if spec.nchw else (spec.height, spec.width, 3)
        self._pad = ((spec.pad_value - mean) / std).astype(self.dtype)
        self._plans: dict[tuple[int, int], _Plan] = {}
        self._colors: dict[ColorSpace, ChannelTransform] = {}

    def __call__(self, picture: Picture, out: NDArray[np.float32] | NDArray[np.uint8]) -> LetterboxTransform:
        """Writes `picture` to `out` and returns where it landed.

        Args:
            picture: any size; only read.
            out: one image of the batch: `shape` and `dtype` of this preprocessor, C-contiguous; all of it is written.

        Raises:
            ValueError: `out` is of another shape or type, or the picture is wider than the kernels can take.
        """
        if out.shape != self.shape or out.dtype != self.dtype or not out.flags.c_contiguous:
            raise ValueError(f"expected a C-contiguous {self.dtype} array {self.shape}, got {out.dtype} {out.shape}")
        plan = self._plan(picture.width, picture.height)
        planes = tuple(_read_only(plane) for plane in picture.planes)
        self._fill_borders(plan.window, out)
        resample(
            _LAYOUTS[picture.format],
            (planes[0], planes[-1] if len(planes) < 3 else planes[1], planes[-1]),
            picture.width,
            plan.axes,
            self._color(picture.color),
            plan.scratch,
            out.reshape(-1, self.shape[2]) if self._spec.nchw else out.reshape(self.shape[0], -1),
            TargetArea(not self._spec.nchw, int(self._spec.rgb), self._spec.height, plan.window.top, plan.window.left),
        )
        return plan.fit

    def warm_up(self) -> None:
        """Compiles what a picture of any format will need, so that the first frame does not wait for it."""
        out = np.empty(self.shape, self.dtype)
        self(Picture.from_bgr(np.zeros((2, 2, 3), np.uint8)), out)

    def _plan(self, width: int, height: int) -> _Plan:
        key = (width, height)
        if key not in self._plans:
            if len(self._plans) == _PLANS_KEPT:
                del self._plans[next(iter(self._plans))]
            self._plans[key] = _make_plan(self._spec, width, height, self.dtype)
        return self._plans[key]

    def _color(self, space: ColorSpace) -> ChannelTransform:
        if space not in self._colors:
            to_bgr = space.yuv_to_rgb()[::-1].copy()
            to_bgr[:, 3] += np.float32(0.5)  # the kernel cuts off
            scale, shift = 1 / self._std, -self._mean / self._std
            if self._spec.uint8:
                shift = shift + 0.5  # here too
            if self._spec.rgb:  # the kernel blends blue, green, red
                scale, shift = scale[::-1], shift[::-1]
            self._colors[space] = ChannelTransform(to_bgr, scale.astype(np.float32), shift.astype(np.float32))
        return self._colors[space]

    def _fill_borders(self, window: PictureArea, out: NDArray[np.float32] | NDArray[np.uint8]) -> None:
        rows = out if not self._spec.nchw else out.transpose(1, 2, 0)
        right, bottom = window.left + window.width, window.top + window.height
        for border in (rows[: window.top], rows[bottom:], rows[:, : window.left], rows[:, right:]):
            if border.size:
                border[:] = self._pad


@dataclass(frozen=True, slots=True)
class _Plan:
    """What depends only on the size of a picture."""

    window: PictureArea
    fit: LetterboxTransform
    axes: SampleAxes
    scratch: Scratch


def _make_plan(spec: ModelSpec, width: int, height: int, dtype: np.dtype[Any]) -> _Plan:
    if width > MAX_WIDTH:
        raise ValueError(f"pictures wider than {MAX_WIDTH} pixels are not supported, got {width}x{height}")
    window = letterbox(spec, width, height)
    scratch = Scratch.allocate(width, window.width, dtype)
    return _Plan(window, window.fit(width, height), make_axes(width, height, window), scratch)


def make_axes(width: int, height: int, window: PictureArea) -> SampleAxes:
    """Returns where the pixels of `window` come from in a picture of `width` x `height` pixels."""
    columns, column_share = _taps(width, window.width)
    rows, row_share = _taps(height, window.height)
    single = np.float32
    return SampleAxes(
        columns.astype(np.uint16), column_share.astype(single), rows.astype(np.int32), row_share.astype(single)
    )


def _taps(samples: int, wanted: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns the left tap of each wanted sample and the share of the right one; pixel centres lie at halves."""
    centres = np.clip((np.arange(wanted) + 0.5) * (samples / wanted) - 0.5, 0, samples - 1)
    near = np.floor(centres).astype(np.int64)
    return near, centres - near


def _read_only(plane: Plane) -> Plane:
    """Returns a view that cannot be written: kernels then see one type, whoever owns the memory."""
    view = plane.view()
    view.flags.writeable = False
    return view
