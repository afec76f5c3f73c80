"""A camera simulated with a clip that repeats in real time, and a sink that records the age of frames."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from streamdet.sinks.base import Sink
from streamdet.sources.base import Source
from streamdet.sources.factory import create_source
from streamdet.sources.realtime import RealtimeSource
from streamdet.types import Frame, Result, SourceInfo

WARM_UP_S = 2.0
"""Seconds at the start of every stream that are not measured, while files open and queues fill."""


def simulated_camera(clip: Path, name: str, delay_s: float = 0.0) -> Source:
    """Returns a source that repeats a clip in real time like a camera, and starts after `delay_s`."""
    return RealtimeSource(_LoopedClip(clip, name, delay_s))


class _LoopedClip(Source):
    """Repeats a clip as one stream with continuous timestamps; starts after `delay_s`."""

    def __init__(self, clip: Path, name: str, delay_s: float) -> None:
        super().__init__(name, str(clip))
        self._clip, self._delay_s = clip, delay_s
        self._inner = create_source(str(clip))
        self._info: SourceInfo | None = None

    def open(self) -> SourceInfo:
        self._info = replace(self._inner.open(), name=self.name, frame_count=None)
        return self._info

    def frames(self) -> Iterator[Frame]:
        self.stopping.wait(self._delay_s)
        offset = index = 0
        while True:
            pts = step = 0
            for frame in self._inner.frames():
                if self.stopping.is_set():
                    return
                step, pts = frame.pts - pts or step, frame.pts
                yield replace(frame, source=self.name, index=index, pts=offset + pts)
                index += 1
            offset += pts + step
            self._inner.close()
            self._inner = create_source(str(self._clip))
            self._inner.open()

    def close(self) -> None:
        self._inner.close()


class FrameAgeSink(Sink):
    """Writes to another sink, and records the age of each frame when it has been written.

    Args:
        inner: the sink that writes.
        seconds: duration of the stream; frames of its first and last `WARM_UP_S` are not recorded.

    Attributes:
        ages_ms: time from capture to the end of writing, of each recorded frame.
    """

    def __init__(self, inner: Sink, seconds: float) -> None:
        super().__init__(inner.name)
        self._inner = inner
        self.needs_annotated, self.tolerates_delay = inner.needs_annotated, inner.tolerates_delay
        self.ages_ms: list[float] = []
        self._from_ns = 0
        self._seconds = seconds

    def open(self, info: SourceInfo) -> None:  # noqa: D102
        self._inner.open(info)

    def write(self, result: Result) -> None:  # noqa: D102
        captured_ns = result.frame.captured_ns
        self._from_ns = self._from_ns or captured_ns + round(1e9 * WARM_UP_S)
        self._inner.write(result)
        if self._from_ns <= captured_ns < self._from_ns + 1e9 * (self._seconds - 2 * WARM_UP_S):
            self.ages_ms.append((time.monotonic_ns() - captured_ns) / 1e6)

    def close(self) -> None:  # noqa: D102
        self._inner.close()
