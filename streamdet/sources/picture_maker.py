"""Turns decoded frames into the pictures of the pipeline: 4:2:0, 8 bits, in display orientation."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from streamdet.color import ColorSpace, Matrix, assumed_color_space
from streamdet.picture import Picture, PixelFormat
from streamdet.sources.orientation import quarter_turns, rotate

_NO_COPY_FORMATS = {"yuv420p", "yuvj420p", "nv12"}
_MATRIX = {Matrix.BT601: Colorspace.ITU601, Matrix.BT709: Colorspace.ITU709, Matrix.BT2020: Colorspace.BT2020}
_LIMITED_RANGE = 1


class PictureMaker:
    """Makes pictures from decoded frames, without a copy if the frame is 4:2:0 and not rotated.

    Use one per source: PyAV up to 18 keeps 15 MB for every converter.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def make(self, frame: av.VideoFrame) -> Picture:
        """Returns `frame` as an I420 or NV12 picture in display orientation, sharing its memory if possible."""
        return rotate(self._as_420(frame), quarter_turns(frame.rotation))

    def _as_420(self, frame: av.VideoFrame) -> Picture:
        name = frame.format.name
        if name in _NO_COPY_FORMATS and all(plane.line_size > 0 for plane in frame.planes):
            return Picture.from_av(frame)
        if name == "gray" and frame.planes[0].line_size > 0:
            return _from_gray(frame)
        if frame.format.is_rgb or name == "pal8":
            # RGB has no matrix: use the one that players assume for this size, and tag the picture with it.
            matrix = _MATRIX[assumed_color_space(frame.width, frame.height).matrix]
            converted = self._reformatter.reformat(
                frame, format="yuv420p", dst_colorspace=matrix, dst_color_range=ColorRange.MPEG, threads=1
            )
        else:
            converted = self._reformatter.reformat(frame, format="yuv420p", threads=1)
        return Picture.from_av(converted)


def _from_gray(frame: av.VideoFrame) -> Picture:
    """Adds neutral chroma. Not with swscale, which treats every gray picture as full range, whatever its tag."""
    color = ColorSpace(assumed_color_space(frame.width, frame.height).matrix, int(frame.color_range) != _LIMITED_RANGE)
    picture = Picture.allocate(frame.width, frame.height, PixelFormat.I420, color)
    plane = frame.planes[0]
    luma = np.frombuffer(plane, np.uint8, frame.height * plane.line_size).reshape(frame.height, plane.line_size)  # type: ignore[call-overload]
    picture.visible(0)[:] = luma[:, : frame.width]
    picture.planes[1][:] = 128
    picture.planes[2][:] = 128
    return picture
