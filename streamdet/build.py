"""Builds a run from a configuration: creates every part and connects them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace

from streamdet.auto_mode import choose_modes
from streamdet.config import Config
from streamdet.draw.annotate import BoxAnnotator
from streamdet.endpoints import SinkFactory, create_sinks, create_sources, opens_windows
from streamdet.errors import UsageError
from streamdet.inference.detector import DetectorOptions, ModelDetector, load_detector, measure_seconds_per_picture
from streamdet.model_spec.spec import Contract
from streamdet.models.bundled import DEMO_MODEL, SHAPES_MODEL
from streamdet.models.download_listener import DownloadListener, DownloadLogger
from streamdet.models.model_cache import downloader, refuse_download
from streamdet.picture import warm_up as warm_up_pictures
from streamdet.pipeline.admission import DetectOptions
from streamdet.pipeline.niceness import run_at_niceness
from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.plan import StreamPlan
from streamdet.pipeline.report import Report, report
from streamdet.pipeline.timing_mode import TimingMode
from streamdet.protocols import Detector, Gate, Mover, Stage, Tracker
from streamdet.sources.base import Source
from streamdet.trackers import AUTO, NO_TRACKER, create_tracker
from streamdet.types import Result

log = logging.getLogger(__name__)

NO_MODEL = "none"
_DEFAULT_CONF = 0.5  # of a detector that does not state its threshold


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A run that is ready to start: every kernel is compiled and the session has run once.

    Attributes:
        pipeline: the streams.
        detector: shared by the streams; None without one, and where the caller's is not a `ModelDetector`.
    """

    pipeline: Pipeline
    detector: ModelDetector | None
    _cleanup: ExitStack

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
        """Closes the detector, or restores the thresholds of the caller's. Idempotent."""
        self._cleanup.close()


def build(
    config: Config,
    *,
    detector: Detector | None = None,
    tracker: Callable[[], Tracker] | None = None,
    sinks: SinkFactory = lambda name: (),
    stages: Sequence[Stage] = (),
    always_annotate: bool = False,
    on_warm_up: Callable[[], None] = lambda: None,
    abandon_busy: bool = False,
    listener: DownloadListener | None = None,
) -> PreparedRun:
    """Creates every part of a run. Cheap checks come first; the model is loaded last.

    Args:
        config: what to do.
        detector: the caller's own, instead of the model of `config`; the caller closes it.
        tracker: creates the caller's own tracker of one stream, instead of the one of `config`.
        sinks: returns the caller's own sinks of one stream.
        stages: the caller's own steps, for every stream.
        always_annotate: draw even where no sink needs annotated pictures.
        on_warm_up: called after all checks, before the slow part: compiling and first runs.
        abandon_busy: see `Pipeline`.
        listener: receives the progress of a model's download; by default the progress is logged.

    Raises:
        UsageError: a value or a combination cannot work.
        SourceError, SinkError, ModelError, HardwareError: a part cannot be created.
    """
    if not config.sources:
        raise UsageError("no source given: name a camera (0), a file, a folder, a stream url, or synthetic:")
    if opens_windows(config):
        import cv2  # noqa: F401  # before the first import of av: the other way round, windows hang on Linux
    sources = create_sources(config)
    sinks_of = create_sinks(config, sources, sinks)
    is_live = config.mode != TimingMode.EVERY_FRAME.value and any(source.live for source in sources)
    nice = config.detector.niceness if is_live else 0  # files wait for their detections anyway
    cleanup = ExitStack()
    if detector is None:
        # The runtime starts its threads while a model is loaded and first run.
        detector = run_at_niceness(nice, lambda: _load_detector(config, listener or DownloadLogger()))
        if isinstance(detector, ModelDetector):
            cleanup.callback(detector.close)
    elif isinstance(detector, ModelDetector):
        cleanup.callback(_restoring_thresholds(detector))
    conf = _threshold(config, detector)
    tracked = [_is_tracked(config, source, detector, tracker) for source in sources]
    with cleanup:  # an error in here keeps the session alive as long as the traceback exists, so close it
        if isinstance(detector, ModelDetector) and tracker is None and any(tracked):
            # The second stage of the association needs detections that are too weak to be shown.
            detector.lower_report_threshold(config.tracker.options(conf).low_score)
        on_warm_up()
        if isinstance(detector, ModelDetector):
            run_at_niceness(nice, detector.warm_up)
        choices = choose_modes(config, sources, sinks_of, _timer(detector, nice))
        if any(source.detect.gate for source in config.sources):
            _warm_up_gate()
        trackers = _trackers(config, tracked, tracker, conf)
        _warm_up_trackers(trackers)
        movers = [_mover(config, detector, choice.mode) for choice in choices]
        if any(mover is not None for mover in movers):
            _warm_up_motion()
        if always_annotate or any(sink.needs_annotated for stream_sinks in sinks_of for sink in stream_sinks):
            BoxAnnotator(config.draw).warm_up()
            warm_up_pictures()
        plans = [
            StreamPlan(
                source=source,
                sinks=stream_sinks,
                mode=choice.mode,
                tracker=stream_tracker,
                mover=mover,
                delay_s=choice.delay_s,
                annotator=BoxAnnotator(config.draw),
                stages=[*_above_threshold(detector, stream_tracker), *stages],
                status=_status if config.draw.status else None,
                always_annotate=always_annotate,
                max_frames=config.max_frames,
                duration_s=config.duration_s,
                detect=source_config.detect,
                gate=_gate(source_config.detect),
                mode_reason=choice.reason,
            )
            for source_config, source, stream_sinks, stream_tracker, mover, choice in zip(
                config.sources, sources, sinks_of, trackers, movers, choices, strict=True
            )
        ]
        pipeline = Pipeline(
            plans,
            detector,
            abandon_busy=abandon_busy,
            batch_wait_s=config.detector.batch_wait_ms / 1000,
            infer_nice=nice,
        )
        model_detector = detector if isinstance(detector, ModelDetector) else None
        return PreparedRun(pipeline, model_detector, cleanup.pop_all())


