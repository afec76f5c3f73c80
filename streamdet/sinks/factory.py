"""Creates the sink for an output (``-o``): one table from scheme, one from suffix, to a function that creates it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from streamdet.errors import UsageError
from streamdet.redact import redact_address
from streamdet.sinks.base import Sink
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.output_path import InputFiles, same_target


def _video(uri: str, options: SinkOptions, inputs: InputFiles) -> Sink:
    from streamdet.sinks.video import VideoSink

    return VideoSink(Path(uri), options, inputs)


def _json_lines(uri: str, options: SinkOptions, inputs: InputFiles) -> Sink:
    from streamdet.sinks.jsonl import JsonLinesSink

    return JsonLinesSink(Path(uri), options, inputs)


def _images(uri: str, options: SinkOptions, inputs: InputFiles) -> Sink:
    from streamdet.sinks.images import ImageSink

    return ImageSink(uri, options, inputs)


def _window(uri: str, options: SinkOptions, inputs: InputFiles) -> Sink:
    from streamdet.sinks.window import WindowSink

    return WindowSink(uri.partition(":")[2])


def _null(uri: str, options: SinkOptions, inputs: InputFiles) -> Sink:
    from streamdet.sinks.null import NullSink

    return NullSink(uri)


def _unsupported(uri: str, options: SinkOptions, inputs: InputFiles) -> Sink:
    scheme = uri.partition(":")[0]
    raise UsageError(
        f"{redact_address(uri)}: publishing to {scheme} is not supported yet; write a file, for example -o out.mp4"
    )


_Factory = Callable[[str, SinkOptions, InputFiles], Sink]

_WINDOW = "window:"

_BY_SCHEME: dict[str, _Factory] = {
    "null:": _null,
    _WINDOW: _window,
    "rtsp://": _unsupported,
    "rtsps://": _unsupported,
    "rtmp://": _unsupported,
    "rtmps://": _unsupported,
    "http://": _unsupported,
    "https://": _unsupported,
    "mqtt://": _unsupported,
    "mqtts://": _unsupported,
}

_BY_SUFFIX: dict[str, _Factory] = {
    ".mp4": _video,
    ".m4v": _video,
    ".mov": _video,
    ".mkv": _video,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".jpg": _images,
    ".jpeg": _images,
    ".png": _images,
}


def is_window(uri: str) -> bool:
    """Returns whether an output is a window.

    >>> is_window("WINDOW:front"), is_window("window.mp4")
    (True, False)
    """
    return uri.lower().startswith(_WINDOW)


def supported_outputs() -> str:
    """Returns a list of all kinds of output for messages and help texts."""
    schemes = [scheme for scheme, factory in _BY_SCHEME.items() if factory is not _unsupported]
    *kinds, last = [f"a file ending in {', '.join(_BY_SUFFIX)}", "a folder ending in /", *schemes]
    return f"{', '.join(kinds)} or {last}"


def create_sink(uri: str, *, options: SinkOptions | None = None, inputs: InputFiles | None = None) -> Sink:
    """Creates the sink for `uri` and checks all that can be checked without a stream.

    Args:
        uri: ``out.mp4``, ``out.mkv``, ``out.jsonl``, ``out/%06d.jpg``, ``out/``, ``null:``, ``window:`` or
            ``window:TITLE``.
        options: how to write it.
        inputs: files that the run reads, which no output may overwrite.

    Raises:
        UsageError: there is no such kind of output, or the file is an input.
        SinkError: the file cannot be written there, or there is no screen.
        HardwareError: the requested encoder does not work on this machine.
    """
    options, inputs = options or SinkOptions(), inputs or InputFiles()
    if any(ord(c) < 32 for c in uri):
        raise UsageError("the name of an output must not contain control characters")
    for scheme, factory in _BY_SCHEME.items():
        if uri.lower().startswith(scheme):
            return factory(uri, options, inputs)
    if "://" in uri:
        raise UsageError(f"{redact_address(uri)}: unknown kind of output; use {supported_outputs()}")
    by_suffix = _BY_SUFFIX.get(Path(uri).suffix.lower())
    if uri.endswith(("/", "\\")) or (by_suffix is None and uri and Path(uri).is_dir()):
        return _images(uri, options, inputs)
    if by_suffix is None:
        raise UsageError(f"the name {redact_address(uri)!r} has no known suffix; use {supported_outputs()}")
    return by_suffix(uri, options, inputs)


def check_distinct(uris: Sequence[str]) -> None:
    """Checks that no two outputs are the same file or folder.

    Raises:
        UsageError: two outputs are the same; each would overwrite the other.
    """
    paths = [Path(uri) for uri in uris if not uri.lower().startswith(tuple(_BY_SCHEME))]
    for number, path in enumerate(paths):
        for other in paths[:number]:
            if same_target(path, other):
                raise UsageError(f"two outputs would write {path}; give them different names")
