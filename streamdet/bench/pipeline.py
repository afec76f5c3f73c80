"""Benchmark: file to annotated file at 1080p. Rate, processor time, memory and frame ages, compared with baselines.

With a model, the detector runs on every frame. The baseline is a script with OpenCV, supervision, trackers and the same
network. Without a model, decoding, tracking, drawing and encoding are measured. The floors are transcodes with PyAV and
the same encoder settings: of the unchanged pictures, and of pictures that were drawn on beforehand, because those cost
more to encode. x264's fastest preset is the default there, so that the encoder hides as little of the rest as possible.
All candidates read the same file.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from streamdet.bench import opencv_baseline
from streamdet.bench.candidate_process import CandidateResult, Workload, WorkloadFactory, WorkloadResult, compare
from streamdet.bench.roofline import copy_bandwidth
from streamdet.bench.stub_detector import StubDetector
from streamdet.bench.synthetic_clip import write_synthetic_clip
from streamdet.bench.timing import BenchmarkTable
from streamdet.bench.transcode import drawn_on_bgr, opencv, transcode, transcode_drawn
from streamdet.build import build
from streamdet.config import Config, SourceConfig
from streamdet.draw.annotate import AnnotateOptions, BoxAnnotator
from streamdet.inference.detector import DetectorOptions
from streamdet.model_spec.spec import Contract
from streamdet.models.catalog import resolve_model
from streamdet.models.model_cache import Downloader, refuse_download
from streamdet.picture import Picture
from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.plan import StreamPlan
from streamdet.pipeline.report import Report, report
from streamdet.sinks.base import Sink
from streamdet.sinks.factory import create_sink
from streamdet.sinks.options import SinkOptions
from streamdet.sources.factory import create_source
from streamdet.tracking.tracker import ByteTracker
from streamdet.tracking.tracker_options import TrackerOptions
from streamdet.types import Result, SourceInfo

_WIDTH, _HEIGHT, _FPS = 1920, 1080, 30
_BOXES_ONLY = AnnotateOptions(labels=False, ids=False, scores=False, trails=False)
_FASTEST = "ultrafast"
_AS_IT_COMES = SinkOptions(audio=False)
_LIKE_OPENCV = SinkOptions(encoder="mpeg4", audio=False)
_TRANSCODE = "PyAV decode + encode, nothing else"
_DRAWN = "PyAV decode + encode drawn pictures"
_SCRIPT = "OpenCV + supervision + trackers"


@dataclass(frozen=True, slots=True)
class PipelineBenchmark:
    """Options of the benchmark.

    Attributes:
        model: as on the command line; None for no detection.
        provider: provider of streamdet; the baseline runs ONNX Runtime on the processor.
        threads: CPU threads for inference, for both; 0 uses the default of each.
        frames: number of frames of the clip.
        preset: preset of x264.
    """

    model: str | None = None
    provider: str = "cpu"
    threads: int = 0
    frames: int = 150
    preset: str = _FASTEST


def run(wanted: PipelineBenchmark, rounds: int, download: Downloader = refuse_download) -> BenchmarkTable:
    """Measures streamdet and every baseline that is installed.

    Raises:
        ModelError: the model does not exist or cannot be used.
    """
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        candidates, notes = _candidates(wanted, clip, Path(folder), download)
        write_synthetic_clip(clip, _WIDTH, _HEIGHT, _FPS, wanted.frames)
        results = compare(candidates, rounds)
    return _table(wanted, results, notes)


def _candidates(
    wanted: PipelineBenchmark, clip: Path, folder: Path, download: Downloader
) -> tuple[dict[str, WorkloadFactory], list[str]]:
    def out(name: str) -> Path:
        return folder / f"{name}.mp4"

    recording = SinkOptions(preset=wanted.preset, audio=False)
    stubbed: dict[str, WorkloadFactory] = {
        "streamdet": partial(ours_stubbed, clip, out("a"), AnnotateOptions(), recording),
        "streamdet, boxes only": partial(ours_stubbed, clip, out("b"), _BOXES_ONLY, recording),
        "streamdet, nothing drawn": partial(ours_stubbed, clip, out("c"), replace(_BOXES_ONLY, boxes=False), recording),
        _TRANSCODE: partial(transcode, clip, out("d"), recording),
        _DRAWN: partial(_transcode_drawn, clip, out("k"), recording),
        "PyAV, drawn on BGR": partial(drawn_on_bgr, clip, out("e"), recording),
        "OpenCV read, draw, write": partial(opencv, clip, out("f")),
    }
    mpeg4 = "OpenCV writes MPEG-4 Part 2 (its wheel has no H.264 encoder), which is cheaper and larger"
    if wanted.model is None:
        return stubbed, [mpeg4]
    spec, file = resolve_model(wanted.model, download=download)
    config = Config(
        model=wanted.model,
        detector=DetectorOptions(provider=wanted.provider, threads=wanted.threads),
        sources=[SourceConfig(url=str(clip))],
    )
    candidates: dict[str, WorkloadFactory] = {
        "streamdet": partial(ours, replace(config, outputs=[str(out("g"))], recording=recording)),
        "streamdet, default x264 preset": partial(
            ours, replace(config, outputs=[str(out("h"))], recording=_AS_IT_COMES)
        ),
        "streamdet, MPEG-4": partial(ours, replace(config, outputs=[str(out("i"))], recording=_LIKE_OPENCV)),
    }
    if absent := opencv_baseline.missing_packages():
        return candidates, [f"skipped: the script of {_SCRIPT}; to measure it: pip install {' '.join(absent)}"]
    if spec.contract is not Contract.YOLOX:
        return candidates, [f"skipped: the script of {_SCRIPT}, which supports only YOLOX"]
    baseline = partial(
        opencv_baseline.opencv_script, clip, out("j"), file, spec.labels, spec.conf, spec.iou, wanted.threads
    )
    return {**candidates, _SCRIPT: baseline}, [mpeg4]


def ours(config: Config) -> Workload:
    """Prepares streamdet as `streamdet run` does; the model is loaded once, for all rounds."""
    from streamdet.inference.detector import load_detector

    assert config.model is not None
    detector = load_detector(config.model, config.detector)
    detector.lower_report_threshold(config.tracker.options(detector.conf).low_score)
    detector.warm_up()
    build(replace(config, model="none", detector=DetectorOptions())).close()  # compiles the other kernels

    def run_once() -> WorkloadResult:
        plan = StreamPlan(
            create_source(config.sources[0].url),
            [create_sink(uri, options=config.recording) for uri in config.outputs],
            tracker=ByteTracker(config.tracker.options(detector.conf)),
            annotator=BoxAnnotator(config.draw),
        )
        return _result(Pipeline([plan], detector))

    return run_once


def ours_stubbed(clip: Path, out: Path, drawn: AnnotateOptions, recording: SinkOptions) -> Workload:
    """Prepares streamdet with a detector without cost."""

    def run_once() -> WorkloadResult:
        sink = create_sink(str(out), options=recording)
        tracker, annotator = ByteTracker(TrackerOptions()), BoxAnnotator(drawn)
        return _result(
            Pipeline(
                [StreamPlan(create_source(str(clip)), [sink], tracker=tracker, annotator=annotator)], StubDetector()
            )
        )

    return run_once


def _transcode_drawn(clip: Path, out: Path, recording: SinkOptions) -> Workload:
    kept = _Keep("kept")
    tracker, annotator = ByteTracker(TrackerOptions()), BoxAnnotator(AnnotateOptions())
    Pipeline([StreamPlan(create_source(str(clip)), [kept], tracker=tracker, annotator=annotator)], StubDetector()).run()
    return transcode_drawn(clip, out, recording, [picture.to_av() for picture in kept.pictures])


class _Keep(Sink):
    """Keeps every annotated picture."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.needs_annotated = True
        self.pictures: list[Picture] = []

    def open(self, info: SourceInfo) -> None:
        pass

    def write(self, result: Result) -> None:
        self.pictures.append(result.picture)

    def close(self) -> None:
        pass