def parse_contract(name: str) -> Contract:
    """Returns the contract of that name.

    Raises:
        UsageError: the name is unknown; the message lists the known ones.
    """
    try:
        return Contract(name)
    except ValueError:
        known = ", ".join(contract.value for contract in Contract)
        raise UsageError(f"contract: {name!r} is not known; it is one of {known}") from None


def _load_detector(config: Config, listener: DownloadListener) -> ModelDetector | None:
    if config.model == NO_MODEL:
        _warn_of_ignored_options(config)
        return None
    model = config.model or _bundled_model(config)
    contract = None if config.contract is None else parse_contract(config.contract)
    get = downloader(listener) if config.download else refuse_download
    detector = load_detector(model, config.detector, contract, get)
    if detector.spec.random_weights:
        log.warning("%s has random weights: its boxes mean nothing", detector.spec.name)
    return detector


def _bundled_model(config: Config) -> str:
    """Returns the bundled model that was trained for the synthetic scene of the sources.

    Raises:
        UsageError: the sources are others, or show both scenes.
    """
    scenes = {"shapes" if source.url.startswith("synthetic:shapes") else "street" for source in config.sources}
    if len(scenes) > 1 or not all(source.url.startswith("synthetic:") for source in config.sources):
        raise UsageError(
            "no model given: use -m with a name from 'streamdet models list', an .onnx file or a .yaml description"
        )
    return SHAPES_MODEL if scenes == {"shapes"} else DEMO_MODEL


def _warn_of_ignored_options(config: Config) -> None:
    default = DetectorOptions()
    changed = [f.name for f in fields(default) if getattr(config.detector, f.name) != getattr(default, f.name)]
    changed += ["contract"] if config.contract is not None else []
    if changed:
        log.warning("model '%s' ignores: %s", NO_MODEL, ", ".join(changed))


def _threshold(config: Config, detector: Detector | None) -> float:
    """Returns the score from which the detector's detections count as objects."""
    if isinstance(detector, ModelDetector):
        return detector.conf
    return _DEFAULT_CONF if config.detector.conf is None else config.detector.conf


