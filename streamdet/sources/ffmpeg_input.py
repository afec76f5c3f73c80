"""One FFmpeg input and its video stream, opened, read and closed by one thread."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import av.error
from av.codec.context import Flags
from av.stream import Disposition

from streamdet.errors import SourceError
from streamdet.sources.ffmpeg_errors import explain, silent
from streamdet.sources.orientation import check_size

_GEN_PTS = 0x0001  # AVFMT_FLAG_GENPTS

_WITHOUT_TIMES = {"mpjpeg", "mjpeg", "h264", "hevc"}

MAX_DECODE_ERRORS = 300
"""Packets in a row that may fail to decode: ten seconds of video. Then the source counts as broken."""

MAX_READ_ERRORS = 3
"""Reads in a row that may fail before a file counts as ended where it is damaged."""


@dataclass(frozen=True, slots=True)
class InputSettings:
    """How FFmpeg opens an input.

    Attributes:
        network: it comes over a network: errors and silence end it, nothing is tried again here.
        options: FFmpeg's own, by its names.
        format: name of the container to force; None lets FFmpeg find out.
        open_timeout_s: for connecting and for looking into the stream, each; None waits for ever.
        read_timeout_s: for each packet; None waits for ever.
        stall_timeout_s: between decoded pictures; None waits for ever.
        low_delay: give pictures as soon as they are decoded rather than decode many at once.
        codecs: decoders that may be used; empty means all.
        max_pixels: largest picture that is decoded.
    """

    network: bool = False
    options: dict[str, str] = field(default_factory=dict, repr=False)
    format: str | None = None
    open_timeout_s: float | None = None
    read_timeout_s: float | None = None
    stall_timeout_s: float | None = None
    low_delay: bool = False
    codecs: frozenset[str] = frozenset()
    max_pixels: int = 7680 * 4320


def fraction(rational: Any) -> Fraction | None:
    """Returns FFmpeg's rational, None where it is unset: PyAV up to 18 gives None then, from 19 on 0/0 or 0/1."""
    if not rational or not rational.denominator:
        return None
    return Fraction(int(rational.numerator), int(rational.denominator))


