"""Fakes of the parts around the pipeline, each with a switch to block it or to make it fail."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from streamdet.errors import SinkError, SourceError
from streamdet.picture import Picture
from streamdet.pipeline import accounting
from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.report import report
from streamdet.sinks.base import Sink
from streamdet.sources.base import Source
from streamdet.types import Detected, Detections, Frame, SourceInfo, StageTimes


class CountingSource(Source):
    """Every byte of a frame is the frame's number; while `gate` is not set, no frame is delivered."""

    def __init__(self, count, name="cam", live=False, fail_at=None, gate=None):
        super().__init__(name, f"count:{count}")
        self.count, self.live, self.fail_at, self.gate = count, live, fail_at, gate
        self.threads = set()
        self.closed = 0

    def open(self) -> SourceInfo:
        self.threads.add(threading.get_ident())
        return SourceInfo(self.name, 8, 6, Fraction(1, 10), Fraction(10), self.count, self.live)

    def frames(self) -> Iterator[Frame]:
        for index in range(self.count):
            self.threads.add(threading.get_ident())
            if self.stopping.is_set():
                return
            if self.gate is not None:
                self.gate.wait(10)
            if index == self.fail_at:
                raise SourceError("the camera is gone")
            picture = Picture.from_bgr(np.full((6, 8, 3), index % 256, np.uint8))
            yield Frame(picture, self.name, index, index, Fraction(1, 10), time.monotonic_ns())

    def close(self) -> None:
        self.threads.add(threading.get_ident())
        self.closed += 1


@dataclass
class FakeDetector:
    """Detects one object whose left edge is the frame's number; while `gate` is not set, it blocks."""

    max_batch: int = 1
    gate: threading.Event | None = None
    fail_at: int | None = None
    seen: list = field(default_factory=list)
    batches: list = field(default_factory=list)

    def detect(self, pictures):
        if self.gate is not None:
            self.gate.wait(10)
        self.batches.append(len(pictures))
        return [self._one(p) for p in pictures]

    def _one(self, picture):
        number = int(picture.planes[0][0, 0])
        if number == self.fail_at:
            raise RuntimeError("inference broke")
        self.seen.append(number)
        box = np.array([[number, 0, number + 1, 1]], np.float32)
        detections = Detections(box, np.ones(1, np.float32), np.zeros(1, np.int32))
        return Detected(detections, StageTimes(1.0, 2.0, 3.0))


class ListSink(Sink):
    """Stores its results; while `gate` is not set, `write` blocks."""

    def __init__(self, name="list", gate=None, fail_at=None, needs_annotated=False):
        super().__init__(name)
        self.gate, self.fail_at, self.needs_annotated = gate, fail_at, needs_annotated
        self.results, self.opened, self.closed = [], 0, 0

    def open(self, info):
        self.opened += 1

    def write(self, result):
        if self.gate is not None:
            self.gate.wait(10)
        if result.frame.index == self.fail_at:
            raise SinkError("disk full")
        self.results.append(result)

    def close(self):
        self.closed += 1


class SteppedSource(CountingSource):
    """Delivers one frame per call of `step`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._steps = threading.Semaphore(0)

    def step(self):
        self._steps.release()

    def frames(self):
        for frame in super().frames():
            self._steps.acquire(timeout=20)
            yield frame


def nothing_is_queued(stream):
    """Returns whether a stream that has ended keeps no frame and no verdict."""
    return not len(stream._frames) and not len(stream.delay_buffer)


def frames(count, name="cam"):
    """Returns the frames of a `CountingSource`."""
    return list(CountingSource(count, name).frames())


def frame_at(pts, time_base=Fraction(1, 1000), index=0):
    """Returns a small black frame."""
    return Frame(Picture.from_bgr(np.zeros((6, 8, 3), np.uint8)), "cam", index, pts, time_base, 0)


class ScriptedGate:
    """A gate that admits the frames with the given numbers."""

    def __init__(self, open_at=()):
        self.open_at, self.seen = set(open_at), []

    def admit(self, picture, time_s):
        self.seen.append((picture.width, picture.height))
        return len(self.seen) - 1 in self.open_at


def run_plan(plan, detector=None):
    """Runs one stream to its end and returns its report."""
    pipeline = Pipeline([plan], detector or FakeDetector())
    pipeline.run()
    accounting.check_balance(pipeline.frame_counts())
    return report(pipeline).streams[0]