def _restoring_thresholds(detector: ModelDetector) -> Callable[[], None]:
    """Returns a function that undoes `lower_report_threshold` on the caller's detector."""
    rules = detector.rules

    def restore() -> None:
        detector.rules = rules

    return restore


def _timer(detector: Detector | None, nice: int) -> Callable[[], float] | None:
    """Returns a function that measures the detector's seconds per picture; None without a detector."""
    if detector is None:
        return None
    if isinstance(detector, ModelDetector):
        return lambda: run_at_niceness(nice, detector.measure_seconds_per_picture)
    return lambda: run_at_niceness(nice, lambda: measure_seconds_per_picture(detector))


def _gate(options: DetectOptions) -> Gate | None:
    if not options.gate:
        return None
    from streamdet.gate.motion_gate import MotionGate  # loaded only by runs with a gate

    return MotionGate(options.redetect_s)


def _warm_up_gate() -> None:
    from streamdet.gate.motion_gate import warm_up

    warm_up()


def _warm_up_motion() -> None:
    from streamdet.tracking.live_mover import warm_up

    warm_up()


def _mover(config: Config, detector: Detector | None, mode: TimingMode) -> Mover | None:
    """Returns what moves the boxes of one stream.

    None where each frame has its own detections, or the tracker's prediction is shown.
    """
    if detector is None or mode is TimingMode.EVERY_FRAME:
        return None
    from streamdet.tracking.live_mover import LiveMover  # loaded only by the modes that need it
    from streamdet.tracking.motion_options import MotionOptions
    from streamdet.tracking.smoother import Smoother

    options = MotionOptions(
        flow=config.motion.flow, coast_s=config.tracker.coast_s, score_half_life_s=config.tracker.score_half_life_s
    )
    if mode is TimingMode.SMOOTH:
        return Smoother(options)
    return LiveMover(options) if config.motion.flow else None


def _is_tracked(
    config: Config, source: Source, detector: Detector | None, tracker: Callable[[], Tracker] | None
) -> bool:
    if detector is None:
        return False
    if tracker is not None:
        return True
    return config.tracker.kind != NO_TRACKER and not (config.tracker.kind == AUTO and source.still_images)


def _trackers(
    config: Config, tracked: Sequence[bool], tracker: Callable[[], Tracker] | None, conf: float
) -> list[Tracker | None]:
    """Returns a tracker for each stream that is tracked.

    Raises:
        UsageError: the caller's function returns anything but trackers, or one tracker for two streams.
    """
    create = tracker or (lambda: create_tracker(config.tracker.kind, config.tracker.options(conf)))
    trackers = [create() if is_tracked else None for is_tracked in tracked]
    made = [stream_tracker for stream_tracker in trackers if stream_tracker is not None]
    for stream_tracker in made:
        if not isinstance(stream_tracker, Tracker):
            kind = type(stream_tracker).__name__
            raise UsageError(f"tracker: expected an object with update() and predict(), got a {kind}")
    if len({id(stream_tracker) for stream_tracker in made}) < len(made):
        raise UsageError("tracker: every stream needs its own, but the function returned the same tracker twice")
    return trackers


def _warm_up_trackers(trackers: Sequence[Tracker | None]) -> None:
    """Calls the optional method `warm_up` of one tracker of each class."""
    for stream_tracker in {type(stream_tracker): stream_tracker for stream_tracker in trackers}.values():
        warm_up = getattr(stream_tracker, "warm_up", None)
        if callable(warm_up):
            warm_up()


def _above_threshold(detector: Detector | None, tracker: Tracker | None) -> list[Stage]:
    """Returns a stage that removes the weak detections that only the trackers of other streams need."""
    if tracker is not None or not isinstance(detector, ModelDetector):
        return []
    conf = detector.conf

    def above_threshold(result: Result) -> Result:
        return replace(result, detections=result.detections[result.detections.scores > conf])

    return [above_threshold]


def _status(result: Result) -> str:
    frame = result.frame
    if result.detection_age_s == 0:
        return f"{frame.source}  {frame.pts_s:.2f} s"
    age = f"{1000 * result.detection_age_s:.0f} ms" if result.detection_age_s < float("inf") else "-"
    return f"{frame.source}  {frame.pts_s:.2f} s  detections {age} old"
