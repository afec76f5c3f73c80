"""What `streamdet run` shows on the terminal: progress while it runs, a summary at the end. All on stderr."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from streamdet.build import Job
from streamdet.pipeline.report import Percentiles, Report, StreamReport

_REFRESH_S = 0.25
_LONGEST_NAME = 40


class Display:
    """Progress and summary of one job; a context around its run.

    Args:
        job: what runs.
        quiet: show nothing at all.
    """

    def __init__(self, job: Job, quiet: bool = False) -> None:
        self._job = job
        self._quiet = quiet
        self._console = Console(stderr=True, highlight=False)
        if not self._console.is_terminal:
            self._console.width = 120  # a log file or a pipe has no width of its own
        self._live = Live(console=self._console, transient=True, auto_refresh=False)
        self._shows_progress = not quiet and self._console.is_terminal
        self._next_s = 0.0

    def __enter__(self) -> Self:
        if not self._quiet and self._job.detector is not None:
            detector = self._job.detector
            text = f"{detector.spec.name}: running on {detector.provider} ({detector.explain})"
            self._console.print(text, markup=False, soft_wrap=True)
        if self._shows_progress:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        report = self._job.report()
        if not self._quiet and any(stream.captured for stream in report.streams):
            self._console.print(summary(report))
            for path in report.files:
                self._console.print(f"wrote {path}", markup=False, soft_wrap=True)

    def tick(self) -> None:
        """Redraws the progress, a few times a second at most."""
        now = time.monotonic()
        if self._shows_progress and now >= self._next_s:
            self._next_s = now + _REFRESH_S
            self._live.update(self._progress(), refresh=True)

    def _progress(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for stream, state in zip(self._job.report().streams, self._job.pipeline.streams, strict=True):
            total = state.info.frame_count if state.info is not None else None
            count = f"{stream.shown}/{total}" if total else str(stream.shown)
            age = stream.sinks[0].age.p50_ms if stream.sinks else math.nan
            table.add_row(
                Text(stream.name, style="bold"),
                f"{count} frames",
                f"{stream.fps:.1f} fps",
                f"{stream.inferred} inferred",
                f"age {_ms(age)} ms",
                f"dropped {sum(stream.dropped.values()) + sum(sum(s.dropped.values()) for s in stream.sinks)}",
            )
        return table


def summary(report: Report) -> Table:
    """Returns the table shown at the end of a run."""
    table = Table(show_edge=False, box=None, padding=(0, 2, 0, 0))
    table.add_column("", style="bold", no_wrap=True)
    for column in ("frames", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for stream in report.streams:
        _add_stream(table, stream, report.provider)
    return table


def _add_stream(table: Table, stream: StreamReport, provider: str) -> None:
    note = f"{stream.fps:.1f} fps, {stream.mode}" + (f", {provider}" if provider else "")
    table.add_row(Text(stream.name), str(stream.captured), "", "", "", note)
    for name, times in stream.stages.items():
        count = str(stream.inferred) if name == "infer" else ""
        table.add_row(f"  {name}", count, *_columns(times))
    table.add_row("  shown", str(stream.shown), "", "", "", _dropped(stream.dropped))
    if stream.mode == "live" and stream.inferred:
        table.add_row("  age of detections", "", *_columns(stream.detection_age))
    if stream.faults:
        table.add_row("  source faults", str(sum(stream.faults.values())), "", "", "", _counts(stream.faults))
    for sink in stream.sinks:
        table.add_row(
            Text(f"  {_short(sink.name)}"), str(sink.written), *_columns(sink.age), "age" + _dropped(sink.dropped, ", ")
        )


def _short(name: str) -> str:
    """Returns the end of a long name: the numbers must stay on the line, and files are listed in full below."""
    return name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]


def _columns(times: Percentiles) -> tuple[str, str, str]:
    return _ms(times.p50_ms), _ms(times.p95_ms), _ms(times.p99_ms)


def _dropped(dropped: dict[str, int], before: str = "") -> str:
    return f"{before}dropped {sum(dropped.values())} ({_counts(dropped)})" if dropped else ""


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{cause} {count}" for cause, count in sorted(counts.items()))


def _ms(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"
