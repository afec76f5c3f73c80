"""The report of a run, in numbers: available at any time, complete after the end."""

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
        """Returns the percentiles of a histogram of milliseconds."""
        return cls(*(histogram.percentile(p) for p in (50, 95, 99)))


@dataclass(frozen=True, slots=True)
class SinkReport:
    """One sink: received = written + dropped.

    Attributes:
        name: what the user asked for, without credentials.
        received: number of results offered to the sink.
        written: number of results that it wrote.
        dropped: number of results that it lost, by cause.
        age: from capture until a result was written.
        write: duration of one write.
        files: the files it wrote.
    """

    name: str
    received: int
    written: int
    dropped: dict[str, int]
    age: Percentiles
    write: Percentiles
    files: list[Path]


@dataclass(frozen=True, slots=True)
class StreamReport:
    """One stream: captured = shown + dropped.

    Attributes:
        name: of the stream.
        url: of the source, without credentials.
        mode: the timing mode.
        captured: number of frames that the source delivered.
        shown: number of frames that were offered to the sinks.
        dropped: number of frames that were not, by cause.
        faults: number of faults that the source survived, by cause.
        inferred: number of frames that the detector ran on.
        not_inferred: number of frames that it did not run on, by cause: "still" (nothing had changed) or "rate" (too
            soon after the last one).
        detections_hz: frames that the detector ran on, per second of the clock.
        fps: shown frames per second of the clock.
        stages: time per frame of each stage that ran.
        detection_age: age of the detections behind a shown frame; in smooth mode the time to the nearest detections.
        delay_s: intended time from capture until a frame is shown: the delay of smooth mode, else 0.
        interpolated: smooth mode: number of shown frames that had detections before and after them.
        shown_early: smooth mode: number of frames shown before the delay had passed, because the delay buffer was full.
        video_s: from the first shown frame to the end of the last one, in the stream's own time. A file may run faster
            or slower than the clock.
        mode_reason: why this mode was chosen, human-readable; "" where the user asked for it.
        sinks: the sinks of the stream.
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
    """A run.

    Attributes:
        streams: one report per stream.
        provider: the execution provider that ran; "" without a detector, or with a detector that does not state it.
        wall_s: from the start until everything is closed.
        cpu_s: processor time of the process in that time, including the threads of decoders, encoders and inference.
        stage_cpu_s: the part of it that the pipeline's own threads used, by stage; complete once they have ended.
    """

    streams: list[StreamReport]
    provider: str
    wall_s: float
    cpu_s: float = 0.0
    stage_cpu_s: dict[str, float] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        """All files that were written."""
        return [path for stream in self.streams for sink in stream.sinks for path in sink.files]


def report(pipeline: Pipeline, provider: str = "") -> Report:
    """Returns the report of a pipeline, until now."""
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
    """Returns the duration of what was shown; the last frame is assumed to last as long as the average."""
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