class FFmpegInput:
    """An open input. Only the thread that made it may use it: FFmpeg crashes otherwise.

    Attributes:
        codec: name of the decoder.
        time_base: of packets and frames, seconds.
        average_rate: as the container states it.
        frame_count: as the container states it.
        duration_s: of the video, as the container states it; None for live streams.
        has_audio: there is sound beside the video.
        has_times: the format carries timestamps; where it does not, FFmpeg makes them up for 25 frames per second.
    """

    def __init__(self, location: str, name: str, settings: InputSettings, faults: Counter[str]) -> None:
        """Opens `location`.

        Raises:
            SourceError: it cannot be opened or holds no video that can be decoded.
        """
        self._name = name
        self._settings = settings
        self._faults = faults
        self._owner = threading.get_ident()
        self._decode_errors = 0
        self._complete = False
        self._packets_read = 0
        self._container: av.container.InputContainer | None = self._open(location)
        try:
            self._stream = self._video_stream(self._container)
            self._prepare_decoder()
            self._container.flags &= ~_GEN_PTS  # PyAV's default; what is made up runs back
        except BaseException:
            self.close()
            raise
        self.codec: str = self._stream.codec_context.name
        self.time_base: Fraction = fraction(self._stream.time_base) or Fraction(1, 1000)
        self.average_rate: Fraction | None = fraction(self._stream.average_rate)
        self.frame_count: int | None = self._stream.frames or None
        self.has_audio: bool = bool(self._container.streams.audio)
        self.has_times: bool = self._container.format.name not in _WITHOUT_TIMES
        self.duration_s: float | None = self._duration_s(self._container)

    def _open(self, location: str) -> av.container.InputContainer:
        settings = self._settings
        started = time.monotonic()
        timeout = (settings.open_timeout_s, settings.read_timeout_s)
        options = {**settings.options, "max_pixels": str(settings.max_pixels)}
        try:
            return av.open(location, "r", format=settings.format, options=options, timeout=timeout)
        except av.error.FFmpegError as error:
            raise self._explained(error, opening=True, took_s=time.monotonic() - started) from None
        except UnicodeDecodeError:  # metadata in an unknown encoding ends PyAV's open
            raise SourceError(f"{self._name}: its metadata is not UTF-8: remux it without metadata") from None

    def _duration_s(self, container: av.container.InputContainer) -> float | None:
        if self._stream.duration:
            return float(self._stream.duration * self.time_base)
        whole = container.duration  # of the longest stream
        return whole / av.time_base if whole and whole > 0 else None

    def _video_stream(self, container: av.container.InputContainer) -> av.VideoStream:
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            what = "only sound" if container.streams.audio else "no video"
            raise SourceError(f"{self._name}: there is {what} in it: give a source with a video stream")
        stream = streams[0]
        if stream.codec_context is None:
            raise SourceError(f"{self._name}: no decoder for its video here (unknown codec): convert it to H.264")
        allowed = self._settings.codecs
        if allowed and stream.codec_context.name not in allowed:
            known = ", ".join(sorted(allowed))
            raise SourceError(
                f"{self._name}: {stream.codec_context.name} is not decoded from this kind of source (only {known})"
            )
        return stream

    def _prepare_decoder(self) -> None:
        context = self._stream.codec_context
        if context.width or context.height:  # 0x0: not known before the first frame
            check_size(self._name, context.width, context.height, self._settings.max_pixels)
        context.options = {"max_pixels": str(self._settings.max_pixels)}
        if self._settings.low_delay:
            context.thread_type = "SLICE"  # frame threads hold one picture back for each thread
            context.thread_count = 2
            context.flags |= Flags.low_delay
        else:
            context.thread_type = "AUTO"

    def frames(self, stopping: threading.Event) -> Iterator[av.VideoFrame]:
        """Yields decoded frames in presentation order until the end or until `stopping` is set.

        Damaged packets are counted and skipped.

        Raises:
            SourceError: the input failed, or sends data of which no picture can be decoded.
        """
        last_frame = time.monotonic()
        for packet in self._packets(stopping):
            for frame in self._decode(packet):
                last_frame = time.monotonic()
                yield frame
                if self._container is None or stopping.is_set():
                    return
            stall = self._settings.stall_timeout_s
            if stall is not None and time.monotonic() - last_frame > stall:
                raise SourceError(f"{self._name}: data arrives, but no picture could be decoded for {stall:g} s")

    def _packets(self, stopping: threading.Event) -> Iterator[av.Packet[av.VideoStream] | None]:
        """Demuxes, ending with None or an empty packet, on which the decoder gives what it still holds.

        After an error the demuxer is started anew where it stands, since an exception ends a generator.
        """
        failures = 0
        while self._container is not None and failures < MAX_READ_ERRORS:
            packets = self._container.demux(self._stream)
            try:
                while self._container is not None and not stopping.is_set():
                    packet = next(packets, None)
                    if packet is None:
                        self._complete = failures == 0
                        return
                    if packet.size:
                        failures = 0
                        self._packets_read += 1
                    yield packet
                return
            except IndexError:  # PyAV's own, at the end of an input in which streams turned up after its opening
                return
            except av.error.FFmpegError as error:
                if self._settings.network or silent(error):
                    raise self._explained(error, opening=False) from None
                failures += 1
                self._faults["read_error"] += 1
        if self._container is not None:
            yield None

    def _decode(self, packet: av.Packet[av.VideoStream] | None) -> list[av.VideoFrame]:
        self._check_thread()
        try:
            frames = self._stream.codec_context.decode(packet if packet is not None and packet.size else None)
        except av.error.EOFError:  # already flushed
            return []
        except av.error.FFmpegError as error:
            self._faults["decode_error"] += 1
            self._decode_errors += 1
            if self._decode_errors >= MAX_DECODE_ERRORS:
                raise self._explained(error, opening=False) from None
            return []
        if frames:
            self._decode_errors = 0
        return frames

    def cut_short(self, played_s: float) -> bool:
        """Says whether the input ended before the end its container announces.

        Args:
            played_s: from the start of the first frame to the end of the last one.
        """
        if not self._complete or self._packets_read < (self.frame_count or 0):
            return True
        if self.duration_s is None or (self.has_audio and not self._stream.duration):
            return False  # nothing announced, or the sound's length
        return self.duration_s - played_s > max(1.0, 0.05 * self.duration_s)

    def _explained(self, error: av.error.FFmpegError, *, opening: bool, took_s: float = 0.0) -> SourceError:
        settings = self._settings
        limit = (settings.open_timeout_s if opening else settings.read_timeout_s) or 0.0
        return explain(error, self._name, network=settings.network, timeout_s=limit, opening=opening, took_s=took_s)

    def _check_thread(self) -> None:
        if threading.get_ident() != self._owner:
            raise RuntimeError(f"{self._name} belongs to the thread that opened it: use request_stop() from others")

    def close(self) -> None:
        """Closes the input. Idempotent; only in the owner's thread."""
        if self._container is not None:
            self._check_thread()
            self._container.close()
            self._container = None
