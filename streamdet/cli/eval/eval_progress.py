"""Progress of an evaluation on stderr: a bar on a terminal, elsewhere a line every 30 seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_LINE_EVERY_S = 30.0
_ANNOUNCE_METRICS_FROM = 1000  # images; pycocotools took 54 s for 5000 with 100 detections each, on a busy machine


class EvalProgress:
    """Shows the number of images done, their rate and the remaining time; a context manager around the evaluation.

    Args:
        quiet: print nothing.
        clock: returns the time in seconds.
        announce_metrics: after many images, print that computing the metrics takes a while.
    """

    def __init__(
        self, quiet: bool = False, clock: Callable[[], float] = time.monotonic, announce_metrics: bool = True
    ) -> None:
        self.done = 0
        self.total = 0
        self._quiet = quiet
        self._clock = clock
        self._announce_metrics = announce_metrics and not quiet
        self._started_s: float | None = None
        self._first = 0
        self._line_s = 0.0
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        console = Console(stderr=True, highlight=False)
        if console.is_terminal and not quiet:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Updates the number of images done.

        Args:
            done: images done so far; at the first call, those of an earlier run.
            total: number of images, 0 if unknown.
        """
        now = self._clock()
        if self._started_s is None:
            self._started_s = self._line_s = now
            self._first = done
            if self._bar is not None:
                self._task = self._bar.add_task("running the detector", total=total or None, completed=done, rate="")
                self._bar.start()
        self.done, self.total = done, total
        rate = (done - self._first) / max(now - self._started_s, 1e-9)
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task, total=total or None, completed=done, rate=f"{rate:.1f}/s" if done > self._first else ""
            )
            if done == total:
                self._bar.stop()
        elif not self._quiet and now - self._line_s > _LINE_EVERY_S:
            self._line_s = now
            left = f", about {_duration((total - done) / rate if rate else 0.0)} left" if total else ""
            print(f"{done}{f' of {total}' if total else ''} images, {rate:.2f}/s{left}", file=sys.stderr)
        if done == total >= _ANNOUNCE_METRICS_FROM and self._announce_metrics:
            self._announce_metrics = False
            print("computing the metrics; this takes up to two minutes", file=sys.stderr)


def _duration(seconds: float) -> str:
    """Returns a duration in words.

    >>> _duration(42.0), _duration(200), _duration(8000)
    ('42 s', '3 min', '2 h 13 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
