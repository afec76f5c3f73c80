"""A decoded picture: planes of bytes, their pixel format and their color space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from streamdet.color import ColorSpace, Matrix, Plane, assumed_color_space, bgr_to_i420, i420_to_bgr

if TYPE_CHECKING:
    import av


class PixelFormat(Enum):
    """The layout of the planes of a picture; the value is FFmpeg's name."""

    I420 = "yuv420p"
    NV12 = "nv12"
    BGR24 = "bgr24"


# FFmpeg's numbers of AVColorSpace (ITU-T H.273 matrix coefficients) and AVColorRange.
_MATRIX_BY_CODE = {1: Matrix.BT709, 5: Matrix.BT601, 6: Matrix.BT601, 9: Matrix.BT2020, 10: Matrix.BT2020}
_CODE_BY_MATRIX = {Matrix.BT709: 1, Matrix.BT601: 6, Matrix.BT2020: 9}
_FULL_RANGE = 2
_LIMITED_RANGE = 1


def plane_shapes(format: PixelFormat, width: int, height: int) -> list[tuple[int, int]]:
    """Returns (rows, bytes per row without padding) of each plane.

    >>> plane_shapes(PixelFormat.I420, 5, 3)
    [(3, 5), (2, 3), (2, 3)]
    """
    half_width, half_height = (width + 1) // 2, (height + 1) // 2
    match format:
        case PixelFormat.I420:
            return [(height, width), (half_height, half_width), (half_height, half_width)]
        case PixelFormat.NV12:
            return [(height, width), (half_height, 2 * half_width)]
        case PixelFormat.BGR24:
            return [(height, 3 * width)]


