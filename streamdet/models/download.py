"""Downloads a file from its mirrors: resumes partial downloads, and renames the file only after it is verified."""

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
_OTHER_FOLDER = "STREAMDET_MODELS may name another folder for known models"
_DISK_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


@dataclass(frozen=True, slots=True)
class DownloadRetries:
    """Timeouts and retries.

    Attributes:
        timeout_s: longest wait for a connection, and for the next byte.
        waits_s: wait before each retry of a mirror after a temporary error. The count restarts whenever more of the
            file has arrived.
    """

    timeout_s: float = 30.0
    waits_s: tuple[float, ...] = (1.0, 3.0, 9.0)


class _WrongContentError(MirrorError):
    """The complete file is not the expected one."""


def download_file(
    origin: Origin,
    path: Path,
    listener: DownloadListener | None = None,
    *,
    replace: bool = False,
    retries: DownloadRetries | None = None,
) -> None:
    """Downloads a file to `path` from the first mirror that has the right one.

    The data go to a partial file in the same folder (`partial_path`), which is renamed once size and digests match. An
    interrupted download leaves the partial file, and the next one, from any mirror, resumes there. If several processes
    want the same file, one downloads it and the others wait.

    Args:
        origin: size, digests and download addresses of the file.
        path: destination; its folder is created, private to the user.
        listener: gets the progress.
        replace: replace an existing file; otherwise it is left unchanged.
        retries: timeouts and retries.

    Raises:
        DownloadError: every mirror failed, with the reason of each; or the file cannot be written.
        ModelError: no mirror or no digest is known, or the file is too large.
    """
    if not origin.urls:
        raise ModelError(f"no download URL is known for {origin.name}: {download_help(origin, path)}")
    if not origin.digests:
        fix = "add its `sha256` or `sha384` to the model's description"
        raise ModelError(
            f"{origin.name} has no known digest, so it is not downloaded: {fix}, or {download_help(origin, path)}"
        )
    if origin.size_bytes > MAX_BYTES:
        raise ModelError(f"{origin.name} has {origin.size_bytes} bytes; models of up to {MAX_BYTES} bytes are read")
    listener, retries = listener or DownloadListener(), retries or DownloadRetries()
    partial = partial_path(path, origin)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked_partial_download(
            partial, lambda: listener.on_problem(f"another process is downloading {origin.name}; waiting for it")
        ) as part:
            if replace or not path.exists():
                _download_from_mirrors(origin, path, part, listener, retries)
    except OSError as error:
        raise DownloadError(_write_error_message(origin, path, partial, error)) from None


def _download_from_mirrors(
    origin: Origin, path: Path, part: PartialDownload, listener: DownloadListener, retries: DownloadRetries
) -> None:
    failures: list[str] = []
    for url in origin.urls:
        try:
            listener.on_start(origin, url, path, part.size)
            _download_from_mirror(_Download(origin, url, part, listener, retries.timeout_s), retries.waits_s)
            part.finish_as(path)
            return
        except MirrorError as failure:
            failures.append(f"{_host(url)}: {failure}")
            if url is not origin.urls[-1]:
                listener.on_problem(f"{failures[-1]}; trying the next mirror")
    kept = f"; {format_bytes(part.size)} of it are kept for the next try" if part.size else ""
    raise DownloadError(f"cannot download {origin.name}: {'; '.join(failures)}{kept}; {download_help(origin, path)}")


def _download_from_mirror(download: _Download, waits_s: tuple[float, ...]) -> None:
    """Downloads from one mirror, with retries.

    Raises:
        MirrorError: the error of the last try.
    """
    tries, largest_size = 0, download.part.size
    while True:
        is_from_elsewhere = download.part.size > 0 and download.part.source != download.url
        try:
            download.resume()
            return
        except _WrongContentError as failure:
            if not is_from_elsewhere:
                raise
            download.listener.on_problem(f"the earlier partial download does not fit ({failure}); starting again")
        except RangeNotSatisfiableError:
            if not download.part.size:
                raise
            download.part.restart()
        except TemporaryMirrorError as failure:
            if download.part.size > largest_size:
                tries, largest_size = 0, download.part.size
            if tries == len(waits_s):
                raise
            wait_s = max(waits_s[tries], failure.after_s)
            tries += 1
            download.listener.on_problem(f"{_host(download.url)}: {failure}; trying again in {wait_s:g} s")
            time.sleep(wait_s)


class _Download:
    """A download from one address into a partial file."""

    def __init__(
        self, origin: Origin, url: str, part: PartialDownload, listener: DownloadListener, timeout_s: float
    ) -> None:
        self.origin = origin
        self.url = url
        self.part = part
        self.listener = listener
        self._timeout_s = timeout_s
        self._if_range: dict[str, str] = {}

    def resume(self) -> None:
        """Downloads what is missing, and verifies the complete file.

        Raises:
            MirrorError: the file is incomplete or wrong; wrong content is dropped.
            OSError: the file cannot be written.
        """
        limit = self.origin.size_bytes or MAX_BYTES
        if self.part.size > limit:
            self.part.restart()
        if self.part.size < limit:
            self._receive(limit)
        mismatch = self.part.mismatch(self.origin)
        if mismatch:
            self.part.restart()
            raise _WrongContentError(f"its file is another one: {mismatch}")

    def _receive(self, limit: int) -> None:
        headers = {"Range": f"bytes={self.part.size}-", **self._if_range} if self.part.size else {}
        with open_url(self.url, headers, self._timeout_s) as response:
            start, total = _body_range(response)
            if start not in (0, self.part.size):
                raise MirrorError("it sends another range than requested")
            if self.origin.size_bytes and total and total != self.origin.size_bytes:
                raise MirrorError(f"its file has {total} bytes, expected {self.origin.size_bytes}")
            if total > limit:
                raise MirrorError(f"its file has {total} bytes, at most {limit} are read")
            if start != self.part.size or not start:
                self.part.restart(self.url)
            elif self.part.source != self.url:
                self.part.source = ""
            self._if_range = _if_range_header(response)
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


def _body_range(response: http.client.HTTPResponse) -> tuple[int, int]:
    """Returns the offset of a response body in the file, and the file size, 0 if unknown.

    Raises:
        MirrorError: the response does not state the offset.
    """
    if response.status == 200:
        return 0, response.length or 0
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if match is None:
        raise MirrorError("it does not state which range of the file it sends")
    return int(match[1]), 0 if match[3] == "*" else int(match[3])


def _if_range_header(response: http.client.HTTPResponse) -> dict[str, str]:
    """Returns the header that makes a server send a range only if its file is unchanged (RFC 9110, If-Range)."""
    tag, date = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
    is_strong = tag.startswith('"')  # a weak tag (W/) is not allowed in If-Range
    return {"If-Range": tag} if is_strong else {"If-Range": date} if date else {}


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "no host"
    except ValueError:
        return "no host"


def _write_error_message(origin: Origin, path: Path, partial: Path, error: OSError) -> str:
    if error.errno not in _DISK_FULL:
        return f"cannot write {partial}: {error.strerror or error}; {_OTHER_FOLDER}"
    have_bytes = partial.stat().st_size if partial.is_file() else 0
    kept = (
        f"; {format_bytes(have_bytes)} are kept in {os.fspath(partial)}, and the next try resumes there"
        if have_bytes
        else ""
    )
    return f"no space for {origin.name} in {path.parent} ({error.strerror}): free some; {_OTHER_FOLDER}{kept}"
