"""Converts pictures to the frame size and color space of a video, with letterboxing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streamdet.color import ColorSpace, assumed_color_space
from streamdet.picture import Picture, PixelFormat


def recorded_color(picture: Picture) -> ColorSpace:
    """Returns the color space of a video whose first picture is `picture`.

    A YUV picture keeps its own, so that nothing is converted. A BGR picture has none and gets the one that players
    assume for a video of its size, in limited range.
    """
    return assumed_color_space(picture.width, picture.height) if picture.format is PixelFormat.BGR24 else picture.color


def even(length: int) -> int:
    """Returns `length`, rounded up to an even number: 4:2:0 video has no odd sizes, and cropping would lose pixels.

    >>> even(1079), even(1080)
    (1080, 1080)
    """
    return length + length % 2


def fit_to_size(picture: Picture, width: int, height: int, color: ColorSpace) -> Picture:
    """Returns `picture` as I420 of exactly `width` x `height` (both even) in `color`; itself if it is so already.

    If only one row or column is missing to an even size, the last one is repeated. Any other size is scaled with its
    aspect ratio and letterboxed with black.
    """
    i420 = _as_i420(picture, color)
    if (i420.width, i420.height) == (width, height):
        return i420
    out = Picture.allocate(width, height, PixelFormat.I420, color)
    if (even(i420.width), even(i420.height)) == (width, height):
        for number in range(3):
            source, target = i420.visible(number), out.visible(number)
            target[: source.shape[0], : source.shape[1]] = source
            target[source.shape[0] :] = target[source.shape[0] - 1]
            target[:, source.shape[1] :] = target[:, source.shape[1] - 1 : source.shape[1]]
        return out
    _letterbox(i420, out)
    return out


def _as_i420(picture: Picture, color: ColorSpace) -> Picture:
    if picture.format is PixelFormat.BGR24:
        return replace(picture, color=color).copy(PixelFormat.I420)
    if picture.color != color:
        return Picture.from_bgr(picture.bgr(), color).copy(PixelFormat.I420)
    return picture if picture.format is PixelFormat.I420 else picture.copy(PixelFormat.I420)


def _letterbox(picture: Picture, out: Picture) -> None:
    import cv2

    scale = min(out.width / picture.width, out.height / picture.height)
    half_width = max(1, round(picture.width * scale / 2))
    half_height = max(1, round(picture.height * scale / 2))
    left, top = (out.width // 2 - half_width) // 2, (out.height // 2 - half_height) // 2
    black = (0 if out.color.full_range else 16, 128, 128)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    for number, unit in enumerate((2, 1, 1)):
        target = out.visible(number)
        target[:] = black[number]
        size = (unit * half_width, unit * half_height)
        scaled = cv2.resize(np.ascontiguousarray(picture.visible(number)), size, interpolation=interpolation)
        target[unit * top : unit * top + size[1], unit * left : unit * left + size[0]] = scaled
