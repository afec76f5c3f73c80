"""From an address to a source: one table."""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from streamdet.errors import SourceError, UsageError
from streamdet.redact import redact_address
from streamdet.sources import suffixes
from streamdet.sources.base import Source
from streamdet.sources.options import SourceOptions

# Each factory imports what it needs when it is called, so that importing this module stays light (no av, no cv2).


def _camera(url: str, name: str | None, options: SourceOptions) -> Source:
    from streamdet.sources.camera import CameraSource, camera_index

    index = camera_index(url)
    assert index is not None, "the table sends only camera addresses here"
    return CameraSource(index, name or f"camera{index}", options)


def _network(url: str, name: str | None, options: SourceOptions) -> Source:
    from streamdet.sources.network import NetworkSource
    from streamdet.sources.reconnect import ReconnectingSource

    parts = _split(url)
    shown = redact_address(url)
    name = name or _network_name(shown)
    scheme_lowered = parts.scheme + url[len(parts.scheme) :]

    def connect() -> Source:
        return NetworkSource(scheme_lowered, shown, name, options)

    if not options.reconnect:
        return connect()
    return ReconnectingSource(connect(), connect, options.backoff, wait_for_source=options.wait_for_source)


def _web(url: str, name: str | None, options: SourceOptions) -> Source:
    """A web address that names a video file is one; any other (HLS, MPEG-TS, MJPEG) is a live stream."""
    from streamdet.sources.file import WebFileSource

    parts = _split(url)
    if Path(parts.path).suffix.lower() not in suffixes.VIDEOS:
        return _network(url, name, options)
    shown = redact_address(url)
    return _paced(WebFileSource(url, shown, name or _network_name(shown), options), options)


def _synthetic(url: str, name: str | None, options: SourceOptions) -> Source:
    from streamdet.sources.synthetic import SyntheticSource

    source = SyntheticSource(url, name or "synthetic")
    return source if source.live else _paced(source, options)  # with live=1 it has a clock of its own


def _images(url: str, name: str | None, options: SourceOptions) -> Source:
    from streamdet.sources.images import ImagesSource

    named_after = Path(url) if Path(url).exists() else Path(re.split(r"[*?\[]", url)[0] + "*").parent
    return _paced(ImagesSource(url, name or _safe_name(named_after.resolve().stem), options), options)


def _file(url: str, name: str | None, options: SourceOptions) -> Source:
    from streamdet.sources.file import FileSource

    path = Path(unquote(url[len("file://") :]) if url.lower().startswith("file://") else url)
    if not os.path.exists(path):  # unlike Path's, it is false for names that cannot be
        shown = redact_address(str(path))
        raise SourceError(f"{shown}: no such file: check the path{_meant(path) if shown == str(path) else ''}")
    if path.is_dir() or path.suffix.lower() in suffixes.IMAGES:
        return _images(str(path), name, options)
    return _paced(FileSource(path, name or _safe_name(path.stem), options), options)


@dataclass(frozen=True, slots=True)
class AddressKind:
    """One kind of address: how it looks, and what makes a source of it."""

    looks_like: str
    matches: re.Pattern[str]
    make: Callable[[str, str | None, SourceOptions], Source]


def _row(looks_like: str, pattern: str, make: Callable[[str, str | None, SourceOptions], Source]) -> AddressKind:
    return AddressKind(looks_like, re.compile(pattern, re.IGNORECASE), make)


TABLE: tuple[AddressKind, ...] = (
    _row("0, 1, ... or /dev/video0", r"(/dev/video)?\d{1,4}$", _camera),
    _row("rtsp:// rtsps:// rtmp:// rtmps://", r"(rtsps?|rtmps?)://", _network),
    _row("http:// https://", r"https?://", _web),
    _row("synthetic:", r"synthetic:", _synthetic),
    _row("file://", r"file://", _file),
)
"""The first row that matches makes the source; what no row matches is a path: a video file, an image, a directory of
images, or a pattern like ``frames/*.png``."""

SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "file", "synthetic")


def create_source(url: str, *, name: str | None = None, options: SourceOptions | None = None) -> Source:
    """Makes the source for an address. Nothing is connected or opened yet: `Source.open` does that.

    Args:
        url: see `TABLE`.
        name: of the stream; made from the address where not given (file stem, host and path). Two sources of one run
            may come to the same name: the run tells them apart.
        options: how to open and read it.

    Raises:
        SourceError: there is no such file, image or kind of source.
        UsageError: the address is malformed.
    """
    options = options or SourceOptions()
    if not url or any(ord(c) < 32 for c in url):
        raise UsageError("a source address must not be empty or hold control characters")
    for row in TABLE:
        if row.matches.match(url):
            return row.make(url, name, options)
    if not os.path.exists(url):
        _check_kind(url)
        if re.search(r"[*?\[]", url):
            return _images(url, name, options)
    return _file(url, name, options)


def _check_kind(url: str) -> None:
    """Raises for what is no path but an address that no row of the table knows."""
    shown = redact_address(url)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?", url)
    if scheme and (scheme[2] or scheme[1].lower() in SCHEMES):
        close = difflib.get_close_matches(scheme[1].lower(), SCHEMES, n=1)
        hint = f"did you mean {close[0]}://?" if close else "known are " + ", ".join(f"{s}:" for s in SCHEMES)
        raise SourceError(f"{shown}: unknown kind of address {scheme[1]!r}: {hint}")
    if shown != url and next(glob.iglob(url, recursive=True), None) is None:
        raise SourceError(f"{shown}: no such file, and as an address it lacks its kind: write rtsp://{shown}")
    if url.lower() == "synthetic":
        raise SourceError("synthetic: no such file: did you mean synthetic: (with a colon)?")


def _paced(source: Source, options: SourceOptions) -> Source:
    if not options.realtime:
        return source
    from streamdet.sources.realtime import RealtimeSource

    return RealtimeSource(source)


def _split(url: str) -> SplitResult:
    """Takes an address apart, checking what a typo breaks most often."""
    scheme = url.partition(":")[0].lower()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        # Nothing of the address is shown: where the host was forgotten, what looks like its port is the password.
        raise UsageError(
            f"malformed address: {scheme}:// is not followed by a host and a port up to 65535; "
            f"write {scheme}://host:port/path, and / ? # @ in a password as %2F %3F %23 %40"
        ) from None
    if not host:
        raise UsageError(f"{redact_address(url)}: malformed address: no host; write {parts.scheme}://host:port/path")
    return parts


def _network_name(shown: str) -> str:
    """Returns the host and the last part of the path, of an address without its credentials.

    A path with settings in it (``/user=admin&password=...``, ``/live/token=...``) is no name and may hold more secrets
    than are known as such: then the host alone.
    """
    try:
        parts = urlsplit(shown)
        host = parts.hostname or parts.scheme
    except ValueError:  # it was an address before its credentials were taken out: odd ones, but they may connect
        return _safe_name(shown.partition(":")[0])
    last = "" if re.search(r"[=&;@:*]", unquote(parts.path)) else Path(parts.path).stem
    return _safe_name(f"{host}_{last}" if last else host)


def _safe_name(text: str) -> str:
    """Returns `text` as it can stand in file names and logs."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_.")[:64] or "source"


def _meant(path: Path) -> str:
    """Names a file beside the missing one that is spelled almost like it."""
    try:
        close = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1)
    except FileNotFoundError:
        return f" (there is no directory {path.parent})"
    except OSError as error:
        return f" ({path.parent}: {error.strerror})"
    return f" (did you mean {close[0]}?)" if close else ""
