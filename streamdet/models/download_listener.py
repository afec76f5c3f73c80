"""Who is told how a download goes."""

from __future__ import annotations

import logging
from pathlib import Path

from streamdet.model_spec.origin import Origin, format_bytes
from streamdet.redact import redact_address

log = logging.getLogger(__name__)


class DownloadListener:
    """Is told how a download goes; this one tells nobody."""

    def on_start(self, origin: Origin, url: str, path: Path, have_bytes: int) -> None:
        """One mirror is asked for a file that will be kept at `path`; so much of it is here from before."""

    def on_progress(self, have_bytes: int, total_bytes: int) -> None:
        """So much of the file is here; `total_bytes` is 0 where the server does not say it."""

    def on_problem(self, text: str) -> None:
        """Something went wrong that need not be the end, in words without credentials."""


class DownloadLogger(DownloadListener):
    """Writes what a program's owner should know to the log.

    These are warnings, so that they are seen where logging was not set up: a download takes time and traffic.
    """

    def on_start(self, origin: Origin, url: str, path: Path, have_bytes: int) -> None:
        """Says what comes from where."""
        log.warning("%s", download_announcement(origin, url, path, have_bytes))

    def on_problem(self, text: str) -> None:
        """Says it."""
        log.warning("%s", text)


def download_announcement(origin: Origin, url: str, path: Path, have_bytes: int = 0) -> str:
    """Returns what is about to be downloaded, in one line."""
    size = f"{format_bytes(origin.size_bytes)}, " if origin.size_bytes else ""
    licence = f"licence {origin.licence}" if origin.licence else "of no stated licence"
    begun = f", going on at {format_bytes(have_bytes)}" if have_bytes else ""
    return f"getting {origin.name} ({size}{licence}) from {redact_address(url)} into {path}{begun}"
