"""From the decoder's frame to the picture the pipeline sees: 4:2:0, 8 bits, upright."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from streamdet.color import ColorSpace, Matrix, Plane, guess
from streamdet.errors import SourceError
from streamdet.picture import Picture, PixelFormat
from streamdet.sources.options import MAX_SIDE_PX

_WITHOUT_COPY = {"yuv420p", "yuvj420p", "nv12"}
_MATRIX = {Matrix.BT601: Colorspace.ITU601, Matrix.BT709: Colorspace.ITU709, Matrix.BT2020: Colorspace.BT2020}
_LIMITED_RANGE = 1


def check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    """Raises `SourceError` for a picture that is empty, too long on a side, or over `max_pixels`."""
    if width < 1 or height < 1:
        raise SourceError(f"{name}: the picture is {width}x{height} pixels: nothing to see, the source is damaged")
    if max(width, height) > MAX_SIDE_PX:
        raise SourceError(
            f"{name}: {width}x{height} pixels: a side may have {MAX_SIDE_PX} at most: scale it down first"
        )
    if width * height > max_pixels:
        raise SourceError(
            f"{name}: {width}x{height} is over the limit of {max_pixels} pixels: scale it down, or raise max_pixels"
        )


class PictureMaker:
    """Makes pictures of decoded frames, without a copy where the decoder gives upright 4:2:0.

    One for each source: PyAV up to 18 keeps 15 MB for every converter it makes.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def make(self, frame: av.VideoFrame) -> Picture:
        """Returns `frame` as an upright I420 or NV12 picture; its memory is shared with `frame` where possible."""
        return rotated(self._as_420(frame), quarter_turns(frame.rotation))

    def _as_420(self, frame: av.VideoFrame) -> Picture:
        name = frame.format.name
        if name in _WITHOUT_COPY and all(plane.line_size > 0 for plane in frame.planes):
            return Picture.from_av(frame)
        if name == "gray" and frame.planes[0].line_size > 0:
            return _from_gray(frame)
        if frame.format.is_rgb or name == "pal8":
            # RGB has no matrix: take the one that readers of the result will assume, and say so.
            matrix = _MATRIX[guess(frame.width, frame.height).matrix]
            converted = self._reformatter.reformat(
                frame, format="yuv420p", dst_colorspace=matrix, dst_color_range=ColorRange.MPEG, threads=1
            )
        else:
            converted = self._reformatter.reformat(frame, format="yuv420p", threads=1)
        return Picture.from_av(converted)


def _from_gray(frame: av.VideoFrame) -> Picture:
    """Adds colourless chroma. By hand, because swscale takes every gray picture for full range, tagged or not."""
    color = ColorSpace(guess(frame.width, frame.height).matrix, int(frame.color_range) != _LIMITED_RANGE)
    picture = Picture.allocate(frame.width, frame.height, PixelFormat.I420, color)
    plane = frame.planes[0]
    luma = np.frombuffer(plane, np.uint8, frame.height * plane.line_size).reshape(frame.height, plane.line_size)  # type: ignore[call-overload]
    picture.visible(0)[:] = luma[:, : frame.width]
    picture.planes[1][:] = 128
    picture.planes[2][:] = 128
    return picture


def quarter_turns(rotation: int) -> int:
    """Returns how often to turn counter-clockwise by 90 degrees; 0 for angles that are not quarter turns.

    >>> [quarter_turns(angle) for angle in (0, 90, 180, -90, 45)]
    [0, 1, 2, 3, 0]
    """
    return (rotation // 90) % 4 if rotation % 90 == 0 else 0


def rotated(picture: Picture, turns: int) -> Picture:
    """Returns the I420 or NV12 `picture` turned counter-clockwise by `turns` quarters; itself for 0."""
    if turns == 0:
        return picture
    width, height = (picture.height, picture.width) if turns % 2 else (picture.width, picture.height)
    turned = Picture.allocate(width, height, PixelFormat.I420, picture.color)
    for plane, source in enumerate(_planar(picture)):
        turned.visible(plane)[:] = np.rot90(source, turns)
    return turned


def _planar(picture: Picture) -> list[Plane]:
    if picture.format is PixelFormat.I420:
        return [picture.visible(plane) for plane in range(3)]
    chroma = picture.visible(1)
    return [picture.visible(0), chroma[:, ::2], chroma[:, 1::2]]
