"""Downloads a file from its mirrors: what was begun goes on, and only what is right gets the file's name."""

from __future__ import annotations

import errno
import http.client
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from streamdet.errors import DownloadError, ModelError
from streamdet.model_spec.origin import Origin, format_bytes
from streamdet.models.download_help import download_help
from streamdet.models.download_listener import DownloadListener
from streamdet.models.http_client import (
    MirrorError,
    RangeNotSatisfiableError,
    TemporaryMirrorError,
    open_url,
    read_chunk,
)
from streamdet.models.onnx_file import MAX_BYTES
from streamdet.models.partial_download import PartialDownload, locked_partial_download, partial_path

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_ELSEWHERE = "STREAMDET_MODELS may name another folder for known models"
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


@dataclass(frozen=True, slots=True)
class DownloadRetries:
    """How long to wait for servers.

    Attributes:
        timeout_s: for a connection, and for the next byte.
        waits_s: before each further try of a mirror that failed in a way that may pass. The count starts anew whenever
            more of the file has come.
    """

    timeout_s: float = 30.0
    waits_s: tuple[float, ...] = (1.0, 3.0, 9.0)


class _Wrong(MirrorError):
    """A whole file came, and it is another one."""


def download_file(
    origin: Origin,
    path: Path,
    listener: DownloadListener | None = None,
    *,
    replace: bool = False,
    retries: DownloadRetries | None = None,
) -> None:
    """Puts a file at `path`, from the first mirror that gives the right one.

    The data go to a partial file in the same folder (`partial_path`), which is renamed once size and digests match. An
    interrupted download leaves the partial file, and the next one, from any mirror, resumes there. If several processes
    want the same file, one downloads it and the others wait.

    Args:
        origin: what it should be, and where it can be had.
        path: where it should be; its folder is made, closed to others.
        listener: is told how it goes.
        replace: also where there is a file already; else that one is left as it is.
        retries: how long to wait for servers.

    Raises:
        DownloadError: no mirror gave it, with the reason of each; or it cannot be kept here.
        ModelError: it cannot be asked for: no mirror or no digest is known, or it is too large.
    """
    if not origin.urls:
        raise ModelError(f"nobody says where {origin.name} can be had: {download_help(origin, path)}")
    if not origin.digests:
        fix = "say its `sha256` or `sha384` in the model's description"
        raise ModelError(f"only what can be checked is downloaded: {fix}, or {download_help(origin, path)}")
    if origin.size_bytes > MAX_BYTES:
        raise ModelError(f"{origin.name} has {origin.size_bytes} bytes; models of up to {MAX_BYTES} bytes are read")
    listener, retries = listener or DownloadListener(), retries or DownloadRetries()
    part = partial_path(path, origin)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked_partial_download(
            part, lambda: listener.on_problem(f"another process is getting {origin.name}; waiting for it")
        ) as p:
            if replace or not path.exists():
                _from_mirrors(origin, path, p, listener, retries)
    except OSError as error:
        raise DownloadError(_not_kept(origin, path, part, error)) from None


def _from_mirrors(
    origin: Origin, path: Path, part: PartialDownload, listener: DownloadListener, retries: DownloadRetries
) -> None:
    failures: list[str] = []
    for url in origin.urls:
        try:
            listener.on_start(origin, url, path, part.size)
            _from_mirror(_Download(origin, url, part, listener, retries.timeout_s), retries.waits_s)
            part.finish_as(path)
            return
        except MirrorError as failure:
            failures.append(f"{_host(url)}: {failure}")
            if url is not origin.urls[-1]:
                listener.on_problem(f"{failures[-1]}; trying the next mirror")
    begun = f"; {format_bytes(part.size)} of it are kept for the next try" if part.size else ""
    raise DownloadError(f"cannot get {origin.name}: {'; '.join(failures)}{begun}; {download_help(origin, path)}")


