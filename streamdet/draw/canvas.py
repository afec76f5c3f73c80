"""One canvas for every pixel format that can be drawn on; colors are given as RGB and look the same on all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamdet.color import ColorSpace, Plane
from streamdet.draw import blend, stroke
from streamdet.draw.blend import Rect
from streamdet.draw.palette import Rgb
from streamdet.picture import Picture, PixelFormat

_Yuv = tuple[int, int, int]


class _YuvColors(dict[Rgb, _Yuv]):
    """The Y, Cb, Cr bytes of RGB colors in one color space, computed on first use."""

    def __init__(self, color: ColorSpace) -> None:
        self._matrix = color.rgb_to_yuv()

    def __missing__(self, rgb: Rgb) -> _Yuv:
        if len(self) >= 4096:
            self.clear()
        m = self._matrix
        yuv = np.clip(m[:, :3] @ np.array(rgb, np.float32) + m[:, 3] + np.float32(0.5), 0, 255)
        found = self[rgb] = int(yuv[0]), int(yuv[1]), int(yuv[2])
        return found


@lru_cache(maxsize=16)
def yuv_colors(color: ColorSpace) -> Mapping[Rgb, _Yuv]:
    """Returns the Y, Cb, Cr bytes of RGB colors in a picture of this color space.

    >>> yuv_colors(ColorSpace())[255, 255, 255]
    (235, 128, 128)
    """
    return _YuvColors(color)


def _opacity(alpha: float) -> int:
    if alpha == 1.0:
        return blend.OPAQUE
    return min(max(round(blend.OPAQUE * alpha), 0), blend.OPAQUE)


class Canvas(ABC):
    """Draws on the planes of one picture, in place.

    Attributes:
        width: of the picture in pixels.
        height: of the picture in pixels.
    """

    def __init__(self, picture: Picture) -> None:
        self.width = picture.width
        self.height = picture.height
        self._size = picture.width, picture.height

    @abstractmethod
    def fill(self, rect: Rect, rgb: Rgb, alpha: float = 1.0) -> None:
        """Fills a rectangle; `alpha` 1 hides what was there."""

    @abstractmethod
    def outline(self, rect: Rect, thickness: int, rgb: Rgb, alpha: float = 1.0) -> None:
        """Draws the border of a rectangle, `thickness` pixels wide, inside `rect`."""

    def stamp(self, mask: Plane, left: int, top: int, rgb: Rgb, alpha: float = 1.0) -> None:
        """Blends a color through a C-contiguous (rows, columns) uint8 coverage mask, 255 = covered."""
        self._stamp(mask, blend.full_spans(*mask.shape), (left, top), rgb, alpha)

    @abstractmethod
    def _stamp(self, mask: Plane, spans: blend.Spans, corner: blend.Corner, rgb: Rgb, alpha: float) -> None:
        """The same with only some columns of each row; see `blend.stamp_i420`."""

    def stroke(self, path: NDArray[np.float64], rgb: Rgb, alpha: float = 1.0) -> None:
        """Draws a smooth line through points.

        Args:
            path: (N, 4) float64, C-contiguous: x, y in pixels, radius in pixels, opacity 0..1. Segments with a point
                that is not finite or too far away are left out, see `stroke.stroke_mask`.
            rgb: color.
            alpha: opacity of the complete line.
        """
        left, top, right, bottom = stroke.stroke_bounds(path, self.width, self.height)
        if left >= right or top >= bottom:
            return
        mask = np.zeros((bottom - top, right - left), np.uint8)
        spans = np.empty((bottom - top, 2), np.int64)
        spans[:, 0], spans[:, 1] = right - left, 0
        stroke.stroke_mask(path, left, top, mask, spans)
        self._stamp(mask, spans, (left, top), rgb, alpha)


class I420Canvas(Canvas):
    """Draws on the planes of an I420 picture."""

    def __init__(self, picture: Picture) -> None:
        super().__init__(picture)
        y, u, v = picture.planes
        self._planes = y, u, v
        self._colors = yuv_colors(picture.color)

    def fill(self, rect: Rect, rgb: Rgb, alpha: float = 1.0) -> None:  # noqa: D102
        blend.fill_i420(self._planes, self._size, rect, (*self._colors[rgb], _opacity(alpha)))

    def outline(self, rect: Rect, thickness: int, rgb: Rgb, alpha: float = 1.0) -> None:  # noqa: D102
        blend.outline_i420(self._planes, self._size, rect, thickness, (*self._colors[rgb], _opacity(alpha)))

    def _stamp(self, mask: Plane, spans: blend.Spans, corner: blend.Corner, rgb: Rgb, alpha: float) -> None:
        blend.stamp_i420(self._planes, self._size, mask, spans, corner, (*self._colors[rgb], _opacity(alpha)))


class BgrCanvas(Canvas):
    """Draws on the one plane of a BGR picture."""

    def __init__(self, picture: Picture) -> None:
        super().__init__(picture)
        (self._bgr,) = picture.planes

    def fill(self, rect: Rect, rgb: Rgb, alpha: float = 1.0) -> None:  # noqa: D102
        blend.fill_bgr(self._bgr, self._size, rect, (*rgb[::-1], _opacity(alpha)))

    def outline(self, rect: Rect, thickness: int, rgb: Rgb, alpha: float = 1.0) -> None:  # noqa: D102
        blend.outline_bgr(self._bgr, self._size, rect, thickness, (*rgb[::-1], _opacity(alpha)))

    def _stamp(self, mask: Plane, spans: blend.Spans, corner: blend.Corner, rgb: Rgb, alpha: float) -> None:
        blend.stamp_bgr(self._bgr, self._size, mask, spans, corner, (*rgb[::-1], _opacity(alpha)))


def canvas_for(picture: Picture) -> Canvas:
    """Returns a canvas that draws on `picture` in place.

    Raises:
        ValueError: the picture is NV12 or read-only: draw on ``picture.copy(PixelFormat.I420)``.
    """
    if picture.format is PixelFormat.NV12 or not all(plane.flags.writeable for plane in picture.planes):
        raise ValueError(f"cannot draw on this {picture.format.name} picture: draw on picture.copy(PixelFormat.I420)")
    picture._bgr = None  # an earlier conversion would not show what is drawn
    return BgrCanvas(picture) if picture.format is PixelFormat.BGR24 else I420Canvas(picture)