def _result(pipeline: Pipeline) -> WorkloadResult:
    pipeline.run()
    summary: Report = report(pipeline)
    (stream,) = summary.streams
    age = stream.sinks[0].age
    return WorkloadResult(stream.shown, (age.p50_ms, age.p95_ms, age.p99_ms), summary.stage_cpu_s)


def _table(wanted: PipelineBenchmark, results: list[CandidateResult], notes: list[str]) -> BenchmarkTable:
    ours_fps = results[0].fps
    rows = []
    for s in results:
        ages = " / ".join(f"{ms:.0f}" for ms in s.median_round.result.age_ms) or "-"
        rows.append(
            (s.name, f"{s.fps:.1f}", f"{ours_fps / s.fps:.2f}", f"{s.cpu_ms:.1f}", _mb(s.peak_memory_bytes), ages)
        )
    for s in results:
        if s.name in (_TRANSCODE, _DRAWN):
            cpu = s.cpu_ms / results[0].cpu_ms
            share = f"{ours_fps / s.fps:.2f} of its rate, {cpu:.2f} by processor time"
            if s.name == _TRANSCODE:
                notes = [f"share of the bare transcode: {share}", _floor(s), *notes]
            else:
                notes = [f"share of the transcode of the same pictures, drawn beforehand: {share}", *notes]
    stages = results[0].median_round
    parts = {name: 1000 * cpu_s / stages.result.frames for name, cpu_s in stages.result.stage_cpu_s.items()}
    rest = stages.cpu_ms - sum(parts.values())
    stage_times = ", ".join(
        f"{name} {ms:.2f}" for name, ms in {**parts, "threads of codecs and inference": rest}.items()
    )
    notes = [*notes, f"processor time per frame by stage, ms: {stage_times}"]
    what = "detection left out" if wanted.model is None else f"{wanted.model} on every frame, {wanted.provider}"
    title = f"decode, annotate, encode {wanted.frames} frames of {_WIDTH}x{_HEIGHT}, {what}"
    header = ("candidate", "frames/s", "ours is faster by", "CPU ms/frame", "peak MB", "age p50/95/99 ms")
    return BenchmarkTable(title, header, rows, notes)