def _from_mirror(download: _Download, waits_s: tuple[float, ...]) -> None:
    """Asks one mirror until it has given the file, or no hope is left.

    Raises:
        MirrorFailed: as the last try ended.
    """
    tries, most = 0, download.part.size
    while True:
        begun_elsewhere = download.part.size > 0 and download.part.source != download.url
        try:
            download.go_on()
            return
        except _Wrong as failure:
            if not begun_elsewhere:
                raise
            download.listener.on_problem(f"what was begun before does not fit ({failure}); starting anew")
        except RangeNotSatisfiableError:
            if not download.part.size:
                raise
            download.part.restart()
        except TemporaryMirrorError as failure:
            if download.part.size > most:
                tries, most = 0, download.part.size
            if tries == len(waits_s):
                raise
            wait_s = max(waits_s[tries], failure.after_s)
            tries += 1
            download.listener.on_problem(f"{_host(download.url)}: {failure}; trying again in {wait_s:g} s")
            time.sleep(wait_s)


class _Download:
    """A file on its way from one address into a part."""

    def __init__(
        self, origin: Origin, url: str, part: PartialDownload, listener: DownloadListener, timeout_s: float
    ) -> None:
        self.origin = origin
        self.url = url
        self.part = part
        self.listener = listener
        self._timeout_s = timeout_s
        self._version: dict[str, str] = {}

    def go_on(self) -> None:
        """Gets what is missing, and checks the whole.

        Raises:
            MirrorFailed: it is not whole, or not right; what is not right is dropped.
            OSError: it cannot be written.
        """
        limit = self.origin.size_bytes or MAX_BYTES
        if self.part.size > limit:
            self.part.restart()
        if self.part.size < limit:
            self._receive(limit)
        wrong = self.part.mismatch(self.origin)
        if wrong:
            self.part.restart()
            raise _Wrong(f"its file is another one: {wrong}")

    def _receive(self, limit: int) -> None:
        asked = {"Range": f"bytes={self.part.size}-", **self._version} if self.part.size else {}
        with open_url(self.url, asked, self._timeout_s) as response:
            start, total = _offered(response)
            if start not in (0, self.part.size):
                raise MirrorError("it sends another part than was asked for")
            if self.origin.size_bytes and total and total != self.origin.size_bytes:
                raise MirrorError(f"its file has {total} bytes, expected {self.origin.size_bytes}")
            if total > limit:
                raise MirrorError(f"its file has {total} bytes, at most {limit} are read")
            if start != self.part.size or not start:
                self.part.restart(self.url)
            elif self.part.source != self.url:
                self.part.source = ""
            self._version = _version(response)
            total = total or self.origin.size_bytes
            self._check_space(total - self.part.size)
            self.listener.on_progress(self.part.size, total)
            while data := read_chunk(response):
                if self.part.size + len(data) > limit:
                    self.part.restart()
                    raise MirrorError(f"it sends more than {limit} bytes")
                self.part.append(data)
                self.listener.on_progress(self.part.size, total)
        if self.part.size < total:
            raise TemporaryMirrorError(f"the connection ended after {self.part.size} of {total} bytes")

    def _check_space(self, needed: int) -> None:
        free = shutil.disk_usage(self.part.path.parent).free
        if needed > free:
            raise OSError(errno.ENOSPC, f"{format_bytes(needed)} are needed, {format_bytes(free)} are free")


def _offered(response: http.client.HTTPResponse) -> tuple[int, int]:
    """Returns where an answer's body begins in the file, and the file's size, 0 where it is not told.

    Raises:
        MirrorFailed: it does not say which part it is.
    """
    if response.status == 200:
        return 0, response.length or 0
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if found is None:
        raise MirrorError("it does not say which part of the file it sends")
    return int(found[1]), 0 if found[3] == "*" else int(found[3])


def _version(response: http.client.HTTPResponse) -> dict[str, str]:
    """Returns what makes a server send the rest of a file only if it is still the same one (RFC 9110, If-Range)."""
    tag, date = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
    strong = tag.startswith('"')  # a weak one (W/) is not allowed there
    return {"If-Range": tag} if strong else {"If-Range": date} if date else {}


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "no host"
    except ValueError:
        return "no host"


def _not_kept(origin: Origin, path: Path, part: Path, error: OSError) -> str:
    if error.errno not in _FULL:
        return f"cannot write {part}: {error.strerror or error}; {_ELSEWHERE}"
    have = part.stat().st_size if part.is_file() else 0
    kept = f"; {format_bytes(have)} are kept in {os.fspath(part)}, and the next try goes on from there" if have else ""
    return f"no room for {origin.name} in {path.parent} ({error.strerror}): make some; {_ELSEWHERE}{kept}"
