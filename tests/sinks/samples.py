"""Small pictures and results for tests of sinks, and functions that read back what was written."""

import os
import shutil
import struct
import subprocess
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streamdet.color import ColorSpace, Matrix
from streamdet.picture import Picture, PixelFormat
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.video import VideoSink
from streamdet.types import Detections, Frame, Result, SourceInfo

TIME_BASE = Fraction(1, 30000)
WIDTH, HEIGHT = 96, 64
LABELS = ("person", 'a "quoted" cup')


def info(
    width: int = WIDTH, height: int = HEIGHT, rate: Fraction | None = Fraction(30000, 1001), **changes
) -> SourceInfo:
    changes.setdefault("time_base", TIME_BASE)
    return SourceInfo("cam", width, height, average_rate=rate, **changes)


def bgr_picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    """Returns a gray picture whose left half has the frame's number as its brightness."""
    bgr = np.full((height, width, 3), 128, np.uint8)
    bgr[:, : width // 2] = (16 + 7 * number) % 240
    return Picture.from_bgr(bgr)


def picture(number: int, format: PixelFormat = PixelFormat.I420, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    bgr = bgr_picture(number, width, height)
    if format is PixelFormat.BGR24:
        return bgr
    i420 = Picture.from_bgr(bgr.bgr(), ColorSpace(Matrix.BT601)).copy(PixelFormat.I420)
    if format is PixelFormat.I420:
        return i420
    nv12 = Picture.allocate(width, height, PixelFormat.NV12, i420.color)
    nv12.visible(0)[:] = i420.visible(0)
    nv12.visible(1)[:, ::2], nv12.visible(1)[:, 1::2] = i420.visible(1), i420.visible(2)
    return nv12


def detections(count: int = 2) -> Detections:
    boxes = np.array([[1.234, 2.5, 30, 40.126], [5, 6, 7, 8]], np.float32)[:count]
    return Detections(
        boxes,
        np.array([0.912345, 0.5], np.float32)[:count],
        np.array([0, 1], np.int32)[:count],
        np.array([7, -1], np.int64)[:count],
        LABELS,
    )


def result(
    number: int,
    pts: int | None = None,
    *,
    shown: Picture | None = None,
    annotated: bool = True,
    time_base: Fraction = TIME_BASE,
    duration: int = 0,
    file: Path | None = None,
    age_s: float = 0.0,
) -> Result:
    shown = picture(number) if shown is None else shown
    pts = 1001 * number if pts is None else pts
    frame = Frame(shown, "cam", number, pts, time_base, captured_ns=0, duration=duration, file=file)
    return Result(frame, detections(), age_s, annotated=shown.copy() if annotated else None)


def times(path: Path, kind: str = "video") -> list[Fraction]:
    """Returns the presentation times in seconds of all packets of the first stream of a kind, in file order."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [p.pts * Fraction(p.time_base) for p in container.demux(stream) if p.size]


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def luma(frame: av.VideoFrame) -> np.ndarray:
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]


def brightness(frames: Iterable[av.VideoFrame]) -> list[int]:
    """Returns the mean luma of the left half of each frame."""
    return [round(float(luma(f)[:, : f.width // 2 - 4].mean())) for f in frames]


def video_with_audio(path: Path, codec: str = "aac", seconds: float = 2.0) -> Path:
    """Writes a small video with 25 frames per second and a tone."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"bf": "0"})
        video.width, video.height = WIDTH, HEIGHT
        audio = container.add_stream(codec, rate=48000)
        audio.layout = "mono"
        count = 0
        for number in range(int(25 * seconds)):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
            while count < 1920 * (number + 1):
                samples = np.sin(np.arange(count, count + 1024) / 20)[None, :]
                format = "fltp" if codec == "aac" else "s16"
                data = samples.astype(np.float32) if format == "fltp" else (8000 * samples).astype(np.int16)
                tone = av.AudioFrame.from_ndarray(data, format=format, layout="mono")
                tone.sample_rate, tone.pts, tone.time_base = 48000, count, Fraction(1, 48000)
                container.mux(audio.encode(tone))
                count += 1024
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


def as_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def record(path: Path, results, options: SinkOptions | None = None, source_info=None) -> Path:
    """Records results into a video file and returns its path."""
    with VideoSink(path, options) as sink:
        sink.open(source_info or info())
        for one in results:
            sink.write(one)
    return path


def top_boxes(path: Path) -> list[str]:
    """Returns the names of the outermost boxes of an MP4."""
    data, names, offset = path.read_bytes(), [], 0
    while offset + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[offset : offset + 8])
        if size == 1:
            size = struct.unpack(">Q", data[offset + 8 : offset + 16])[0]
        names.append(name.decode("latin-1"))
        offset += size if size else len(data)
    return names


def ffprobe(path: Path, *entries: str) -> list[str]:
    """Returns what the ffprobe program reads from a video; skips the test if it is not installed."""
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    command = ["ffprobe", "-v", "error", "-select_streams", "v", *entries, "-of", "csv=p=0", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
