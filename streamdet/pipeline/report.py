"""What a run did, in numbers: taken from a pipeline at any time, complete once it has ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.sink_runner import SinkRunner
from streamdet.pipeline.stats import Histogram, StreamStats
from streamdet.pipeline.stream import Stream
from streamdet.pipeline.timing_mode import TimingMode


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
        not_inferred: frames that did not, by cause: "still" (nothing had changed) or "rate" (too soon).
        detections_hz: frames inferred per second of the clock.
        fps: frames shown per second of the clock.
        stages: time per frame of each stage that ran.
        detection_age: how much older than the shown frame its detections were; in smooth mode the distance in time to
            the nearest ones.
        delay_s: how long after they came frames were meant to be shown: the stated delay of smooth mode, else 0.
        interpolated: of the frames shown in smooth mode, how many had detections before and after them.
        video_s: from the first frame that was shown to the end of the newest one, in the stream's own time; that of a
            file may go by faster than the clock, or slower.
        shown_early: of the frames shown in smooth mode, how many came before the delay: the delay buffer was full.
        mode_reason: why this mode was chosen, for people; "" where it was asked for.
    """

    name: str
    url: str
    mode: str
    captured: int
    shown: int
    dropped: dict[str, int]
    faults: dict[str, int]
    inferred: int
    not_inferred: dict[str, int]
    detections_hz: float
    fps: float
    stages: dict[str, Percentiles]
    detection_age: Percentiles
    delay_s: float = 0.0
    interpolated: int = 0
    shown_early: int = 0
    video_s: float = 0.0
    mode_reason: str = ""
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
    delay_s = stream.plan.delay_s if stream.plan.mode is TimingMode.SMOOTH else 0.0
    busy_s = stats.busy_s
    return StreamReport(
        name=stream.name,
        url=stream.plan.source.url,
        mode=stream.plan.mode.value,
        captured=stream.counts.received,
        shown=stream.counts.passed,
        dropped=dict(stream.counts.dropped),
        faults=dict(stream.plan.source.faults),
        inferred=stats.infer_ms.count,
        not_inferred=dict(stats.not_inferred),
        detections_hz=stats.infer_ms.count / busy_s if busy_s > 0 else 0.0,
        fps=stream.counts.passed / busy_s if busy_s > 0 else 0.0,
        stages={name: Percentiles.of(histogram) for name, histogram in stats.stages().items()},
        detection_age=Percentiles.of(stats.detection_age_ms),
        delay_s=delay_s,
        interpolated=stats.interpolated,
        shown_early=stream.delay_buffer.shown_early,
        video_s=_video_s(stats, stream.counts.passed),
        mode_reason=stream.plan.mode_reason,
        sinks=[_sink(runner) for runner in stream.sink_runners],
    )


def _video_s(stats: StreamStats, shown: int) -> float:
    """Returns how long what was shown is; the newest frame lasts as long as the others did."""
    return (stats.last_pts_s - stats.first_pts_s) * shown / (shown - 1) if shown > 1 else 0.0


def _sink(runner: SinkRunner) -> SinkReport:
    return SinkReport(
        name=runner.sink.name,
        received=runner.counts.received,
        written=runner.counts.passed,
        dropped=dict(runner.counts.dropped),
        age=Percentiles.of(runner.age_ms),
        write=Percentiles.of(runner.write_ms),
        files=list(runner.sink.files),
    )
