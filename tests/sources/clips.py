"""Tiny clips for tests of sources.

Numbered frames show their number as eight vertical bars, black for 0 and white for 1.
"""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from streamdet.picture import Picture

BITS = 8


def numbered(number: int, width: int = 128, height: int = 96, tint: int = 0) -> np.ndarray:
    """Returns a numbered BGR frame. Its lower quarter is `tint`ed blue, so that the orientation is visible."""
    bits = np.array([number >> (BITS - 1 - i) & 1 for i in range(BITS)], np.uint8)
    row = bits[np.arange(width) * BITS // width] * 255
    bgr = np.repeat(np.repeat(row[None, :, None], height, 0), 3, 2)
    if tint:
        bgr[height * 3 // 4 :] = (tint, 0, 0)
    return np.ascontiguousarray(bgr)


def read_number(picture: Picture) -> int:
    """Reads the number of a frame from the upper rows of its picture."""
    line = picture.bgr()[picture.height // 8].mean(axis=1)
    width = picture.width
    bits = [line[int((i + 0.5) * width / BITS)] > 127 for i in range(BITS)]
    return sum(int(bit) << (BITS - 1 - i) for i, bit in enumerate(bits))


def encode(
    path: Path,
    count: int = 12,
    size: tuple[int, int] = (128, 96),
    *,
    fps: int = 25,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    pts: list[int] | None = None,
    time_base: Fraction | None = None,
    first: int = 0,
    container: dict[str, str] | None = None,
    audio: bool = False,
    video: bool = True,
) -> Path:
    """Writes a clip of `count` numbered frames; `pts` (in `time_base`) makes the frame rate variable."""
    default = {"preset": "ultrafast", "g": "6"} if codec == "libx264" else {}
    with av.open(str(path), "w", options=container or {}) as out:
        audio_stream = out.add_stream("aac", rate=16000) if audio else None
        if video:
            stream = out.add_stream(codec, rate=fps, options=default | (options or {}))
            stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
            if time_base is not None:
                stream.codec_context.time_base = time_base
            for i in range(count):
                frame = av.VideoFrame.from_ndarray(numbered(first + i, *size), "bgr24").reformat(format=pix_fmt)
                frame.pts = i if pts is None else pts[i]
                frame.time_base = time_base or Fraction(1, fps)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        if audio_stream is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate = 16000
            for i in range(8):
                silence.pts = i * 1024
                out.mux(audio_stream.encode(silence))
            out.mux(audio_stream.encode(None))
    return path


def corners(bgr: np.ndarray) -> list[str]:
    """Returns the color names of the four quarters: top left, top right, bottom left, bottom right."""
    height, width = bgr.shape[:2]
    names = {(0, 0, 1): "red", (0, 1, 0): "green", (1, 0, 0): "blue", (1, 1, 1): "white"}
    centers = [(height * y // 4, width * x // 4) for y in (1, 3) for x in (1, 3)]
    return [names[tuple(int(v > 127) for v in bgr[position])] for position in centers]


def quarters(width: int, height: int) -> np.ndarray:
    """Returns a BGR picture: red and green above, blue and white below."""
    bgr = np.zeros((height, width, 3), np.uint8)
    bgr[: height // 2, : width // 2] = (0, 0, 255)
    bgr[: height // 2, width // 2 :] = (0, 255, 0)
    bgr[height // 2 :, : width // 2] = (255, 0, 0)
    bgr[height // 2 :, width // 2 :] = (255, 255, 255)
    return bgr
