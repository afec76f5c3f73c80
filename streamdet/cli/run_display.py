"""Progress and summary of `streamdet run`, printed on stderr."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from streamdet.build import PreparedRun
from streamdet.pipeline.report import Percentiles, Report, StreamReport

_REFRESH_S = 0.25
_NAME_WIDTH = 28
_SILENT_S = 2.0
_STARTING_S = 10.0  # a source may connect, and its kernels may compile
_STOP_MESSAGE_AFTER_S = 0.3  # a quicker stop needs no message


class RunDisplay:
    """Shows the progress and the summary of one job; a context manager around its run.

    Args:
        job: the job that runs.
        quiet: print nothing.
    """

    def __init__(self, job: PreparedRun, quiet: bool = False) -> None:
        self._job = job
        self._quiet = quiet
        self._console = Console(stderr=True, highlight=False)
        if not self._console.is_terminal:
            self._console.width = 120  # a log file or a pipe has no width
        self._live = Live(console=self._console, transient=True, auto_refresh=False)
        self._shows_progress = not quiet and self._console.is_terminal
        self._next_s = 0.0
        self._stopping_s = 0.0
        self._stop_announced = False

    def __enter__(self) -> Self:
        if not self._quiet and self._job.detector is not None:
            detector = self._job.detector
            backend = detector.explain.partition(" (")[0]  # `streamdet doctor` prints why no faster one was chosen
            for line in (f"{detector.spec.name} runs on {backend}", *_mode_lines(self._job)):
                self._console.print(line, soft_wrap=not self._console.is_terminal, markup=False)
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
            if error is None and not any(stream.sinks for stream in report.streams):
                self._console.print("nothing was written: to keep the result, add -o out.mp4, -o out.jsonl or --show")

    def tick(self) -> None:
        """Redraws the progress, at most four times per second."""
        now = time.monotonic()
        if self._job.pipeline.stopping:
            self._announce_stop(now)
        if self._shows_progress and now >= self._next_s:
            self._next_s = now + _REFRESH_S
            self._live.update(self._progress(), refresh=True)

    def _announce_stop(self, now: float) -> None:
        self._stopping_s = self._stopping_s or now
        if not (self._quiet or self._stop_announced) and now - self._stopping_s > _STOP_MESSAGE_AFTER_S:
            self._stop_announced = True
            self._console.print("stopping and closing files; press Ctrl-C again to exit immediately")

    def _progress(self) -> Table:
        table = Table(show_edge=False, box=None, padding=(0, 2, 0, 0), header_style="")
        table.add_column("", overflow="fold")  # a long name wraps: its end tells cameras apart
        for column in ("frames", "fps", "inferred", "age ms", "dropped"):
            table.add_column(column, justify="right", no_wrap=True)
        for stream, state in zip(self._job.report().streams, self._job.pipeline.streams, strict=True):
            last_ns = state.stats.last_shown_ns or self._job.pipeline.started_ns
            silent_s = (time.monotonic_ns() - last_ns) / 1e9
            total = state.info.frame_count if state.info is not None else None
            count = f"{stream.shown}/{total}" if total else str(stream.shown)
            age = stream.sinks[0].age.p50_ms if stream.sinks else math.nan
            table.add_row(
                Text(stream.name, style="bold"),
                count,
                _rate(stream, silent_s),
                str(stream.inferred),
                _ms(age),
                str(sum(stream.dropped.values()) + sum(sum(s.dropped.values()) for s in stream.sinks)),
            )
        return table


def _mode_lines(job: PreparedRun) -> list[str]:
    """Returns the modes that were chosen automatically, as one line if all streams have the same one."""
    chosen = {
        stream.name: f"{stream.mode}{_delay(stream)}: {stream.mode_reason}"
        for stream in job.report().streams
        if stream.mode_reason
    }
    if len(set(chosen.values())) == 1:
        return [f"mode: {next(iter(chosen.values()))}"]
    return [f"mode of {name}: {words}" for name, words in chosen.items()]


def _delay(stream: StreamReport) -> str:
    return f", {stream.delay_s:g} s delay" if stream.delay_s else ""


def _rate(stream: StreamReport, silent_s: float) -> str:
    """Returns a stream's frame rate, "starting" or "silent"; before its first frame it may be silent for longer."""
    started = stream.captured and stream.shown
    if silent_s >= (_SILENT_S if started else _STARTING_S + stream.delay_s):
        return f"[yellow]silent {silent_s:.0f} s[/]"
    return f"{stream.fps:.1f}" if started else "starting"


def summary(report: Report) -> Group:
    """Returns the summary of a run, which fits into 80 columns."""
    return Group(*(part for stream in report.streams for part in _stream_summary(stream, report.provider)))


def _stream_summary(stream: StreamReport, provider: str) -> Iterator[RenderableType]:
    where = f", inference on {provider}" if provider else ""
    mode = f"{stream.mode} ({stream.delay_s:g} s delay)" if stream.delay_s else stream.mode
    yield Text.assemble((stream.name, "bold"), f": {stream.fps:.1f} frames/s, {mode}{where}")
    yield Text(f"  captured {stream.captured} = shown {stream.shown}{_dropped(stream.dropped, ' + ')}")
    if stream.not_inferred:
        rate = f", {stream.inferred / stream.video_s:.1f} per second of video" if stream.video_s > 0 else ""
        yield Text(f"  {stream.inferred} inferred{rate}; not inferred: {_counts(stream.not_inferred)}")
    if stream.faults:
        yield Text(f"  source faults: {_counts(stream.faults)}")
    yield _times_table(stream)


def _times_table(stream: StreamReport) -> Table:
    table = Table(show_edge=False, box=None, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True, min_width=20, max_width=_NAME_WIDTH)
    for column in ("frames", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(column, justify="right", no_wrap=True, min_width=6)
    table.add_column("")
    for name, times in stream.stages.items():
        table.add_row(f"  {name}", str(stream.inferred) if name == "infer" else "", *_columns(times))
    if stream.delay_s and stream.inferred:
        share = f"{100 * stream.interpolated / max(stream.shown, 1):.0f} %"
        table.add_row("  between detections", str(stream.interpolated), "", "", "", share)
    if stream.shown_early:
        share = f"{100 * stream.shown_early / max(stream.shown, 1):.0f} %, memory full"
        table.add_row("  before the delay", str(stream.shown_early), "", "", "", share)
    if stream.mode in ("live", "smooth") and stream.inferred:
        table.add_row("  age of detections", "", *_columns(stream.detection_age))
    for sink in stream.sinks:
        age_at = Text(f"  age at {_short(sink.name)}")
        table.add_row(age_at, str(sink.written), *_columns(sink.age), _dropped(sink.dropped))
    return table


def _short(name: str) -> str:
    """Returns the end of a path; the list of written files has the full path."""
    name = name.rstrip("/").rpartition("/")[2]
    width = _NAME_WIDTH - len("  age at ")
    return name if len(name) <= width else f"…{name[-width + 1 :]}"


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
