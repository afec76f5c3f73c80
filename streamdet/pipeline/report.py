"""What a run did, in numbers: taken from a pipeline at any time, complete once it has ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from streamdet.pipeline.mode import Mode
from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.sink_runner import Outlet
from streamdet.pipeline.stats import Histogram, StreamStats
from streamdet.pipeline.stream import Stream


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds: median, 95th and 99th percentile; NaN without values."""

    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, histogram: Histogram) -> Percentiles:
        """Reads a histogram of milliseconds."""
        return cls(*(histogram.percentile(p) for p in (50, 95, 99)))


@dataclass(frozen=True, slots=True)
class SinkReport:
    """One sink: frames offered = written + dropped; age is capture to written."""

    name: str
    received: int
    written: int
    dropped: dict[str, int]
    age: Percentiles
    write: Percentiles
    files: list[Path]


@dataclass(frozen=True, slots=True)
class StreamReport:
    """One stream: frames captured = shown + dropped.

    Attributes:
        faults: what its source met without ending, by cause.
        inferred: frames that went through the detector.
        not_looked_at: frames that did not, by cause: "still" (nothing had changed) or "rate" (too soon).
        detections_hz: frames inferred per second of the clock.
        fps: frames shown per second of the clock.
        stages: time per frame of each stage that ran.
        detection_age: how much older than the shown frame its detections were; in smooth mode the distance in time to
            the nearest ones.
        delay_s: how long after they came frames were meant to be shown: the stated delay of smooth mode, else 0.
        between: of the frames shown in smooth mode, how many had detections before and after them.
        video_s: from the first frame that was shown to the end of the newest one, in the stream's own time; that of a
            file may go by faster than the clock, or slower.
        early: of the frames shown in smooth mode, how many were shown sooner, because memory for no more was left.
        why: why this mode was chosen, for people; "" where it was asked for.
    """

    name: str
    url: str
    mode: str
    captured: int
    shown: int
    dropped: dict[str, int]
    faults: dict[str, int]
    inferred: int
    not_looked_at: dict[str, int]
    detections_hz: float
    fps: float
    stages: dict[str, Percentiles]
    detection_age: Percentiles
    delay_s: float = 0.0
    between: int = 0
    early: int = 0
    video_s: float = 0.0
    why: str = ""
    sinks: list[SinkReport] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run.

    Attributes:
        provider: the execution provider that really ran, "" without a detector.
        wall_s: from start to the last close.
        cpu_s: processor time of the process in that time, with the threads of decoders, encoders and inference.
        stage_cpu_s: what of it the threads of each stage used themselves, once they have ended.
    """

    streams: list[StreamReport]
    provider: str
    wall_s: float
    cpu_s: float = 0.0
    stage_cpu_s: dict[str, float] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        """Everything that was written."""
        return [path for stream in self.streams for sink in stream.sinks for path in sink.files]


def report(pipeline: Pipeline, provider: str = "") -> Report:
    """Returns what `pipeline` did so far."""
    end_ns = pipeline.ended_ns or time.monotonic_ns()
    wall_s = (end_ns - pipeline.started_ns) / 1e9 if pipeline.started_ns else 0.0
    streams = [_stream(stream) for stream in pipeline.streams]
    cpu_s = pipeline.cpu_s if pipeline.started_ns else 0.0
    return Report(streams, provider, wall_s, cpu_s, dict(pipeline.stage_cpu_s))


def _stream(stream: Stream) -> StreamReport:
    stats = stream.stats
    delay_s = stream.plan.delay_s if stream.plan.mode is Mode.SMOOTH else 0.0
    busy_s = stats.busy_s
    return StreamReport(
        name=stream.name,
        url=stream.plan.source.url,
        mode=stream.plan.mode.value,
        captured=stream.account.received,
        shown=stream.account.passed,
        dropped=dict(stream.account.dropped),
        faults=dict(stream.plan.source.faults),
        inferred=stats.infer_ms.count,
        not_looked_at=dict(stats.not_looked_at),
        detections_hz=stats.infer_ms.count / busy_s if busy_s > 0 else 0.0,
        fps=stream.account.passed / busy_s if busy_s > 0 else 0.0,
        stages={name: Percentiles.of(histogram) for name, histogram in stats.stages().items()},
        detection_age=Percentiles.of(stats.detection_age_ms),
        delay_s=delay_s,
        between=stats.between,
        early=stream.held.early,
        video_s=_video_s(stats, stream.account.passed),
        why=stream.plan.why,
        sinks=[_sink(outlet) for outlet in stream.outlets],
    )


def _video_s(stats: StreamStats, shown: int) -> float:
    """Returns how long what was shown is; the newest frame lasts as long as the others did."""
    return (stats.last_s - stats.first_s) * shown / (shown - 1) if shown > 1 else 0.0


def _sink(outlet: Outlet) -> SinkReport:
    return SinkReport(
        name=outlet.sink.name,
        received=outlet.account.received,
        written=outlet.account.passed,
        dropped=dict(outlet.account.dropped),
        age=Percentiles.of(outlet.age_ms),
        write=Percentiles.of(outlet.write_ms),
        files=list(outlet.sink.files),
    )
