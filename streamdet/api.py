"""The Python interface: `run` a configuration to its end, or iterate over its results with `stream`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike, fspath
from typing import Any

from streamdet.build import PreparedRun, build
from streamdet.config import Config, parse_config
from streamdet.endpoints import SinkFactory, opens_windows
from streamdet.errors import UsageError
from streamdet.pipeline.queues import Channel, Closed, Policy
from streamdet.pipeline.report import Report
from streamdet.protocols import Detector, Stage, Tracker
from streamdet.sinks.base import ConsumerGone, Sink
from streamdet.types import Result, SourceInfo

Location = str | int | PathLike[str]
"""A URL, a path, or the number of a camera."""

Sources = Location | Sequence[Location] | Mapping[str, Any] | Config
"""One or several locations; a mapping from stream name to location or source options; or a complete configuration."""

SinkChoice = Sequence[Sink] | SinkFactory
"""The caller's own sinks: of the only source, or a function from stream name to the sinks of that stream."""

TrackerChoice = str | Mapping[str, Any] | Callable[[], Tracker]
"""A tracker's name, the keys of `tracker` in the configuration, or a function that creates a tracker."""

_MAX_LAG_S = 0.2  # results of a live stream must be recent; this allows an uneven loop a few frames


def run(
    sources: Sources,
    model: Location | Detector | None = None,
    *,
    outputs: Location | Sequence[Location] = (),
    sinks: SinkChoice = (),
    tracker: TrackerChoice | None = None,
    on_result: Callable[[Result], None] | None = None,
    stages: Sequence[Stage] = (),
    **options: Any,
) -> Report:
    """Runs until every source has ended, and returns the report.

    Args:
        sources: one or several URLs or paths as on the command line; a mapping from stream name to URL or source
            options; or a `Config`, which is then the complete configuration.
        model: a model's name, an .onnx file or a .yaml description. Or a `Detector`: one thread of the run uses it, and
            the caller closes it afterwards. For a detector that `load_detector` did not create,
            ``detector={"conf": ...}`` states its score threshold, 0.5 by default.
        outputs: files and folders to write.
        sinks: the caller's own sinks. A sink takes the results of one stream, in its own thread, and is opened and
            closed by the run. With one source: a sequence of sinks. With several: a function that is called once with
            the name of each stream and returns new sinks for it.
        tracker: the name of a tracker ("bytetrack", or as given to `register_tracker`); the keys of `tracker` in the
            configuration; or a function without arguments, called once per stream, that returns a new `Tracker`. Such a
            tracker gets the detections above `detector.conf`.
        on_result: called with every result, from another thread, for one result at a time. The result is annotated if
            an output or a sink needs annotated pictures.
        stages: functions from result to result, or to None, which drops the frame. They run between tracking and
            drawing, in the thread of their stream: with several sources, several may run at a time.
        **options: further keys of the configuration, e.g. ``detector={"conf": 0.4}, mode="live", show=True``.

    Raises:
        StreamdetError: the first error of the run; what was recorded before it is kept.
    """
    config = _config(sources, model, outputs, tracker, options)
    make_sinks = _sink_factory(sinks, config)
    one_at_a_time = threading.Lock()

    def all_sinks(name: str) -> list[Sink]:
        callbacks = [] if on_result is None else [_Callback(on_result, one_at_a_time)]
        return [*make_sinks(name), *callbacks]

    return _build(config, model, tracker, all_sinks, stages).run()


def stream(
    sources: Sources,
    model: Location | Detector | None = None,
    *,
    outputs: Location | Sequence[Location] = (),
    sinks: SinkChoice = (),
    tracker: TrackerChoice | None = None,
    stages: Sequence[Stage] = (),
    annotate: bool = False,
    **options: Any,
) -> Iterator[Result]:
    """Yields the results of all sources as they come. Leaving the loop stops the run and closes all outputs.

    A loop that is slower than a file slows the file down. A loop that is slower than a live source loses frames, which
    the report counts.

    Args:
        sources: as for `run`.
        model: as for `run`.
        outputs: as for `run`.
        sinks: as for `run`; sinks that need the main thread are an error here.
        tracker: as for `run`.
        stages: as for `run`.
        annotate: draw boxes, so that `result.picture.bgr()` shows them.
        **options: as for `run`; windows (`show`) are an error here.

    Raises:
        StreamdetError: the first error of the run, after the results before it.
    """
    config = _config(sources, model, outputs, tracker, options)
    if opens_windows(config):
        raise UsageError("windows need the main thread: use streamdet.run(..., show=True)")
    make_sinks = _sink_factory(sinks, config)
    results: Channel[_Handover] = Channel(1, Policy.BLOCK, lambda handover, _: handover.drop())

    def all_sinks(name: str) -> list[Sink]:
        own = make_sinks(name)
        if needing := [sink.name for sink in own if sink.needs_main_thread]:
            raise UsageError(f"sink {needing[0]} needs the main thread: use streamdet.run(..., sinks=...)")
        return [*own, _IteratorSink(results)]

    return _results(_build(config, model, tracker, all_sinks, stages, always_annotate=annotate), results)


