"""One FFmpeg input and its video stream: opening, demuxing, decoding and closing in one thread."""

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
from streamdet.sources.ffmpeg_errors import explain, is_timeout
from streamdet.sources.picture_size import check_size

_GEN_PTS = 0x0001  # AVFMT_FLAG_GENPTS

_FORMATS_WITHOUT_TIMESTAMPS = {"mpjpeg", "mjpeg", "h264", "hevc"}

MAX_DECODE_ERRORS = 300
"""Packets in a row that may fail to decode (ten seconds of video) before the source fails."""

MAX_READ_ERRORS = 3
"""Reads in a row that may fail before a damaged file is treated as ended."""


@dataclass(frozen=True, slots=True)
class InputSettings:
    """How FFmpeg opens an input.

    Attributes:
        network: the input comes over a network. A read error or a timeout ends it; there is no retry here.
        options: FFmpeg options by their FFmpeg names.
        format: name of the container format; None lets FFmpeg detect it.
        open_timeout_s: limit for connecting, and again for probing the stream; None means no limit.
        read_timeout_s: limit for each packet; None means no limit.
        stall_timeout_s: limit between two decoded frames; None means no limit.
        low_delay: return each frame as soon as it is decoded, instead of decoding several in parallel.
        codecs: decoders that may be used; empty means all.
        max_pixels: largest frame that is decoded, in pixels.
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
    """Returns an FFmpeg rational; None if it is unset. PyAV up to 18 reports that as None, from 19 on as 0/0 or 0/1."""
    if not rational or not rational.denominator:
        return None
    return Fraction(int(rational.numerator), int(rational.denominator))


class FFmpegInput:
    """An open input. Only the thread that created it may use it; FFmpeg crashes otherwise.

    Attributes:
        codec: name of the decoder.
        time_base: unit of the timestamps of packets and frames, in seconds.
        average_rate: frames per second according to the container.
        frame_count: number of frames according to the container.
        duration_s: duration of the video according to the container; None for live streams.
        has_audio: the input has an audio stream.
        has_timestamps: the format carries timestamps. Without them FFmpeg assumes 25 frames per second.
    """

    def __init__(self, location: str, name: str, settings: InputSettings, faults: Counter[str]) -> None:
        """Opens `location`.

        Raises:
            SourceError: it cannot be opened, or contains no video that can be decoded.
        """
        self._name = name
        self._settings = settings
        self._faults = faults
        self._owner = threading.get_ident()
        self._decode_errors = 0
        self._read_to_end = False
        self._packets_read = 0
        self._container: av.container.InputContainer | None = self._open(location)
        try:
            self._stream = self._video_stream(self._container)
            self._prepare_decoder()
            self._container.flags &= ~_GEN_PTS  # set by PyAV; generated timestamps run backwards
        except BaseException:
            self.close()
            raise
        self.codec: str = self._stream.codec_context.name
        self.time_base: Fraction = fraction(self._stream.time_base) or Fraction(1, 1000)
        self.average_rate: Fraction | None = fraction(self._stream.average_rate)
        self.frame_count: int | None = self._stream.frames or None
        self.has_audio: bool = bool(self._container.streams.audio)
        self.has_timestamps: bool = self._container.format.name not in _FORMATS_WITHOUT_TIMESTAMPS
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
        except UnicodeDecodeError:  # PyAV's open fails on metadata in another encoding
            raise SourceError(f"{self._name}: the metadata is not UTF-8: remux the file without metadata") from None

    def _duration_s(self, container: av.container.InputContainer) -> float | None:
        if self._stream.duration:
            return float(self._stream.duration * self.time_base)
        longest = container.duration  # that of the longest stream
        return longest / av.time_base if longest and longest > 0 else None

    def _video_stream(self, container: av.container.InputContainer) -> av.VideoStream:
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            found = "only audio" if container.streams.audio else "no video"
            raise SourceError(f"{self._name}: it contains {found}: give a source with a video stream")
        stream = streams[0]
        if stream.codec_context is None:
            raise SourceError(f"{self._name}: FFmpeg has no decoder for its video (unknown codec): convert it to H.264")
        allowed = self._settings.codecs
        if allowed and stream.codec_context.name not in allowed:
            names = ", ".join(sorted(allowed))
            raise SourceError(
                f"{self._name}: {stream.codec_context.name} is not allowed from this kind of source, only {names}"
            )
        return stream

    def _prepare_decoder(self) -> None:
        context = self._stream.codec_context
        if context.width or context.height:  # 0x0: unknown until the first frame
            check_size(self._name, context.width, context.height, self._settings.max_pixels)
        context.options = {"max_pixels": str(self._settings.max_pixels)}
        if self._settings.low_delay:
            context.thread_type = "SLICE"  # frame threading delays output by one frame per thread
            context.thread_count = 2
            context.flags |= Flags.low_delay
        else:
            context.thread_type = "AUTO"

    def frames(self, stopping: threading.Event) -> Iterator[av.VideoFrame]:
        """Yields decoded frames in presentation order until the end or until `stopping` is set.

        Damaged packets are counted and skipped.

        Raises:
            SourceError: the input failed, or it sends data from which no frame can be decoded.
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
                raise SourceError(f"{self._name}: data arrives, but no frame could be decoded for {stall:g} s")

    def _packets(self, stopping: threading.Event) -> Iterator[av.Packet[av.VideoStream] | None]:
        """Demuxes. Ends with None or an empty packet, which makes the decoder return its remaining frames.

        After an error demuxing restarts at the current position, because an exception ends PyAV's generator.
        """
        failures = 0
        while self._container is not None and failures < MAX_READ_ERRORS:
            packets = self._container.demux(self._stream)
            try:
                while self._container is not None and not stopping.is_set():
                    packet = next(packets, None)
                    if packet is None:
                        self._read_to_end = failures == 0
                        return
                    if packet.size:
                        failures = 0
                        self._packets_read += 1
                    yield packet
                return
            except IndexError:  # raised by PyAV at the end of an input that gained streams after opening
                return
            except av.error.FFmpegError as error:
                if self._settings.network or is_timeout(error):
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

    def is_truncated(self, played_s: float) -> bool:
        """Returns whether the input ended before the end that its container states.

        Args:
            played_s: time from the start of the first frame to the end of the last one.
        """
        if not self._read_to_end or self._packets_read < (self.frame_count or 0):
            return True
        if self.duration_s is None or (self.has_audio and not self._stream.duration):
            return False  # no duration stated, or only that of the audio
        return self.duration_s - played_s > max(1.0, 0.05 * self.duration_s)

    def _explained(self, error: av.error.FFmpegError, *, opening: bool, took_s: float = 0.0) -> SourceError:
        settings = self._settings
        limit = (settings.open_timeout_s if opening else settings.read_timeout_s) or 0.0
        return explain(error, self._name, network=settings.network, timeout_s=limit, opening=opening, took_s=took_s)

    def _check_thread(self) -> None:
        if threading.get_ident() != self._owner:
            raise RuntimeError(f"{self._name} belongs to the thread that opened it: call request_stop() from others")

    def close(self) -> None:
        """Closes the input; only in the owner's thread. May be called twice."""
        if self._container is not None:
            self._check_thread()
            self._container.close()
            self._container = None
