"""Video files, on disk or on a web server: they end, wait for the reader, and keep their exact timestamps."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from streamdet.errors import SourceError
from streamdet.sources.ffmpeg_input import FFmpegInput, InputSettings
from streamdet.sources.ffmpeg_source import FFmpegSource
from streamdet.sources.options import SourceOptions
from streamdet.sources.timestamps import FileClock
from streamdet.types import Frame, SourceInfo

log = logging.getLogger(__name__)

_DAMAGE = {
    "truncated": "it ends before its stated end",
    "read_error": "{} reads failed",
    "decode_error": "{} packets could not be decoded",
    "corrupt_frame": "{} frames are incomplete",
}
"""Message for each cause in `Source.faults` that means lost frames."""

# Formats that contain the media themselves. Playlists and scripts (hls, dash, concat, sdp, ...) are excluded: such a
# file could make the program read other files and open connections. Audio formats are included, so that the message can
# say that a file contains only audio.
ALLOWED_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegtsraw,mpegvideo,flv,live_flv,asf,ogg,mxf,mxf_opatom,gxf,nut,"
    "ivf,rm,wtv,dv,swf,h264,hevc,vvc,av1,obu,m4v,mjpeg,vc1,vc1test,h263,cavsvideo,yuv4mpegpipe,apng,gif,webp_anim,avs,"
    "rawvideo,r3d,mpjpeg,mp3,wav,flac,aac,ac3,eac3,aiff,amr,w64,caf"
)


class RecordedSource(FFmpegSource):
    """All frames of a recording with their exact timestamps: variable frame rates and gaps are kept."""

    _clock: FileClock | None = None

    def _start_clock(self, opened: FFmpegInput) -> Fraction:
        step = 1 if opened.average_rate is None else round(1 / (opened.average_rate * opened.time_base))
        self._clock = FileClock(step, self.faults)
        return opened.time_base

    def _stamp(self, raw: int | None, arrival_ns: int) -> int:
        assert self._clock is not None
        return self._clock.stamp(raw)

    def _info(self, opened: FFmpegInput, first: Frame) -> SourceInfo:
        frame_count = opened.frame_count
        if frame_count is None and opened.duration_s and opened.average_rate:
            frame_count = round(opened.duration_s * opened.average_rate)
        return SourceInfo(
            name=self.name,
            width=first.width,
            height=first.height,
            time_base=opened.time_base,
            average_rate=opened.average_rate,
            frame_count=frame_count,
            codec=opened.codec,
        )

    def _handle_end(self, truncated: bool) -> None:
        if truncated:
            self.faults["truncated"] += 1
        damage = [text.format(self.faults[cause]) for cause, text in _DAMAGE.items() if self.faults[cause]]
        if damage:
            log.warning(
                "%s is damaged: %s; the %d readable frames were used", self._label, ", ".join(damage), self._index
            )


class FileSource(RecordedSource):
    """A video file on disk."""

    def __init__(self, path: Path, name: str, options: SourceOptions | None = None) -> None:
        # "file:" so that FFmpeg does not take a colon in the name for a protocol
        super().__init__(name, str(path), f"file:{path}", options or SourceOptions(), label=str(path))
        self.files = (path,)
        self._path = path

    def open(self) -> SourceInfo:
        """Opens the file and decodes its first frame; see `Source.open`."""
        if self._path.is_file() and not self._path.stat().st_size:
            raise SourceError(f"{self._label}: the file is empty: copy or record it again")
        return super().open()

    def _settings(self) -> InputSettings:
        return InputSettings(
            options={"protocol_whitelist": "file", "format_whitelist": ALLOWED_FORMATS},
            max_pixels=self._options.max_pixels,
        )

    def _info(self, opened: FFmpegInput, first: Frame) -> SourceInfo:
        return replace(super()._info(opened, first), audio_from=self._path if opened.has_audio else None)


class WebFileSource(RecordedSource):
    """A video file on a web server. Its audio is not passed through: that would need a second connection."""

    def __init__(self, location: str, shown: str, name: str, options: SourceOptions | None = None) -> None:
        super().__init__(name, shown, location, options or SourceOptions(), label=shown)

    def _settings(self) -> InputSettings:
        options = self._options
        return InputSettings(
            network=True,
            options={"protocol_whitelist": "http,https,tcp,tls,httpproxy", "format_whitelist": ALLOWED_FORMATS},
            open_timeout_s=options.open_timeout_s,
            read_timeout_s=options.read_timeout_s,
            stall_timeout_s=options.stall_timeout_s,
            max_pixels=options.max_pixels,
        )
