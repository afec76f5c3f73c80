"""The Python interface: run a job, or iterate its results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from streamdet.build import Job, build
from streamdet.config import parse_config
from streamdet.errors import UsageError
from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.queues import Channel, Closed, Policy
from streamdet.pipeline.report import Report
from streamdet.pipeline.stages import Stage
from streamdet.sinks.base import Sink, WindowClosed
from streamdet.sources.base import SourceInfo
from streamdet.types import Result

_FRESH_S = 0.2  # who looks at a live stream's results wants what is now; a few frames of slack for an uneven loop


def run(
    source: str | Sequence[str] | dict[str, Any],
    model: str | None = None,
    *,
    outputs: Sequence[str] = (),
    on_result: Callable[[Result], None] | None = None,
    stages: Sequence[Stage] = (),
    **options: Any,
) -> Report:
    """Runs until every source has ended, and returns what was done.

    Args:
        source: one or several urls as on the command line, or name -> url or options.
        model: name, .onnx or .yaml.
        outputs: files and folders to write.
        on_result: called with every result, annotated if `outputs` need pictures, in a thread of its own.
        stages: functions from result to result (or None, which drops the frame), between tracking and drawing.
        **options: further keys of the configuration, e.g. ``detector={"conf": 0.4}, mode="live", show=True``.

    Raises:
        StreamdetError: the first error of the run; what was recorded before it is kept.
    """
    sinks = (lambda: [_Callback(on_result)]) if on_result is not None else (lambda: [])
    return _job(source, model, outputs, options, stages=stages, extra_sinks=sinks).run()


def stream(
    source: str | Sequence[str] | dict[str, Any],
    model: str | None = None,
    *,
    outputs: Sequence[str] = (),
    stages: Sequence[Stage] = (),
    annotate: bool = False,
    **options: Any,
) -> Iterator[Result]:
    """Yields the results of all sources as they come. Leaving the loop stops the run and closes all outputs.

    A loop slower than a file holds it back; a loop slower than a live source loses frames, which are counted.

    Args:
        source: as for `run`.
        model: as for `run`.
        outputs: as for `run`.
        stages: as for `run`.
        annotate: draw boxes, so that `result.picture.bgr()` shows them.
        **options: as for `run`; windows (`show`) are not possible here.

    Raises:
        StreamdetError: the first error of the run, once the results before it were yielded.
    """
    if options.get("show"):
        raise UsageError("show=True needs the main thread: use streamdet.run(..., show=True)")
    results: Channel[Result] = Channel(1, Policy.BLOCK)
    job = _job(
        source,
        model,
        outputs,
        options,
        stages=stages,
        extra_sinks=lambda: [_Handover(results)],
        always_annotate=annotate,
    )
    return _results(job, job.pipeline, results)


def _results(job: Job, pipeline: Pipeline, results: Channel[Result]) -> Iterator[Result]:
    pipeline.start()
    try:
        while True:
            ended = pipeline.ended  # asked before the channel: what was handed over by then is still taken
            try:
                yield results.get(timeout_s=0.1)
            except TimeoutError:
                if ended:
                    break
    finally:
        results.abort("stopped")
        if not pipeline.ended:
            pipeline.stop()
        try:
            pipeline.wait()
        finally:
            job.close()


def _job(
    source: str | Sequence[str] | dict[str, Any],
    model: str | None,
    outputs: Sequence[str],
    options: dict[str, Any],
    **parts: Any,
) -> Job:
    sources = [source] if isinstance(source, str) else dict(source) if isinstance(source, dict) else list(source)
    tree = {**options, "sources": sources, "outputs": list(outputs)}
    if model is not None:
        tree["model"] = model
    return build(parse_config(tree), **parts)


class _Callback(Sink):
    """Calls a function with every result."""

    max_lag_s = _FRESH_S

    def __init__(self, function: Callable[[Result], None]) -> None:
        super().__init__("callback")
        self._function = function

    def open(self, info: SourceInfo) -> None:
        """Nothing to prepare."""

    def write(self, result: Result) -> None:
        """Calls the function."""
        self._function(result)

    def close(self) -> None:
        """Nothing to finish."""


class _Handover(Sink):
    """Hands results to the thread that iterates."""

    max_lag_s = _FRESH_S

    def __init__(self, results: Channel[Result]) -> None:
        super().__init__("iterator")
        self._results = results

    def open(self, info: SourceInfo) -> None:
        """Nothing to prepare."""

    def write(self, result: Result) -> None:
        """Waits until the loop asks for it."""
        try:
            self._results.put(result)
        except Closed:
            raise WindowClosed from None

    def close(self) -> None:
        """Other streams may still use the channel."""
