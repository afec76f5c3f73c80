"""From a config to objects: the one place where all parts meet."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path

from streamdet.auto_mode import choose_modes
from streamdet.config import Config
from streamdet.draw.annotate import BoxAnnotator
from streamdet.errors import UsageError
from streamdet.gate.motion_gate import MotionGate
from streamdet.gate.motion_gate import warm_up as warm_up_gate
from streamdet.inference.detector import DetectorOptions, ModelDetector, load_detector
from streamdet.model_spec.spec import Contract
from streamdet.models.bundled import DEMO_MODEL, SHAPES_MODEL
from streamdet.models.download_listener import DownloadListener, DownloadLogger
from streamdet.models.model_cache import downloader, refuse_download
from streamdet.picture import warm_up as warm_up_pictures
from streamdet.pipeline.niceness import run_at_niceness
from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.report import Report, report
from streamdet.pipeline.stream import StreamPlan
from streamdet.pipeline.timing_mode import TimingMode
from streamdet.protocols import Stage
from streamdet.sinks.base import Sink
from streamdet.sinks.factory import check_distinct, create_sink
from streamdet.sinks.output_path import InputFiles
from streamdet.sources.base import Source
from streamdet.sources.factory import create_source
from streamdet.tracking.live_mover import LiveMover
from streamdet.tracking.live_mover import warm_up as warm_up_motion
from streamdet.tracking.motion_options import MotionOptions
from streamdet.tracking.smoother import Smoother
from streamdet.tracking.tracker import ByteTracker
from streamdet.tracking.tracker import warm_up as warm_up_tracking
from streamdet.types import Result

log = logging.getLogger(__name__)

NO_MODEL = "none"


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A run that is ready to start: every kernel is compiled and the session has run once."""

    pipeline: Pipeline
    detector: ModelDetector | None

    def run(self, on_tick: Callable[[], None] = lambda: None) -> Report:
        """Runs to the end; see `Pipeline.run`."""
        try:
            self.pipeline.run(on_tick)
        finally:
            self.close()
        return self.report()

    def report(self) -> Report:
        """Returns what was done so far."""
        return report(self.pipeline, "" if self.detector is None else self.detector.provider)

    def close(self) -> None:
        """Gives the detector back. Idempotent."""
        if self.detector is not None:
            self.detector.close()


