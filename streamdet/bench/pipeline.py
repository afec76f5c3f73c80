"""File to annotated file at 1080p: rate, processor time, memory, and frame ages, beside what others would write.

With a model every frame is inferred, and the rival is a script of OpenCV, supervision and trackers with the same
network. With the network left out, what remains is decoding, tracking, drawing and encoding; the floors are transcodes
with PyAV alone under the same encoder settings: of the pictures as they are, and, because drawn ones cost more to
encode, of those that were drawn on beforehand. There x264's fastest preset is taken unless another is asked for, so
that the encoder hides as little of the rest as it can. All candidates read the same file.
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
    """What is to be measured.

    Attributes:
        model: as on the command line; None leaves the network out.
        provider: what streamdet runs it on; the rival runs ONNX Runtime on the processor.
        threads: for inference on the processor, of both; 0 leaves it to each.
        frames: of the clip.
        preset: of x264.
    """

    model: str | None = None
    provider: str = "cpu"
    threads: int = 0
    frames: int = 150
    preset: str = _FASTEST


def run(wanted: PipelineBenchmark, rounds: int, download: Downloader = refuse_download) -> BenchmarkTable:
    """Measures everything that is installed.

    Raises:
        ModelError: the model is not there, or not understood.
    """
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        candidates, notes = _candidates(wanted, clip, Path(folder), download)
        write_synthetic_clip(clip, _WIDTH, _HEIGHT, _FPS, wanted.frames)
        standings = compare(candidates, rounds)
    return _table(wanted, standings, notes)


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
        return candidates, [f"left out: the script of {_SCRIPT}: pip install {' '.join(absent)}"]
    if spec.contract is not Contract.YOLOX:
        return candidates, [f"left out: the script of {_SCRIPT}, which knows YOLOX only"]
    rival = partial(
        opencv_baseline.opencv_script, clip, out("j"), file, spec.labels, spec.conf, spec.iou, wanted.threads
    )
    return {**candidates, _SCRIPT: rival}, [mpeg4]


def ours(config: Config) -> Workload:
    """Prepares streamdet as `streamdet run` would; the model is loaded once, for all turns."""
    from streamdet.inference.detector import load_detector

    assert config.model is not None
    detector = load_detector(config.model, config.detector)
    detector.lower_report_threshold(config.tracker.options(detector.conf).low_score)
    detector.warm_up()
    build(replace(config, model="none", detector=DetectorOptions())).close()  # compiles what the detector does not

    def turn() -> WorkloadResult:
        plan = StreamPlan(
            create_source(config.sources[0].url),
            [create_sink(uri, options=config.recording) for uri in config.outputs],
            tracker=ByteTracker(config.tracker.options(detector.conf)),
            annotator=BoxAnnotator(config.draw),
        )
        return _result(Pipeline([plan], detector))

    return turn


def ours_stubbed(clip: Path, out: Path, drawn: AnnotateOptions, recording: SinkOptions) -> Workload:
    """Prepares streamdet with a detector that costs nothing."""

    def turn() -> WorkloadResult:
        sink = create_sink(str(out), options=recording)
        tracker, annotator = ByteTracker(TrackerOptions()), BoxAnnotator(drawn)
        return _result(
            Pipeline(
                [StreamPlan(create_source(str(clip)), [sink], tracker=tracker, annotator=annotator)], StubDetector()
            )
        )

    return turn


def _transcode_drawn(clip: Path, out: Path, recording: SinkOptions) -> Workload:
    kept = _Keep("kept")
    tracker, annotator = ByteTracker(TrackerOptions()), BoxAnnotator(AnnotateOptions())
    Pipeline([StreamPlan(create_source(str(clip)), [kept], tracker=tracker, annotator=annotator)], StubDetector()).run()
    return transcode_drawn(clip, out, recording, [picture.to_av() for picture in kept.pictures])


class _Keep(Sink):
    """Keeps every picture as it was drawn."""

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
    told: Report = report(pipeline)
    (stream,) = told.streams
    age = stream.sinks[0].age
    return WorkloadResult(stream.shown, (age.p50_ms, age.p95_ms, age.p99_ms), told.stage_cpu_s)


def _table(wanted: PipelineBenchmark, standings: list[CandidateResult], notes: list[str]) -> BenchmarkTable:
    ours_fps = standings[0].fps
    rows = []
    for s in standings:
        ages = " / ".join(f"{ms:.0f}" for ms in s.median_round.result.age_ms) or "-"
        rows.append(
            (s.name, f"{s.fps:.1f}", f"{ours_fps / s.fps:.2f}", f"{s.cpu_ms:.1f}", _mb(s.peak_memory_bytes), ages)
        )
    for s in standings:
        if s.name in (_TRANSCODE, _DRAWN):
            cpu = s.cpu_ms / standings[0].cpu_ms
            share = f"{ours_fps / s.fps:.2f} of its rate, {cpu:.2f} by processor time"
            if s.name == _TRANSCODE:
                notes = [f"share of the bare transcode: {share}", _floor(s), *notes]
            else:
                notes = [f"share of the transcode of the same pictures, drawn beforehand: {share}", *notes]
    stages = standings[0].median_round
    parts = {name: 1000 * cpu_s / stages.result.frames for name, cpu_s in stages.result.stage_cpu_s.items()}
    rest = stages.cpu_ms - sum(parts.values())
    told = ", ".join(f"{name} {ms:.2f}" for name, ms in {**parts, "threads of codecs and inference": rest}.items())
    notes = [*notes, f"processor time per frame by stage, ms: {told}"]
    what = "detection left out" if wanted.model is None else f"{wanted.model} on every frame, {wanted.provider}"
    title = f"decode, annotate, encode {wanted.frames} frames of {_WIDTH}x{_HEIGHT}, {what}"
    header = ("candidate", "frames/s", "ours is faster by", "CPU ms/frame", "peak MB", "age p50/95/99 ms")
    return BenchmarkTable(title, header, rows, notes)


def _floor(transcode: CandidateResult) -> str:
    """Says what share of the transcode cannot be passed: decoders still read a picture, so drawing needs a copy.

    What is drawn makes x264 write a fifth more: by samples of the processor (perf), 0.4 ms of 8.5 a frame, which
    with the copy leaves 0.92 by processor time. The rest is drawing, 0.3 ms where nothing else runs and 0.5 to 0.65
    between x264's threads, which take its code and data out of the caches; tracking, 0.02 and 0.1; and OpenCV's
    font, 18 ms once in each thread. By the clock more can be reached: a loop that decodes and encodes in turn
    leaves a fifth of two cores idle, of which decoding and drawing take half when they give way to the encoder.
    """
    megabytes = 1.5 * _WIDTH * _HEIGHT / 1e6
    rate = copy_bandwidth(1)
    copy_ms = 2 * megabytes / rate  # read and written
    share = transcode.cpu_ms / (transcode.cpu_ms + copy_ms)
    return (
        f"floor: a copy of each picture to draw on, {megabytes:.1f} MB at {rate:.0f} GB/s, takes {copy_ms:.2f} ms: "
        f"at most {share:.2f} by processor time, and encoding what is drawn comes on top"
    )


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f}" if size else "-"