@dataclass(slots=True, eq=False)
class Picture:
    """Pixels of one frame in display orientation, 8 bits per sample.

    Attributes:
        width: pixels per row.
        height: rows.
        format: layout of `planes`.
        planes: one C-contiguous (rows, line bytes) uint8 array per plane. A line may be longer than the picture is wide
            (decoders pad it): kernels take the plane and the width, so that they get contiguous memory without a copy.
        color: the meaning of the YUV samples; for BGR24, of the samples that it is converted to.
        owner: keeps the memory of `planes` alive; an `av.VideoFrame` if the memory belongs to one.
    """

    width: int
    height: int
    format: PixelFormat
    planes: tuple[Plane, ...] = field(repr=False)
    color: ColorSpace = field(default_factory=ColorSpace)
    owner: Any = field(default=None, repr=False)
    _bgr: NDArray[np.uint8] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a picture needs at least one pixel, got {self.width}x{self.height}")
        shapes = plane_shapes(self.format, self.width, self.height)
        if len(self.planes) != len(shapes):
            raise ValueError(f"{self.format.name} has {len(shapes)} planes, got {len(self.planes)}")
        for plane, (rows, line) in zip(self.planes, shapes, strict=True):
            fits = plane.ndim == 2 and plane.dtype == np.uint8 and plane.shape[0] == rows and plane.shape[1] >= line
            if not fits or not plane.flags.c_contiguous:
                raise ValueError(
                    f"{self.format.name} {self.width}x{self.height} needs C-contiguous uint8 planes of shapes {shapes} "
                    f"(lines may be longer), got {plane.dtype.name} {plane.shape}"
                )

    @classmethod
    def from_bgr(cls, bgr: NDArray[np.uint8], color: ColorSpace | None = None) -> Self:
        """Wraps a (height, width, 3) uint8 BGR array; copies it only if it is not contiguous."""
        if bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.dtype != np.uint8:
            raise ValueError(f"expected a uint8 array of shape (height, width, 3), got {bgr.dtype} {bgr.shape}")
        height, width = bgr.shape[:2]
        contiguous = np.ascontiguousarray(bgr)
        color = ColorSpace(full_range=True) if color is None else color
        return cls(width, height, PixelFormat.BGR24, (contiguous.reshape(height, 3 * width),), color, contiguous)

    @classmethod
    def from_av(cls, frame: av.VideoFrame) -> Self:
        """Wraps a decoded frame without copying it. Its format must be yuv420p, yuvj420p, nv12 or bgr24."""
        name = frame.format.name
        format = PixelFormat("yuv420p" if name == "yuvj420p" else name)
        assumed = assumed_color_space(frame.width, frame.height)
        matrix = _MATRIX_BY_CODE.get(int(frame.colorspace), assumed.matrix)
        full_range = name == "yuvj420p" or int(frame.color_range) == _FULL_RANGE
        planes = tuple(
            np.frombuffer(plane, np.uint8, rows * plane.line_size).reshape(rows, plane.line_size)  # type: ignore[call-overload]
            for plane, (rows, _) in zip(frame.planes, plane_shapes(format, frame.width, frame.height), strict=True)
        )
        return cls(frame.width, frame.height, format, planes, ColorSpace(matrix, full_range), frame)

    @classmethod
    def allocate(cls, width: int, height: int, format: PixelFormat, color: ColorSpace) -> Self:
        """Returns a picture in new memory that an encoder can take without another copy."""
        import av

        return cls._new(av.VideoFrame(width, height, format.value), color)

    @classmethod
    def in_memory(cls, memory: Plane, color: ColorSpace) -> Self:
        """Returns an I420 picture whose planes follow each other in `memory`, without padding.

        Everything that shares the picture, for example an encoder, keeps `memory` alive.

        Args:
            memory: (3 * height / 2, width) uint8, C-contiguous; width and height of the picture are even.
            color: the meaning of its samples.
        """
        import av

        return cls._new(av.VideoFrame.from_numpy_buffer(memory, format=PixelFormat.I420.value), color)

    @classmethod
    def _new(cls, frame: av.VideoFrame, color: ColorSpace) -> Self:
        if frame.format.name != PixelFormat.BGR24.value:
            frame.colorspace = _CODE_BY_MATRIX[color.matrix]
        frame.color_range = _FULL_RANGE if color.full_range else _LIMITED_RANGE
        picture = cls.from_av(frame)
        picture.color = color
        return picture

    def visible(self, plane: int) -> Plane:
        """Returns a view of one plane without its line padding, (rows, bytes per row)."""
        return self.planes[plane][:, : plane_shapes(self.format, self.width, self.height)[plane][1]]

    def crop(self, left: int, top: int, right: int, bottom: int) -> Picture:
        """Returns a crop of the picture, for reading: a view of the same memory where possible.

        Args:
            left: first column, even.
            top: first row, even.
            right: column after the last.
            bottom: row after the last.
        """
        if not (0 <= left < right <= self.width and 0 <= top < bottom <= self.height) or left % 2 or top % 2:
            raise ValueError(
                f"a crop must start on even pixels and lie in the picture of {self.width}x{self.height}, "
                f"got {left}, {top}, {right}, {bottom}"
            )
        width, height = right - left, bottom - top
        starts = plane_shapes(self.format, left, top)
        shapes = plane_shapes(self.format, width, height)
        planes = tuple(
            _crop_plane(plane, row, byte, rows, line)
            for plane, (row, byte), (rows, line) in zip(self.planes, starts, shapes, strict=True)
        )
        return Picture(width, height, self.format, planes, self.color, self)  # not `self.owner`: it has another size

    def copy(self, format: PixelFormat | None = None, allocate: Allocate | None = None) -> Picture:
        """Returns a copy to draw on, converted to `format` if that differs.

        Args:
            format: layout of the copy, I420 or BGR24; None for the same layout.
            allocate: creates the copy; None allocates new memory.
        """
        wanted = self.format if format is None else format
        copied = (allocate or Picture.allocate)(self.width, self.height, wanted, self.color)
        if wanted is self.format:
            for target, source in zip(copied.planes, self.planes, strict=True):
                line = min(target.shape[1], source.shape[1])
                target[:, :line] = source[:, :line]
        elif wanted is PixelFormat.BGR24:
            copied.visible(0)[:] = self.bgr().reshape(self.height, 3 * self.width)
        elif wanted is PixelFormat.I420:
            self._write_i420(copied.planes)
        else:
            raise ValueError(f"cannot convert {self.format.name} to {wanted.name}; ask for I420 or BGR24")
        return copied

    def bgr(self) -> NDArray[np.uint8]:
        """Returns the picture as (height, width, 3) uint8 BGR. It is converted once and cached; read only."""
        if self._bgr is None:
            if self.format is PixelFormat.BGR24:
                self._bgr = self.visible(0).reshape(self.height, self.width, 3)
            else:
                out = np.empty((self.height, 3 * self.width), np.uint8)
                y, u, v = self._i420_planes()
                i420_to_bgr(y, u, v, self.width, self.height, self.color.yuv_to_rgb(), out)
                self._bgr = out.reshape(self.height, self.width, 3)
        return self._bgr

    def _i420_planes(self) -> tuple[Plane, Plane, Plane]:
        if self.format is PixelFormat.NV12:
            interleaved = self.planes[1][:, : 2 * ((self.width + 1) // 2)]
            return self.planes[0], np.ascontiguousarray(interleaved[:, ::2]), np.ascontiguousarray(interleaved[:, 1::2])
        y, u, v = self.planes
        return y, u, v

    def _write_i420(self, planes: tuple[Plane, ...]) -> None:
        if self.format is PixelFormat.BGR24:
            y, u, v = planes
            bgr_to_i420(self.planes[0], self.width, self.height, self.color.rgb_to_yuv(), y, u, v)
            return
        for target, source in zip(planes, self._i420_planes(), strict=True):
            line = min(target.shape[1], source.shape[1])
            target[:, :line] = source[:, :line]

    def to_av(self) -> av.VideoFrame:
        """Returns the picture as an `av.VideoFrame`: its owner if that is one, else a copy."""
        import av

        return self.owner if isinstance(self.owner, av.VideoFrame) else self.copy().owner


Allocate = Callable[[int, int, PixelFormat, ColorSpace], Picture]
"""Creates a picture of the given width, height, format and color space, with undefined content."""


def _crop_plane(plane: Plane, row: int, byte: int, rows: int, line: int) -> Plane:
    """Returns `rows` lines, starting at a byte of a row.

    Each line is as long in memory as a line of the plane, so its end belongs to the next line. The last line of the
    plane has no next line: a crop that reaches it is copied.
    """
    length = plane.shape[1]
    start, size = row * length + byte, rows * length
    flat = plane.reshape(-1)
    if start + size > flat.size:
        return np.ascontiguousarray(plane[row : row + rows, byte : byte + line])
    return flat[start : start + size].reshape(rows, length)


def warm_up() -> None:
    """Compiles the kernels that convert pictures, so that no frame waits for them."""
    for format, other in ((PixelFormat.I420, PixelFormat.BGR24), (PixelFormat.BGR24, PixelFormat.I420)):
        Picture.allocate(16, 16, format, ColorSpace()).copy(other)
