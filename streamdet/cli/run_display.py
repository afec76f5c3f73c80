"""What `streamdet run` shows on the terminal: progress while it runs, a summary at the end. All on stderr."""

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
_BEGINS_S = 10.0  # a source that connects, or compiles what it renders with
_PATIENCE_S = 0.3  # a stop that takes longer is worth a word


class RunDisplay:
    """Progress and summary of one job; a context around its run.

    Args:
        job: what runs.
        quiet: show nothing at all.
    """

    def __init__(self, job: PreparedRun, quiet: bool = False) -> None:
        self._job = job
        self._quiet = quiet
        self._console = Console(stderr=True, highlight=False)
        if not self._console.is_terminal:
            self._console.width = 120  # a log file or a pipe has no width of its own
        self._live = Live(console=self._console, transient=True, auto_refresh=False)
        self._shows_progress = not quiet and self._console.is_terminal
        self._next_s = 0.0
        self._stopping_s = 0.0
        self._said_stopping = False

    def __enter__(self) -> Self:
        if not self._quiet and self._job.detector is not None:
            detector = self._job.detector
            chosen = detector.explain.partition(" (")[0]  # why not on something better is for `streamdet doctor`
            words = f"{detector.spec.name} runs on {chosen}"
            for line in (words, *_modes(self._job)):
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
                self._console.print("nothing was written: to keep the result add -o out.mp4, -o out.jsonl or --show")

    def tick(self) -> None:
        """Redraws the progress, a few times a second at most."""
        now = time.monotonic()
        if self._job.pipeline.stopping:
            self._say_stopping(now)
        if self._shows_progress and now >= self._next_s:
            self._next_s = now + _REFRESH_S
            self._live.update(self._progress(), refresh=True)

    def _say_stopping(self, now: float) -> None:
        self._stopping_s = self._stopping_s or now
        if not (self._quiet or self._said_stopping) and now - self._stopping_s > _PATIENCE_S:
            self._said_stopping = True
            self._console.print("stopping and closing files; Ctrl-C once more leaves at once")

    def _progress(self) -> Table:
        table = Table(show_edge=False, box=None, padding=(0, 2, 0, 0), header_style="")
        table.add_column("", overflow="fold")  # a name that does not fit goes on below: its end tells cameras apart
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


def _modes(job: PreparedRun) -> list[str]:
    """Returns what was chosen unasked for the streams, in one line where it is the same for all."""
    chosen = {
        stream.name: f"{stream.mode}{_behind(stream)}: {stream.mode_reason}"
        for stream in job.report().streams
        if stream.mode_reason
    }
    if len(set(chosen.values())) == 1:
        return [f"mode: {next(iter(chosen.values()))}"]
    return [f"mode of {name}: {words}" for name, words in chosen.items()]


def _behind(stream: StreamReport) -> str:
    return f", {stream.delay_s:g} s behind" if stream.delay_s else ""


def _rate(stream: StreamReport, silent_s: float) -> str:
    """Returns the rate of a stream; or that it is silent, which takes longer where it has shown nothing yet."""
    begun = stream.captured and stream.shown
    if silent_s >= (_SILENT_S if begun else _BEGINS_S + stream.delay_s):
        return f"[yellow]silent {silent_s:.0f} s[/]"
    return f"{stream.fps:.1f}" if begun else "starting"


def summary(report: Report) -> Group:
    """Returns what is shown at the end of a run; fits 80 columns."""
    return Group(*(part for stream in report.streams for part in _about(stream, report.provider)))


def _about(stream: StreamReport, provider: str) -> Iterator[RenderableType]:
    where = f", inference on {provider}" if provider else ""
    mode = f"{stream.mode} ({stream.delay_s:g} s later)" if stream.delay_s else stream.mode
    yield Text.assemble((stream.name, "bold"), f": {stream.fps:.1f} frames/s, {mode}{where}")
    yield Text(f"  captured {stream.captured} = shown {stream.shown}{_dropped(stream.dropped, ' + ')}")
    if stream.not_inferred:
        rate = f", {stream.inferred / stream.video_s:.1f} a second of video" if stream.video_s > 0 else ""
        yield Text(f"  {stream.inferred} inferred{rate}; not looked at: {_counts(stream.not_inferred)}")
    if stream.faults:
        yield Text(f"  source faults: {_counts(stream.faults)}")
    yield _times(stream)


def _times(stream: StreamReport) -> Table:
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
        share = f"{100 * stream.shown_early / max(stream.shown, 1):.0f} %, no memory"
        table.add_row("  before the delay", str(stream.shown_early), "", "", "", share)
    if stream.mode in ("live", "smooth") and stream.inferred:
        table.add_row("  age of detections", "", *_columns(stream.detection_age))
    for sink in stream.sinks:
        age_at = Text(f"  age at {_short(sink.name)}")
        table.add_row(age_at, str(sink.written), *_columns(sink.age), _dropped(sink.dropped))
    return table


def _short(name: str) -> str:
    """Returns the end of a path, which tells it from others; the whole of it is in the list of files."""
    name = name.rstrip("/").rpartition("/")[2]
    most = _NAME_WIDTH - len("  age at ")
    return name if len(name) <= most else f"…{name[-most + 1 :]}"


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