def build(
    config: Config,
    *,
    stages: Sequence[Stage] = (),
    extra_sinks: Callable[[], Sequence[Sink]] = lambda: (),
    always_annotate: bool = False,
    on_warm_up: Callable[[], None] = lambda: None,
    abandon_busy: bool = False,
    listener: DownloadListener | None = None,
) -> PreparedRun:
    """Makes everything a config asks for. What is cheap to check fails first; the model is loaded last.

    Args:
        config: what to do.
        stages: the user's own steps, for every stream.
        extra_sinks: makes the caller's own sinks of one stream.
        always_annotate: draw even where no sink wants pictures.
        on_warm_up: called once everything was found to be there, before what may take long: compiling and first runs.
        abandon_busy: see `Pipeline`.
        listener: is told of the download of a model that is not here yet; else the log is.

    Raises:
        UsageError: something asked for cannot work.
        SourceError, SinkError, ModelError, HardwareError: a part cannot be made.
    """
    if not config.sources:
        raise UsageError("no source given: name a camera (0), a file, a folder, a stream url, or synthetic:")
    if config.show or any(uri.startswith("window:") for uri in config.outputs):
        import cv2  # noqa: F401  # before the first import of av: the other way round, windows hang on Linux
    sources = _open_sources(config)
    sinks = [[*stream_sinks, *extra_sinks()] for stream_sinks in _open_sinks(config, sources)]
    tracked = [_is_tracked(config, source) for source in sources]
    is_live = config.mode != TimingMode.EVERY_FRAME.value and any(source.live for source in sources)
    nice = config.detector.niceness if is_live else 0  # files wait for their detections anyway
    # The runtime starts its threads while a model is loaded and first run.
    detector = run_at_niceness(nice, lambda: _load_detector(config, listener or DownloadLogger()))
    with ExitStack() as failing:  # an error keeps the session alive as long as anybody looks at it
        if detector is not None:
            failing.callback(detector.close)
            if any(tracked):  # a tracker's second stage lives on what is never shown on its own
                detector.lower_report_threshold(config.tracker.options(detector.conf).low_score)
        on_warm_up()
        if detector is not None:
            run_at_niceness(nice, detector.warm_up)
        measure = None if detector is None else detector.measure_seconds_per_picture
        picture_s = None if measure is None else (lambda: run_at_niceness(nice, measure))
        choices = choose_modes(config, sources, sinks, picture_s)
        if any(wanted.detect.gate for wanted in config.sources):
            warm_up_gate()
        if any(tracked):
            warm_up_tracking()
        if any(_mover(config, choice.mode) is not None for choice in choices):
            warm_up_motion()
        annotator = BoxAnnotator(config.draw)
        if always_annotate or any(sink.needs_annotated for stream_sinks in sinks for sink in stream_sinks):
            annotator.warm_up()
            warm_up_pictures()
        plans = [
            StreamPlan(
                source=source,
                sinks=stream_sinks,
                mode=choice.mode,
                tracker=ByteTracker(config.tracker.options(detector.conf)) if detector and is_tracked else None,
                mover=_mover(config, choice.mode),
                delay_s=choice.delay_s,
                annotator=BoxAnnotator(config.draw),
                stages=[*_only_sure(detector, is_tracked), *stages],
                status=_status if config.draw.status else None,
                always_annotate=always_annotate,
                max_frames=config.max_frames,
                duration_s=config.duration_s,
                detect=wanted.detect,
                gate=MotionGate(wanted.detect.redetect_s) if wanted.detect.gate else None,
                mode_reason=choice.reason,
            )
            for wanted, source, stream_sinks, is_tracked, choice in zip(
                config.sources, sources, sinks, tracked, choices, strict=True
            )
        ]
        pipeline = Pipeline(
            plans,
            detector,
            abandon_busy=abandon_busy,
            batch_wait_s=config.detector.batch_wait_ms / 1000,
            infer_nice=nice,
        )
        failing.pop_all()
        return PreparedRun(pipeline, detector)


def _open_sources(config: Config) -> list[Source]:
    sources: dict[str, Source] = {}
    for wanted in config.sources:
        # a file keeps its own pace
        options = replace(wanted, realtime=True) if config.mode in ("live", "smooth") else wanted
        source = create_source(wanted.url, name=wanted.name, options=options)
        number = 2
        while source.name in sources:
            name = f"{source.name.removesuffix(f'-{number - 1}')}-{number}"
            source = create_source(wanted.url, name=name, options=options)
            number += 1
        sources[source.name] = source
    return list(sources.values())


def _mover(config: Config, mode: TimingMode) -> LiveMover | Smoother | None:
    """Returns what moves the boxes of one stream; None where each frame has its own, or the tracker predicts them."""
    if config.model == NO_MODEL or mode is TimingMode.EVERY_FRAME:
        return None
    options = MotionOptions(
        flow=config.motion.flow, coast_s=config.tracker.coast_s, score_half_life_s=config.tracker.score_half_life_s
    )
    if mode is TimingMode.SMOOTH:
        return Smoother(options)
    return LiveMover(options) if config.motion.flow else None


def _open_sinks(config: Config, sources: Sequence[Source]) -> list[list[Sink]]:
    """Returns the sinks of each source. None of them may write what any source reads, or what another one writes."""
    several = len(sources) > 1
    uris = [[output_for(uri, source.name, several) for uri in config.outputs] for source in sources]
    check_distinct([uri for uris_of_one in uris for uri in uris_of_one])
    inputs = InputFiles(path for source in sources for path in source.files)
    sinks = []
    for source, uris_of_one in zip(sources, uris, strict=True):
        wanted = [*uris_of_one, f"window:{source.name}"] if config.show else uris_of_one
        sinks.append([create_sink(uri, options=config.recording, inputs=inputs) for uri in wanted])
    return sinks


