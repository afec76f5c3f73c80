"""Creates the source for an address: one table from kinds of address to source classes."""

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

# Each function imports its source class when called, so that importing this module stays light (no av, no cv2).


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
    """Creates a file source for an address that ends like a video file, else a live stream (HLS, MPEG-TS, MJPEG)."""
    from streamdet.sources.file import WebFileSource

    parts = _split(url)
    if Path(parts.path).suffix.lower() not in suffixes.VIDEOS:
        return _network(url, name, options)
    shown = redact_address(url)
    return _paced(WebFileSource(url, shown, name or _network_name(shown), options), options)


def _synthetic(url: str, name: str | None, options: SourceOptions) -> Source:
    from streamdet.sources.synthetic import SyntheticSource

    source = SyntheticSource(url, name or "synthetic")
    return source if source.live else _paced(source, options)  # with live=1 it paces itself


def _images(url: str, name: str | None, options: SourceOptions) -> Source:
    from streamdet.sources.images import ImagesSource

    path = Path(url) if Path(url).exists() else Path(re.split(r"[*?\[]", url)[0] + "*").parent  # part before wildcards
    return _paced(ImagesSource(url, name or _safe_name(path.resolve().stem), options), options)


def _file(url: str, name: str | None, options: SourceOptions) -> Source:
    from streamdet.sources.file import FileSource

    path = Path(unquote(url[len("file://") :]) if url.lower().startswith("file://") else url)
    if not os.path.exists(path):  # returns False for impossible names, where Path.exists raises
        shown = redact_address(str(path))
        raise SourceError(f"{shown}: no such file: check the path{_suggestion(path) if shown == str(path) else ''}")
    if path.is_dir() or path.suffix.lower() in suffixes.IMAGES:
        return _images(str(path), name, options)
    return _paced(FileSource(path, name or _safe_name(path.stem), options), options)


@dataclass(frozen=True, slots=True)
class AddressKind:
    """One kind of address.

    Attributes:
        example: a human-readable example address.
        pattern: matches the start of such an address.
        create: creates the source from address, name and options.
    """

    example: str
    pattern: re.Pattern[str]
    create: Callable[[str, str | None, SourceOptions], Source]


def _row(example: str, pattern: str, create: Callable[[str, str | None, SourceOptions], Source]) -> AddressKind:
    return AddressKind(example, re.compile(pattern, re.IGNORECASE), create)


ADDRESS_KINDS: tuple[AddressKind, ...] = (
    _row("0, 1, ... or /dev/video0", r"(/dev/video)?\d{1,4}$", _camera),
    _row("rtsp:// rtsps:// rtmp:// rtmps://", r"(rtsps?|rtmps?)://", _network),
    _row("http:// https://", r"https?://", _web),
    _row("synthetic:", r"synthetic:", _synthetic),
    _row("file://", r"file://", _file),
)
"""The first matching row creates the source. An address without a matching row is a path: a video file, an image, a
directory of images, or a glob pattern like ``frames/*.png``. A new kind of source is a new row here."""

SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "file", "synthetic")


def create_source(url: str, *, name: str | None = None, options: SourceOptions | None = None) -> Source:
    """Creates the source for an address. `Source.open` connects or opens it later.

    Args:
        url: the address; see `ADDRESS_KINDS`.
        name: name of the stream; default: derived from the address (file stem, or host and path). Two sources of a run
            may get the same name; the run then makes them different.
        options: how to open and read the source.

    Raises:
        SourceError: the file, the images or the kind of source do not exist.
        UsageError: the address is malformed.
    """
    options = options or SourceOptions()
    if not url or any(ord(c) < 32 for c in url):
        raise UsageError("a source address must not be empty or contain control characters")
    for kind in ADDRESS_KINDS:
        if kind.pattern.match(url):
            return kind.create(url, name, options)
    if not os.path.exists(url):
        _check_is_path(url)
        if re.search(r"[*?\[]", url):
            return _images(url, name, options)
    return _file(url, name, options)


def _check_is_path(url: str) -> None:
    """Raises if `url` is not a path but an address with a missing or unknown scheme."""
    shown = redact_address(url)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?", url)
    if scheme and (scheme[2] or scheme[1].lower() in SCHEMES):
        close = difflib.get_close_matches(scheme[1].lower(), SCHEMES, n=1)
        hint = f"did you mean {close[0]}://?" if close else "supported are " + ", ".join(f"{s}:" for s in SCHEMES)
        raise SourceError(f"{shown}: unknown kind of address {scheme[1]!r}: {hint}")
    if shown != url and next(glob.iglob(url, recursive=True), None) is None:
        raise SourceError(f"{shown}: no such file; if it is a network address, write rtsp://{shown}")
    if url.lower() == "synthetic":
        raise SourceError("synthetic: no such file: did you mean synthetic: (with a colon)?")


def _paced(source: Source, options: SourceOptions) -> Source:
    if not options.realtime:
        return source
    from streamdet.sources.realtime import RealtimeSource

    return RealtimeSource(source)


def _split(url: str) -> SplitResult:
    """Splits an address and checks the parts that typos break most often."""
    scheme = url.partition(":")[0].lower()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        # The message shows nothing of the address: if the host is missing, the password is in the place of the port.
        raise UsageError(
            f"malformed address: after {scheme}:// come a host and a port up to 65535; "
            f"write {scheme}://host:port/path, and / ? # @ in a password as %2F %3F %23 %40"
        ) from None
    if not host:
        raise UsageError(f"{redact_address(url)}: malformed address: no host; write {parts.scheme}://host:port/path")
    return parts


def _network_name(shown: str) -> str:
    """Returns a name made of the host and the last part of the path, from an address without credentials.

    If the path contains settings (``/user=admin&password=...``, ``/live/token=...``), the name is the host alone: there
    may be secrets in the path that `redact_address` does not recognize.
    """
    try:
        parts = urlsplit(shown)
        host = parts.hostname or parts.scheme
    except ValueError:  # unusual credentials: the address was valid before they were removed, and may connect
        return _safe_name(shown.partition(":")[0])
    last = "" if re.search(r"[=&;@:*]", unquote(parts.path)) else Path(parts.path).stem
    return _safe_name(f"{host}_{last}" if last else host)


def _safe_name(text: str) -> str:
    """Returns `text` reduced to characters that are safe in file names and logs."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_.")[:64] or "source"


def _suggestion(path: Path) -> str:
    """Returns a hint that names a file of similar spelling in the same directory."""
    try:
        close = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1)
    except FileNotFoundError:
        return f" (there is no directory {path.parent})"
    except OSError as error:
        return f" ({path.parent}: {error.strerror})"
    return f" (did you mean {close[0]}?)" if close else ""
