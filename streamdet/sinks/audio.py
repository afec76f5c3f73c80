"""The audio of a file, passed through beside its annotated video."""

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
    """Audio packets of a file, in the order of their time, as they are: never decoded.

    The file is opened a second time, so that video source and sink each keep a container of their own.
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
        """Yields the packets that begin before `time_s`; leaves out those before `first_s`."""
        while (packet := self._peek()) is not None:
            begin_s = _time_of(packet) * self._time_base
            if begin_s >= time_s:
                return
            self._next = None
            if begin_s >= first_s:
                packet.stream = self._target
                yield packet

    def close(self) -> None:
        """Gives the file back."""
        self._container.close()

    def _peek(self) -> av.Packet[AudioStream] | None:
        while self._next is None and not self._ended:
            try:
                packet = next(self._packets)
            except StopIteration:
                self._ended = True
            except (OSError, ValueError) as error:  # damaged from here on: the video goes on without sound
                log.warning("the audio of %s ends early: %s", self._path, redact(str(error)))
                self._ended = True
            else:
                if packet.size and packet.pts is not None and packet.dts is not None:
                    self._next = packet
        return self._next


def _time_of(packet: av.Packet[AudioStream]) -> int:
    assert packet.pts is not None
    return packet.pts


def open_audio(path: Path, output: OutputContainer) -> AudioTrack | None:
    """Adds the audio of `path` to a file that is about to begin.

    Returns:
        None where there is none, or where it cannot be passed through (that is logged, the video does not suffer).
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
        holding = [suffix for suffix, format in _FORMATS.items() if _holds(format, codec)]
        hint = f"; write {' or '.join(holding)} to keep it" if holding else ""
        log.warning("the audio of %s is left out: a %s file cannot hold %s%s", path, output.format.name, codec, hint)
        container.close()
        return None
    return AudioTrack(container, stream, target, path)


def _holds(format: str, codec: str) -> bool:
    with av.open(io.BytesIO(), "w", format=format) as container:
        return codec in container.supported_codecs
