"""The Python interface: run a job, or iterate its results."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike, fspath
from typing import Any

from streamdet.build import PreparedRun, build
from streamdet.config import Config, parse_config
from streamdet.errors import UsageError
from streamdet.pipeline.queues import Channel, Closed, Policy
from streamdet.pipeline.report import Report
from streamdet.protocols import Stage
from streamdet.sinks.base import ConsumerGone, Sink
from streamdet.types import Result, SourceInfo

Where = str | int | PathLike[str]
"""A url, a path, or the number of a camera."""

_FRESH_S = 0.2  # who looks at a live stream's results wants what is now; a few frames of slack for an uneven loop


def run(
    sources: Where | Sequence[Where] | Mapping[str, Any],
    model: Where | None = None,
    *,
    outputs: Where | Sequence[Where] = (),
    on_result: Callable[[Result], None] | None = None,
    stages: Sequence[Stage] = (),
    **options: Any,
) -> Report:
    """Runs until every source has ended, and returns what was done.

    Args:
        sources: one or several urls or paths as on the command line, or name -> url or options.
        model: name, .onnx or .yaml.
        outputs: files and folders to write.
        on_result: called with every result, annotated if `outputs` need pictures; not in the caller's thread, but for
            one result at a time.
        stages: functions from result to result (or None, which drops the frame), between tracking and drawing. They
            run in the thread of their stream: with several sources, for several results at a time.
        **options: further keys of the configuration, e.g. ``detector={"conf": 0.4}, mode="live", show=True``.

    Raises:
        StreamdetError: the first error of the run; what was recorded before it is kept.
    """
    config = _config(sources, model, outputs, options)
    one_at_a_time = threading.Lock()
    sinks = (lambda: [_Callback(on_result, one_at_a_time)]) if on_result is not None else (lambda: [])
    return build(config, stages=stages, extra_sinks=sinks).run()


def stream(
    sources: Where | Sequence[Where] | Mapping[str, Any],
    model: Where | None = None,
    *,
    outputs: Where | Sequence[Where] = (),
    stages: Sequence[Stage] = (),
    annotate: bool = False,
    **options: Any,
) -> Iterator[Result]:
    """Yields the results of all sources as they come. Leaving the loop stops the run and closes all outputs.

    A loop slower than a file holds it back; a loop slower than a live source loses frames, which are counted.

    Args:
        sources: as for `run`.
        model: as for `run`.
        outputs: as for `run`.
        stages: as for `run`.
        annotate: draw boxes, so that `result.picture.bgr()` shows them.
        **options: as for `run`; windows (`show`) are not possible here.

    Raises:
        StreamdetError: the first error of the run, once the results before it were yielded.
    """
    config = _config(sources, model, outputs, options)
    if config.show or any(uri.startswith("window:") for uri in config.outputs):
        raise UsageError("windows need the main thread: use streamdet.run(..., show=True)")
    results: Channel[_Handed] = Channel(1, Policy.BLOCK, lambda handed, _: handed.drop())
    sinks = lambda: [_Handover(results)]  # noqa: E731
    return _results(build(config, stages=stages, extra_sinks=sinks, always_annotate=annotate), results)


def _results(job: PreparedRun, results: Channel[_Handed]) -> Iterator[Result]:
    pipeline = job.pipeline
    pipeline.start()
    try:
        while True:
            ended = pipeline.ended  # asked before the channel: what was handed over by then is still taken
            try:
                handed = results.get(timeout_s=0.1)
            except TimeoutError:
                if ended:
                    break
                continue
            handed.answered.set()
            yield handed.result
    finally:
        results.abort("stopped")
        if not pipeline.ended:
            pipeline.stop()
        try:
            pipeline.wait()
        finally:
            job.close()


def _config(
    sources: Where | Sequence[Where] | Mapping[str, Any],
    model: Where | None,
    outputs: Where | Sequence[Where],
    options: dict[str, Any],
) -> Config:
    named = dict(sources) if isinstance(sources, Mapping) else [_text(url) for url in _several(sources)]
    tree = {**options, "sources": named, "outputs": [_text(uri) for uri in _several(outputs)]}
    if model is not None:
        tree["model"] = _text(model)
    return parse_config(tree)


def _several(given: Where | Sequence[Where]) -> Sequence[Where]:
    return [given] if isinstance(given, str | int | PathLike) else given


def _text(where: Any) -> Any:
    """Returns paths and camera numbers as a command line has them; the configuration judges the rest."""
    return str(where) if isinstance(where, int) else fspath(where) if isinstance(where, PathLike) else where


class _Callback(Sink):
    """Calls a function with every result."""

    max_lag_s = _FRESH_S

    def __init__(self, function: Callable[[Result], None], one_at_a_time: threading.Lock) -> None:
        super().__init__("callback")
        self._function = function
        self._one_at_a_time = one_at_a_time

    def open(self, info: SourceInfo) -> None:
        """Nothing to prepare."""

    def write(self, result: Result) -> None:
        """Calls the function."""
        with self._one_at_a_time:
            self._function(result)

    def close(self) -> None:
        """Nothing to finish."""


class _Handed:
    """A result on its way to the loop, and whether it got there."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.answered = threading.Event()
        self.dropped = False

    def drop(self) -> None:
        self.dropped = True
        self.answered.set()


class _Handover(Sink):
    """Hands results to the thread that iterates."""

    max_lag_s = _FRESH_S

    def __init__(self, results: Channel[_Handed]) -> None:
        super().__init__("iterator")
        self._results = results

    def open(self, info: SourceInfo) -> None:
        """Nothing to prepare."""

    def write(self, result: Result) -> None:
        """Waits until the loop has taken it."""
        handed = _Handed(result)
        try:
            self._results.put(handed)
        except Closed:
            raise ConsumerGone from None
        handed.answered.wait()
        if handed.dropped:
            raise ConsumerGone

    def close(self) -> None:
        """Other streams may still use the channel."""
