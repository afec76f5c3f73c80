"""Listeners that get the progress of a download."""

from __future__ import annotations

import logging
from pathlib import Path

from streamdet.model_spec.origin import Origin, format_bytes
from streamdet.redact import redact_address

log = logging.getLogger(__name__)


class DownloadListener:
    """Gets the progress of a download; this base class ignores it."""

    def on_start(self, origin: Origin, url: str, path: Path, have_bytes: int) -> None:
        """A download from one mirror to `path` starts; `have_bytes` are left from an earlier download."""

    def on_progress(self, have_bytes: int, total_bytes: int) -> None:
        """`have_bytes` of the file are here; `total_bytes` is 0 if the server does not state it."""

    def on_problem(self, text: str) -> None:
        """An error that need not end the download; `text` has no credentials."""


class DownloadLogger(DownloadListener):
    """Logs the start and the errors of a download.

    It logs warnings, so that they appear even if logging is not set up: a download takes time and traffic.
    """

    def on_start(self, origin: Origin, url: str, path: Path, have_bytes: int) -> None:
        """Logs what is downloaded from where."""
        log.warning("%s", download_announcement(origin, url, path, have_bytes))

    def on_problem(self, text: str) -> None:
        """Logs the error."""
        log.warning("%s", text)


def download_announcement(origin: Origin, url: str, path: Path, have_bytes: int = 0) -> str:
    """Returns one line that states what is about to be downloaded."""
    size = f"{format_bytes(origin.size_bytes)}, " if origin.size_bytes else ""
    terms = f"license {origin.licence}" if origin.licence else "no stated license"
    resumed = f", resuming at {format_bytes(have_bytes)}" if have_bytes else ""
    return f"downloading {origin.name} ({size}{terms}) from {redact_address(url)} into {path}{resumed}"
