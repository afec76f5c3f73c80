"""Baselines of a pipeline: decoding and encoding with PyAV or OpenCV, with and without drawing on BGR."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from streamdet.bench.candidate_process import Workload, WorkloadResult
from streamdet.bench.stub_detector import boxes_of_step
from streamdet.sinks import encoders
from streamdet.sinks.options import SinkOptions


def transcode(clip: Path, out: Path, recording: SinkOptions) -> Workload:
    """Decodes and encodes in one thread, with FFmpeg's threads set as in streamdet."""
    return lambda: WorkloadResult(_bare(clip, out, recording))


def transcode_drawn(clip: Path, out: Path, recording: SinkOptions, drawn: Sequence[av.VideoFrame]) -> Workload:
    """Does the same, but encodes pictures that were drawn on beforehand."""
    return lambda: WorkloadResult(_bare(clip, out, recording, drawn))


def drawn_on_bgr(clip: Path, out: Path, recording: SinkOptions) -> Workload:
    """Does the same with a conversion to BGR, drawing with OpenCV, and a conversion back."""
    return lambda: WorkloadResult(_bgr(clip, out, recording))


def opencv(clip: Path, out: Path) -> Workload:
    """Reads, draws and writes with OpenCV."""
    return lambda: WorkloadResult(_opencv(clip, out))


def _encoder(container: av.container.OutputContainer, source: av.VideoStream, recording: SinkOptions) -> av.VideoStream:
    options = encoders.encoder_settings(
        encoders.choose_encoder(recording), recording, rate=source.average_rate, live=False
    )
    stream = container.add_stream(options.name, rate=source.average_rate, options=options.options)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height, stream.pix_fmt = source.width, source.height, "yuv420p"
    stream.codec_context.gop_size = round(source.average_rate or 30)
    if source.time_base is not None:
        stream.codec_context.time_base = source.time_base
    return stream


def _bare(clip: Path, out: Path, recording: SinkOptions, drawn: Sequence[av.VideoFrame] = ()) -> int:
    frames = 0
    with av.open(str(clip)) as reader, av.open(str(out), "w") as writer:
        reader.streams.video[0].thread_type = "AUTO"
        stream = _encoder(writer, reader.streams.video[0], recording)
        for frame in reader.decode(video=0):
            picture = drawn[frames] if drawn else frame
            picture.pts, picture.time_base = frame.pts, frame.time_base
            picture.pict_type = av.video.frame.PictureType.NONE
            writer.mux(stream.encode(picture))
            frames += 1
        writer.mux(stream.encode())
    return frames


def _bgr(clip: Path, out: Path, recording: SinkOptions) -> int:
    frames = 0
    with av.open(str(clip)) as reader, av.open(str(out), "w") as writer:
        reader.streams.video[0].thread_type = "AUTO"
        stream = _encoder(writer, reader.streams.video[0], recording)
        for frame in reader.decode(video=0):
            bgr = frame.to_ndarray(format="bgr24")
            _draw(bgr, frames)
            drawn = av.VideoFrame.from_ndarray(bgr, format="bgr24")
            drawn.pts, drawn.time_base = frame.pts, frame.time_base
            writer.mux(stream.encode(drawn))
            frames += 1
        writer.mux(stream.encode())
    return frames


def _opencv(clip: Path, out: Path) -> int:
    reader = cv2.VideoCapture(str(clip))
    size = int(reader.get(cv2.CAP_PROP_FRAME_WIDTH)), int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT))
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), reader.get(cv2.CAP_PROP_FPS), size)
    frames = 0
    while True:
        found, bgr = reader.read()
        if not found:
            break
        _draw(bgr, frames)
        writer.write(bgr)
        frames += 1
    reader.release()
    writer.release()
    return frames


def _draw(bgr: np.ndarray, step: int) -> None:
    for left, top, right, bottom in boxes_of_step(step).boxes_xyxy.astype(int).tolist():
        cv2.rectangle(bgr, (left, top), (right, bottom), (60, 200, 60), 3)
        cv2.rectangle(bgr, (left, top - 30), (left + 130, top), (60, 200, 60), -1)
        cv2.putText(bgr, "person 12", (left + 4, top - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 2)