def _floor(transcode: CandidateResult) -> str:
    """Returns the highest share of the transcode's rate that is possible: drawing needs a copy of each picture.

    The copy is needed because the decoder still reads the picture. Drawing makes x264 write a fifth more: measured with
    perf, 0.4 ms of 8.5 ms per frame, which together with the copy leaves a share of 0.92 by processor time. The rest is
    drawing, 0.3 ms alone and 0.5 to 0.65 ms between x264's threads, which evict its code and data from the caches;
    tracking, 0.02 ms and 0.1 ms; and OpenCV's font, 18 ms once in each thread. A higher share is possible by elapsed
    time: a loop that decodes and encodes in turn leaves a fifth of two cores idle, and decoding and drawing use half of
    that when their priority is below the encoder's.
    """
    megabytes = 1.5 * _WIDTH * _HEIGHT / 1e6
    rate = copy_bandwidth(1)
    copy_ms = 2 * megabytes / rate  # read and written
    share = transcode.cpu_ms / (transcode.cpu_ms + copy_ms)
    return (
        f"floor: a copy of each picture to draw on, {megabytes:.1f} MB at {rate:.0f} GB/s, takes {copy_ms:.2f} ms: "
        f"at most {share:.2f} by processor time, without the cost of encoding what is drawn"
    )


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f}" if size else "-"
