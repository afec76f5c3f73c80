"""Limits of the size of pictures."""

from __future__ import annotations

from streamdet.errors import SourceError

MAX_SIDE_PX = 16384
"""Longest side of a picture: the limit of H.264 and HEVC encoders. OpenCV's remap has 16-bit coordinates."""


def check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    """Raises `SourceError` if a picture is empty, longer than `MAX_SIDE_PX` on a side, or over `max_pixels`."""
    if width < 1 or height < 1:
        raise SourceError(f"{name}: the picture is {width}x{height} pixels: the source is damaged")
    if max(width, height) > MAX_SIDE_PX:
        raise SourceError(f"{name}: {width}x{height} pixels: the limit is {MAX_SIDE_PX} per side: scale it down first")
    if width * height > max_pixels:
        raise SourceError(
            f"{name}: {width}x{height} is over the limit of {max_pixels} pixels: scale it down, or raise max_pixels"
        )
