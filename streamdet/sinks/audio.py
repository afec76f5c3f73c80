"""Passes the audio of a source file through to the recorded video."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av

from streamdet.redact import redact

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer

log = logging.getLogger(__name__)

_FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov"}


class AudioTrack:
    """The audio packets of a file in order of their time, not decoded.

    The file is opened a second time, so that the video source and the sink do not share a container.
    """

    def __init__(self, container: InputContainer, stream: AudioStream, target: AudioStream, path: Path) -> None:
        self._container = container
        self._target = target
        self._path = path
        self._packets = container.demux(stream)
        self._time_base = Fraction(stream.time_base or 0)
        self._next: av.Packet[AudioStream] | None = None
        self._ended = False

    def until(self, time_s: Fraction, first_s: Fraction) -> Iterator[av.Packet[AudioStream]]:
        """Yields the packets that start before `time_s`; skips those before `first_s`."""
        while (packet := self._peek()) is not None:
            start_s = _pts(packet) * self._time_base
            if start_s >= time_s:
                return
            self._next = None
            if start_s >= first_s:
                packet.stream = self._target
                yield packet

    def close(self) -> None:
        """Closes the file."""
        self._container.close()

    def _peek(self) -> av.Packet[AudioStream] | None:
        while self._next is None and not self._ended:
            try:
                packet = next(self._packets)
            except StopIteration:
                self._ended = True
            except (OSError, ValueError) as error:  # damaged from here on: the video continues without audio
                log.warning("the audio of %s ends early: %s", self._path, redact(str(error)))
                self._ended = True
            else:
                if packet.size and packet.pts is not None and packet.dts is not None:
                    self._next = packet
        return self._next


def _pts(packet: av.Packet[AudioStream]) -> int:
    assert packet.pts is not None
    return packet.pts


def open_audio(path: Path, output: OutputContainer) -> AudioTrack | None:
    """Adds the audio of `path` to an output whose header is not written yet.

    Returns:
        None if there is no audio or it cannot be passed through. The latter is logged; the video is recorded anyway.
    """
    try:
        container = av.open(f"file:{path}")
    except (OSError, ValueError) as error:
        log.warning("no audio from %s: %s", path, redact(str(error)))
        return None
    stream = next(iter(container.streams.audio), None)
    if stream is None:
        container.close()
        return None
    try:
        target = output.add_stream_from_template(stream)
    except ValueError:
        codec = stream.codec_context.codec.canonical_name
        suffixes = [suffix for suffix, format in _FORMATS.items() if _supports(format, codec)]
        hint = f"; to keep it write {' or '.join(suffixes)}" if suffixes else ""
        log.warning(
            "the audio of %s is not recorded: %s files do not support %s%s", path, output.format.name, codec, hint
        )
        container.close()
        return None
    return AudioTrack(container, stream, target, path)


def _supports(format: str, codec: str) -> bool:
    with av.open(io.BytesIO(), "w", format=format) as container:
        return codec in container.supported_codecs
