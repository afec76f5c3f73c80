"""How many live streams this machine sustains, found by a search whose trials take some seconds of real time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from streamdet.bench.candidate_process import peak_memory_bytes
from streamdet.bench.simulated_camera import WARM_UP_S, FrameAgeSink, simulated_camera
from streamdet.bench.synthetic_clip import write_synthetic_clip
from streamdet.bench.timing import BenchmarkTable
from streamdet.config import TrackerConfig
from streamdet.draw.annotate import BoxAnnotator
from streamdet.inference.detector import DetectorOptions, ModelDetector, load_detector
from streamdet.models.model_cache import Downloader, refuse_download
from streamdet.pipeline.niceness import run_at_niceness
from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.plan import StreamPlan
from streamdet.pipeline.report import report
from streamdet.pipeline.stats import Histogram
from streamdet.pipeline.timing_mode import TimingMode
from streamdet.sinks.factory import create_sink
from streamdet.sinks.options import SinkOptions
from streamdet.tracking.tracker import ByteTracker

_CLIP_S = 20
_MAX_STREAMS = 64


@dataclass(frozen=True, slots=True)
class Limit:
    """The conditions under which streams count as sustained.

    Attributes:
        age_ms: limit of the 99th percentile of the time from capture to file, over all streams.
        shown: minimum share of the due frames that every stream writes.
        detections_hz: minimum detections per second of every stream.
    """

    age_ms: float = 300.0
    shown: float = 0.99
    detections_hz: float = 5.0

    def __str__(self) -> str:
        return (
            f"p99 age < {self.age_ms:g} ms, {100 * self.shown:g} % of frames written, "
            f"{self.detections_hz:g} detections/s each"
        )


@dataclass(frozen=True, slots=True)
class Load:
    """One stream of a trial.

    Attributes:
        model: as on the command line.
        provider: the provider for inference.
        threads: CPU threads for inference; 0 chooses.
        width: width of the frames.
        height: height of the frames.
        fps: frames per second.
        record: draw and encode the annotated video; else only detect.
        seconds: duration of one trial.
    """

    model: str
    provider: str = "auto"
    threads: int = 0
    width: int = 1280
    height: int = 720
    fps: int = 15
    record: bool = True
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of a trial with a number of streams; each value is that of the worst stream."""

    streams: int
    age_ms: float
    shown: float
    detections_hz: float
    cpus: float
    peak_memory_bytes: int

    def within(self, limit: Limit) -> bool:
        """Returns whether these streams were sustained."""
        served = self.shown >= limit.shown and self.detections_hz >= limit.detections_hz
        return self.age_ms < limit.age_ms and served


def run(
    load: Load, limit: Limit, download: Downloader = refuse_download, on_trial: Callable[[Trial], None] = lambda _: None
) -> BenchmarkTable:
    """Searches for the largest number of streams within the limit.

    Raises:
        ModelError: the model does not exist or cannot be used.
    """
    trials: dict[int, Trial] = {}
    with tempfile.TemporaryDirectory() as folder:
        options = DetectorOptions(provider=load.provider, threads=load.threads)
        nice = options.niceness
        load_it = partial(load_detector, load.model, options, download=download)
        with run_at_niceness(nice, load_it) as detector:
            detector.lower_report_threshold(TrackerConfig().options(detector.conf).low_score)
            run_at_niceness(nice, detector.warm_up)
            clip = write_synthetic_clip(
                Path(folder) / "clip.mp4", load.width, load.height, load.fps, _CLIP_S * load.fps
            )
            trial(
                1, replace(load, seconds=WARM_UP_S + 1), clip, Path(folder), detector
            )  # compiles the remaining kernels

            def carries(streams: int) -> bool:
                trials[streams] = trial(streams, load, clip, Path(folder), detector)
                on_trial(trials[streams])
                return trials[streams].within(limit)

            most = search(carries, _MAX_STREAMS)
            explain = detector.explain
    rows = [_row(trials[streams], limit) for streams in sorted(trials)]
    header = ("streams", "p99 age ms", "written", "detections/s each", "processors", "peak MB", "carried")
    what = f"{load.width}x{load.height} at {load.fps} frames/s, {load.model} {explain.partition(';')[0]}"
    end = "recorded with boxes" if load.record else "detections only"
    return BenchmarkTable(f"{most} streams of {what}, {end}", header, rows, [f"the limit: {limit}"])


def search(carries: Callable[[int], bool], maximum: int) -> int:
    """Returns the largest number from 0 to `maximum` that `carries` accepts; more streams are never easier.

    >>> search(lambda streams: streams <= 5, 64)
    5
    """
    good, bad = 0, maximum + 1
    probe = 1
    while bad - good > 1:
        if carries(probe):
            good = probe
        else:
            bad = probe
        probe = min(2 * good, maximum) if bad > maximum else (good + bad) // 2
    return good


def trial(streams: int, load: Load, clip: Path, folder: Path, detector: ModelDetector) -> Trial:
    """Runs a number of live streams for the duration of a trial."""
    ages = Histogram()
    plans, sinks = [], []
    for number in range(streams):
        name = f"cam{number}"
        output = str(folder / f"{name}.mp4") if load.record else "null:"
        sink = FrameAgeSink(create_sink(output, options=SinkOptions(audio=False)), load.seconds)
        sinks.append(sink)
        plan = StreamPlan(
            simulated_camera(clip, name, number / (streams * load.fps)),
            [sink],
            mode=TimingMode.LIVE,
            tracker=ByteTracker(TrackerConfig().options(detector.conf)),
            annotator=BoxAnnotator(),
            duration_s=load.seconds,
        )
        plans.append(plan)
    pipeline = Pipeline(plans, detector, infer_nice=DetectorOptions().niceness)
    pipeline.run()
    summary = report(pipeline)
    for sink in sinks:
        for age_ms in sink.ages_ms:
            ages.add(age_ms)
    due = load.fps * (load.seconds - 2 * WARM_UP_S)
    return Trial(
        streams,
        ages.percentile(99),
        min(1.0, min(len(sink.ages_ms) for sink in sinks) / due),
        min(stream.inferred for stream in summary.streams) / load.seconds,
        summary.cpu_s / summary.wall_s,
        peak_memory_bytes(),
    )


def _row(trial: Trial, limit: Limit) -> tuple[str, ...]:
    return (
        str(trial.streams),
        f"{trial.age_ms:.0f}",
        f"{100 * trial.shown:.1f} %",
        f"{trial.detections_hz:.1f}",
        f"{trial.cpus:.2f}",
        f"{trial.peak_memory_bytes / 1e6:.0f}",
        "yes" if trial.within(limit) else "no",
    )
