"""File to annotated file at 1080p with detection stubbed, against bare transcoding and against drawing on BGR.

What is left when the network costs nothing: decode, track, draw, encode. All candidates read the same file; those with
PyAV encode with the same x264 settings and a key frame each second. The preset is x264's fastest, so that the encoder
hides as little of the rest as it can; what it still costs grows with what is drawn, most of all labels and trails.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np

from streamdet.bench.harness import Timing, take_turns
from streamdet.draw.annotate import AnnotateOptions, Annotator
from streamdet.picture import Picture
from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.stream import StreamPlan
from streamdet.sinks import encoders
from streamdet.sinks.open import open_sink
from streamdet.sinks.options import SinkOptions
from streamdet.sources.open import open_source
from streamdet.tracking.options import TrackerOptions
from streamdet.tracking.tracker import ByteTracker
from streamdet.types import Detections, StageTimes

_FRAMES = 150
_OBJECTS = 12
_LABELS = ("person", "bicycle", "car")
_BOXES_ONLY = AnnotateOptions(labels=False, ids=False, scores=False, trails=False)
_RECORDING = SinkOptions(preset="ultrafast", audio=False)


@dataclass(frozen=True, slots=True)
class _Found:
    detections: Detections
    times: StageTimes = StageTimes()  # noqa: RUF009  # frozen


class _Stub:
    """A detector that costs nothing: a dozen boxes that drift across the picture."""

    max_batch = 1

    def __init__(self) -> None:
        self._calls = 0

    def detect(self, pictures: Sequence[Picture]) -> list[_Found]:
        """Returns the next step of the same drift, whatever the pictures show."""
        found = [_Found(_boxes(self._calls + i)) for i in range(len(pictures))]
        self._calls += len(pictures)
        return found


def _boxes(step: int) -> Detections:
    number = np.arange(_OBJECTS)
    left = 40 + 140 * number + 2 * step * (number % 3)
    top = 60 + 70 * number + step * (number % 2)
    boxes = np.stack([left, top, left + 120, top + 220], axis=1).astype(np.float32)
    return Detections(boxes, np.full(_OBJECTS, 0.9, np.float32), (number % 3).astype(np.int32), labels=_LABELS)


def run(rounds: int = 5) -> tuple[str, list[Timing], list[str]]:
    """Returns title, timings (ours first) and notes."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        _make_clip(clip)
        out = Path(folder) / "out.mp4"
        candidates = {
            "streamdet": lambda: _ours(clip, out, AnnotateOptions()),
            "streamdet, boxes only": lambda: _ours(clip, out, _BOXES_ONLY),
            "streamdet, nothing drawn": lambda: _ours(clip, out, replace(_BOXES_ONLY, boxes=False)),
            "PyAV decode + encode, nothing else": lambda: _bare(clip, out),
            "PyAV, drawn on BGR": lambda: _bgr(clip, out),
            "OpenCV read, draw, write": lambda: _opencv(clip, out),
        }
        timings = take_turns(candidates, rounds)
    notes = [f"{t.name}: {1000 * _FRAMES / t.median_ms:.1f} fps" for t in timings]
    bare = next(t for t in timings if t.name == "PyAV decode + encode, nothing else")
    notes.append(f"share of the bare transcode's speed: {bare.ratio:.2f}")
    notes.append("OpenCV writes MPEG-4 Part 2 (its wheel has no H.264 encoder), which is cheaper and larger")
    return f"decode, annotate, encode {_FRAMES} frames of 1920x1080", timings, notes


def _make_clip(path: Path) -> None:
    """Writes a moving scene with camera noise, so that the encoder has the work that real video gives it."""
    random = np.random.default_rng(7)
    still = cv2.GaussianBlur(random.integers(0, 256, (1200, 2400, 3), np.uint8), (0, 0), 9)
    still = cv2.normalize(still, still, 20, 235, cv2.NORM_MINMAX)
    noise = [random.integers(0, 2, (1080, 1920, 3), np.uint8) for _ in range(4)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": "20", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for number in range(_FRAMES):
            bgr = still[number // 2 : number // 2 + 1080, 2 * number : 2 * number + 1920] + noise[number % 4]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(bgr), format="bgr24")))
        container.mux(stream.encode())


def _ours(clip: Path, out: Path, drawn: AnnotateOptions) -> None:
    annotator = Annotator(drawn)
    sink = open_sink(str(out), options=_RECORDING)
    plan = StreamPlan(open_source(str(clip)), [sink], tracker=ByteTracker(TrackerOptions()), annotator=annotator)
    Pipeline([plan], _Stub()).run()


def _encoder(container: av.container.OutputContainer, source: av.VideoStream) -> av.VideoStream:
    options = encoders.settings("libx264", _RECORDING, rate=source.average_rate, live=False).options
    stream = container.add_stream("libx264", rate=source.average_rate, options=options)
    stream.width, stream.height, stream.pix_fmt = source.width, source.height, "yuv420p"
    stream.codec_context.gop_size = 30
    if source.time_base is not None:
        stream.codec_context.time_base = source.time_base
    return stream


def _bare(clip: Path, out: Path) -> None:
    with av.open(str(clip)) as reader, av.open(str(out), "w") as writer:
        reader.streams.video[0].thread_type = "AUTO"
        stream = _encoder(writer, reader.streams.video[0])
        for frame in reader.decode(video=0):
            frame.pict_type = av.video.frame.PictureType.NONE
            writer.mux(stream.encode(frame))
        writer.mux(stream.encode())


def _bgr(clip: Path, out: Path) -> None:
    with av.open(str(clip)) as reader, av.open(str(out), "w") as writer:
        reader.streams.video[0].thread_type = "AUTO"
        stream = _encoder(writer, reader.streams.video[0])
        for number, frame in enumerate(reader.decode(video=0)):
            bgr = frame.to_ndarray(format="bgr24")
            _draw(bgr, number)
            drawn = av.VideoFrame.from_ndarray(bgr, format="bgr24")
            drawn.pts, drawn.time_base = frame.pts, frame.time_base
            writer.mux(stream.encode(drawn))
        writer.mux(stream.encode())


def _opencv(clip: Path, out: Path) -> None:
    reader = cv2.VideoCapture(str(clip))
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), reader.get(cv2.CAP_PROP_FPS), (1920, 1080))
    for number in range(_FRAMES):
        found, bgr = reader.read()
        if not found:
            break
        _draw(bgr, number)
        writer.write(bgr)
    reader.release()
    writer.release()


def _draw(bgr: np.ndarray, step: int) -> None:
    for left, top, right, bottom in _boxes(step).boxes_xyxy.astype(int).tolist():
        cv2.rectangle(bgr, (left, top), (right, bottom), (60, 200, 60), 3)
        cv2.rectangle(bgr, (left, top - 30), (left + 130, top), (60, 200, 60), -1)
        cv2.putText(bgr, "person 12", (left + 4, top - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 2)