def output_for(uri: str, name: str, several: bool) -> str:
    """Returns the output's name for one source: with several sources each gets a file of its own.

    >>> output_for("out.mp4", "front", True), output_for("a/{source}.jsonl", "front", True)
    ('out-front.mp4', 'a/front.jsonl')
    >>> output_for("frames/", "front", True), output_for("out.mp4", "front", False), output_for("null:", "front", True)
    ('frames/front/', 'out.mp4', 'null:')
    """
    name = re.sub(r"[^\w.-]+", "_", name).lstrip(".") or "source"  # part of a file name, not a way to another folder
    if "{source}" in uri:
        return uri.replace("{source}", name)
    if not several or uri.endswith(":") or "://" in uri:
        return uri
    path = Path(uri)
    if uri.endswith("/") or path.is_dir():
        return f"{uri.rstrip('/')}/{name}/"
    return str(path.with_name(f"{path.stem}-{name}{path.suffix}"))


def _load_detector(config: Config, listener: DownloadListener) -> ModelDetector | None:
    if config.model == NO_MODEL:
        _tell_of_no_effect(config)
        return None
    model = config.model or _embedded(config)
    contract = None if config.contract is None else parse_contract(config.contract)
    get = downloader(listener) if config.download else refuse_download
    detector = load_detector(model, config.detector, contract, get)
    if detector.spec.random_weights:
        log.warning("%s has random weights: its boxes mean nothing", detector.spec.name)
    return detector


def _embedded(config: Config) -> str:
    """Returns the detector that comes with the synthetic scene that is shown.

    Raises:
        UsageError: the sources are others, or show both scenes.
    """
    scenes = {"shapes" if source.url.startswith("synthetic:shapes") else "street" for source in config.sources}
    if len(scenes) > 1 or not all(source.url.startswith("synthetic:") for source in config.sources):
        raise UsageError(
            "no model given: use -m with a name from 'streamdet models list', an .onnx file or a .yaml description"
        )
    return SHAPES_MODEL if scenes == {"shapes"} else DEMO_MODEL


def _tell_of_no_effect(config: Config) -> None:
    default = DetectorOptions()
    changed = [f.name for f in fields(default) if getattr(config.detector, f.name) != getattr(default, f.name)]
    changed += ["contract"] if config.contract is not None else []
    if changed:
        log.warning("model %s looks for no objects: without effect is %s", NO_MODEL, ", ".join(changed))


def parse_contract(name: str) -> Contract:
    """Returns the contract of that name.

    Raises:
        UsageError: there is none; the message lists them.
    """
    try:
        return Contract(name)
    except ValueError:
        known = ", ".join(contract.value for contract in Contract)
        raise UsageError(f"contract: {name!r} is not known; it is one of {known}") from None


def _is_tracked(config: Config, source: Source) -> bool:
    if config.model == NO_MODEL:
        return False
    return config.tracker.kind == "bytetrack" or (config.tracker.kind == "auto" and not source.still_images)


def _only_sure(detector: ModelDetector | None, is_tracked: bool) -> list[Stage]:
    """Returns what keeps detections that only a tracker wants out of a stream that has none."""
    if detector is None or is_tracked:
        return []
    conf = detector.conf

    def only_sure(result: Result) -> Result:
        return replace(result, detections=result.detections[result.detections.scores > conf])

    return [only_sure]


def _status(result: Result) -> str:
    frame = result.frame
    if result.detection_age_s == 0:
        return f"{frame.source}  {frame.pts_s:.2f} s"
    age = f"{1000 * result.detection_age_s:.0f} ms" if result.detection_age_s < float("inf") else "-"
    return f"{frame.source}  {frame.pts_s:.2f} s  detections {age} old"
