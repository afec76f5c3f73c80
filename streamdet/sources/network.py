"""Live network streams: RTSP, RTMP, and endless HTTP. `reconnect.py` restores lost connections."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from streamdet.errors import SourceError
from streamdet.sources.ffmpeg_input import FFmpegInput, InputSettings
from streamdet.sources.ffmpeg_source import FFmpegSource
from streamdet.sources.options import SourceOptions
from streamdet.sources.timestamps import LIVE_TIME_BASE, LIVE_TOLERANCE_S, SEGMENT_TOLERANCE_S, LiveClock
from streamdet.types import Frame, SourceInfo


@dataclass(frozen=True, slots=True)
class _Protocol:
    """How addresses of one scheme are opened, and which FFmpeg protocols, formats and decoders they may use."""

    protocols: str
    formats: str
    codecs: frozenset[str]
    format: str | None = None


# No AV1 over RTP: FFmpeg's depacketizer for it had a remote code execution in 2026 (CVE-2026-39210 ff.).
_CAMERA_CODECS = frozenset({"h264", "hevc", "mjpeg", "mpeg4", "mpeg2video", "h263", "vp8", "vp9"})
_WEB_CODECS = _CAMERA_CODECS | {"av1", "libdav1d", "libaom-av1", "flv", "vp6f"}

_PROTOCOLS = {
    "rtsp": _Protocol("rtsp,rtp,srtp,udp,tcp,tls", "rtsp,sdp,rtp", _CAMERA_CODECS, format="rtsp"),
    "rtsps": _Protocol("rtsp,rtp,srtp,udp,tcp,tls", "rtsp,sdp,rtp", _CAMERA_CODECS, format="rtsp"),
    "rtmp": _Protocol("rtmp,rtmps,rtmpt,tcp,tls", "flv,live_flv", _WEB_CODECS),
    "rtmps": _Protocol("rtmp,rtmps,rtmpt,tcp,tls", "flv,live_flv", _WEB_CODECS),
    "http": _Protocol(
        "http,https,tcp,tls,httpproxy,crypto",
        "hls,mpegts,mov,mp4,matroska,webm,flv,live_flv,mpjpeg,mjpeg,h264,hevc,aac",
        _WEB_CODECS,
    ),
}
_PROTOCOLS["https"] = _PROTOCOLS["http"]


class NetworkSource(FFmpegSource):
    """The frames of one connection, until it fails.

    Cameras do not end: if a stream without a stated duration ends, it has failed. If a stream with a stated duration (a
    recording over RTSP or HLS) reaches it, it has ended normally.
    """

    live = True

    def __init__(self, location: str, shown: str, name: str, options: SourceOptions | None = None) -> None:
        super().__init__(name, shown, location, options or SourceOptions())
        self._scheme = location.partition(":")[0].lower()
        self._clock: LiveClock | None = None
        self._has_duration = False
        self._has_timestamps = True

    def _settings(self) -> InputSettings:
        options, protocol = self._options, _PROTOCOLS[self._scheme]
        ffmpeg = {
            "protocol_whitelist": protocol.protocols,
            "format_whitelist": protocol.formats,
            # Not "nobuffer": it discards what is read while probing, including the first key frame.
            "fflags": "discardcorrupt",
            "probesize": "5000000",
            "analyzeduration": "2000000",
            "max_streams": "8",
            "fpsprobesize": "0",
        }
        if protocol.format == "rtsp":
            ffmpeg |= {
                "rtsp_transport": options.rtsp_transport,
                "allowed_media_types": "video",  # no audio: less attack surface in parsers
                "timeout": str(round(options.read_timeout_s * 1e6)),  # of the socket, in microseconds
                "max_delay": "500000",
            }
        return InputSettings(
            network=True,
            options=ffmpeg,
            format=protocol.format,
            open_timeout_s=options.open_timeout_s,
            read_timeout_s=options.read_timeout_s,
            stall_timeout_s=options.stall_timeout_s,
            low_delay=True,
            codecs=protocol.codecs,
            max_pixels=options.max_pixels,
        )

    def _start_clock(self, opened: FFmpegInput) -> Fraction:
        self._clock = LiveClock(
            opened.time_base if opened.has_timestamps else LIVE_TIME_BASE,
            1 / (opened.average_rate or Fraction(25)),
            self.faults,
            LIVE_TOLERANCE_S if self._scheme.startswith("rtsp") else SEGMENT_TOLERANCE_S,
        )
        self._has_duration = opened.duration_s is not None
        self._has_timestamps = opened.has_timestamps
        return LIVE_TIME_BASE

    def _stamp(self, raw: int | None, arrival_ns: int) -> int:
        assert self._clock is not None
        if not self._has_timestamps:
            raw = round(arrival_ns * 1e-9 / LIVE_TIME_BASE)
        return self._clock.stamp(raw, arrival_ns)

    def _info(self, opened: FFmpegInput, first: Frame) -> SourceInfo:
        return SourceInfo(
            name=self.name,
            width=first.width,
            height=first.height,
            time_base=LIVE_TIME_BASE,
            average_rate=opened.average_rate,
            live=True,
            codec=opened.codec,
        )

    def _handle_end(self, truncated: bool) -> None:
        if truncated or not self._has_duration:
            raise SourceError(f"{self.name}: the stream ended: the server closed the connection")
