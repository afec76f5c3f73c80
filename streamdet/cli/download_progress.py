"""Progress of downloads on stderr: source, license and a progress bar."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import TransferSpeedColumn as SpeedColumn

from streamdet.model_spec.origin import Origin
from streamdet.models.download_listener import DownloadListener, download_announcement
from streamdet.redact import redact

_REFRESH_S = 0.1


class DownloadProgress(DownloadListener):
    """Shows the progress of downloads; a context manager around them.

    The progress bar appears on a terminal only.

    Args:
        quiet: print nothing; a failed download still raises its error.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._next_s = 0.0
        self._name = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_bar()

    def on_start(self, origin: Origin, url: str, path: Path, have_bytes: int) -> None:
        """Prints the name, source and target of a download."""
        self._name = origin.name
        self._print(download_announcement(origin, url, path, have_bytes))

    def on_progress(self, have_bytes: int, total_bytes: int) -> None:
        """Updates the progress bar, at most ten times per second."""
        if self._quiet or not self._console.is_terminal:
            return
        if self._bar is None:
            self._start_bar(have_bytes)
        if self._bar is None:
            return
        now, complete = time.monotonic(), have_bytes == total_bytes
        if now >= self._next_s or complete:
            self._next_s = now + _REFRESH_S
            self._bar.update(self._task, completed=have_bytes, total=total_bytes or None)
            self._bar.refresh()
        if complete:
            self._end_bar()

    def on_problem(self, text: str) -> None:
        """Prints a problem on its own line."""
        self._print(text)

    def _print(self, text: str) -> None:
        self._end_bar()
        if not self._quiet:
            self._console.print(f"streamdet: {redact(text)}", markup=False, soft_wrap=True)

    def _start_bar(self, have_bytes: int) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            SpeedColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=self._console, auto_refresh=False)
        self._task = self._bar.add_task(self._name, completed=have_bytes, total=None)
        self._bar.start()

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