def _results(prepared: PreparedRun, results: Channel[_Handover]) -> Iterator[Result]:
    pipeline = prepared.pipeline
    pipeline.start()
    try:
        while True:
            ended = pipeline.ended  # read before the channel: what was handed over by then is still yielded
            try:
                handover = results.get(timeout_s=0.1)
            except TimeoutError:
                if ended:
                    break
                continue
            handover.answered.set()
            yield handover.result
    finally:
        results.abort("stopped")
        if not pipeline.ended:
            pipeline.stop()
        try:
            pipeline.wait()
        finally:
            prepared.close()


def _build(
    config: Config,
    model: Location | Detector | None,
    tracker: TrackerChoice | None,
    sinks: SinkFactory,
    stages: Sequence[Stage],
    always_annotate: bool = False,
) -> PreparedRun:
    return build(
        config,
        detector=model if isinstance(model, Detector) else None,
        tracker=tracker if callable(tracker) else None,
        sinks=sinks,
        stages=stages,
        always_annotate=always_annotate,
    )


def _config(
    sources: Sources,
    model: Location | Detector | None,
    outputs: Location | Sequence[Location],
    tracker: TrackerChoice | None,
    options: dict[str, Any],
) -> Config:
    """Returns the configuration; a detector or a tracker's function is not part of it.

    Raises:
        UsageError: a value cannot be used; keys are given in addition to a `Config`.
    """
    tree = dict(options)
    if model is not None and not isinstance(model, Detector):
        tree["model"] = _text(model)
    if isinstance(tracker, str):
        tree["tracker"] = {"kind": tracker}
    elif isinstance(tracker, Mapping):
        tree["tracker"] = tracker
    elif tracker is not None and not callable(tracker):
        raise UsageError(
            f"tracker: expected a name, options, or a function that returns a new tracker for each stream, "
            f"got a {type(tracker).__name__}"
        )
    if written := [_text(uri) for uri in _several(outputs)]:
        tree["outputs"] = written
    if isinstance(sources, Config):
        if tree:
            raise UsageError(f"a Config is complete: set {', '.join(sorted(tree))} in it")
        return sources
    tree["sources"] = dict(sources) if isinstance(sources, Mapping) else [_text(url) for url in _several(sources)]
    return parse_config(tree)


def _sink_factory(sinks: SinkChoice, config: Config) -> SinkFactory:
    """Returns the function from stream name to the caller's sinks.

    Raises:
        UsageError: one sequence of sinks is given for several sources.
    """
    if callable(sinks):
        return sinks
    own = list(sinks)
    if own and len(config.sources) > 1:
        raise UsageError(
            f"sinks: a list of sinks serves one source, and there are {len(config.sources)}: "
            "give a function that takes a stream's name and returns new sinks for it"
        )
    return lambda name: own


def _several(given: Location | Sequence[Location]) -> Sequence[Location]:
    return [given] if isinstance(given, str | int | PathLike) else given


def _text(location: Any) -> Any:
    """Returns paths and camera numbers as text; `parse_config` checks everything else."""
    if isinstance(location, int):
        return str(location)
    return fspath(location) if isinstance(location, PathLike) else location


class _Callback(Sink):
    """Calls a function with every result."""

    max_lag_s = _MAX_LAG_S

    def __init__(self, function: Callable[[Result], None], one_at_a_time: threading.Lock) -> None:
        super().__init__("callback")
        self._function = function
        self._one_at_a_time = one_at_a_time

    def open(self, info: SourceInfo) -> None:
        """Does nothing."""

    def write(self, result: Result) -> None:
        """Calls the function."""
        with self._one_at_a_time:
            self._function(result)

    def close(self) -> None:
        """Does nothing."""


class _Handover:
    """A result on its way to the iterating thread.

    Attributes:
        result: the result.
        answered: set once the result was taken or dropped.
        dropped: whether it was dropped.
    """

    def __init__(self, result: Result) -> None:
        self.result = result
        self.answered = threading.Event()
        self.dropped = False

    def drop(self) -> None:
        self.dropped = True
        self.answered.set()


class _IteratorSink(Sink):
    """Hands results to the thread that iterates over `stream`."""

    max_lag_s = _MAX_LAG_S

    def __init__(self, results: Channel[_Handover]) -> None:
        super().__init__("iterator")
        self._results = results

    def open(self, info: SourceInfo) -> None:
        """Does nothing."""

    def write(self, result: Result) -> None:
        """Waits until the iterating thread has taken the result."""
        handover = _Handover(result)
        try:
            self._results.put(handover)
        except Closed:
            raise ConsumerGone from None
        handover.answered.wait()
        if handover.dropped:
            raise ConsumerGone

    def close(self) -> None:
        """Does nothing: other streams may still use the channel."""
