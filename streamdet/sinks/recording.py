"""One video file being recorded: encoder, muxer and audio, from the first frame to the last."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.video.frame import PictureType

from streamdet.color import Matrix
from streamdet.errors import SinkError
from streamdet.picture import Picture
from streamdet.redact import redact
from streamdet.sinks import encoders
from streamdet.sinks.audio import open_audio
from streamdet.sinks.containers import BUFFER_BYTES, CONTAINERS, muxer_options, recorded_time_base
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.resize import even, fit_to_size, recorded_color
from streamdet.sinks.rollback_file import RollbackFile
from streamdet.types import SourceInfo
from streamdet.version import __version__

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)

# ITU-T H.273: color primaries, transfer characteristics and matrix coefficients that belong together.
_H273 = {Matrix.BT601: (6, 6, 6), Matrix.BT709: (1, 1, 1), Matrix.BT2020: (9, 14, 9)}

# Audio and video of a file rarely start at the same time. Audio that starts longer than this before the first recorded
# frame belongs to frames that are not in this recording.
_AUDIO_LEAD_S = 1


class Recording:
    """A video file being written. Its frame size, color space and time base are those of its first frame."""

    def __init__(
        self,
        file: RollbackFile,
        encoder: str,
        info: SourceInfo,
        first: Picture,
        time_base: Fraction,
        options: SinkOptions,
    ) -> None:
        kind = CONTAINERS[file.path.suffix.lower()]
        self.file = file
        self._first_size = (first.width, first.height)
        self.width, self.height = even(first.width), even(first.height)
        self._color = recorded_color(first)
        self._time_base = recorded_time_base(time_base, encoder)
        self._gop = max(1, round(Fraction(options.gop_s).limit_denominator(1000) / self._time_base))
        self._rate = info.average_rate
        self._next_key_frame_pts: int | None = None
        self._audio_start_s = Fraction(-_AUDIO_LEAD_S if kind.negative_times else 0)
        self._last_pts: int | None = None
        self._last_duration = 0
        self._size_changed = False
        self._container: OutputContainer = av.open(
            file,
            "w",
            format=kind.format,
            buffer_size=BUFFER_BYTES,
            container_options=muxer_options(kind, self._time_base),
        )
        self._container.metadata["comment"] = f"recorded by streamdet {__version__}"
        self._stream = self._video_stream(
            encoders.encoder_settings(encoder, options, rate=info.average_rate, live=info.live)
        )
        self._configure(options)
        self._referencer = self._empty_filter_graph()
        audio_path = info.audio_from if options.audio else None
        self._audio = None if audio_path is None else open_audio(audio_path, self._container)
        self._start(encoder)

    def write(self, picture: Picture, pts: int, time_base: Fraction, duration: int) -> None:
        """Encodes one picture. Times are in units of `time_base`; `duration` is 0 if unknown.

        Raises:
            OSError: from the file or from FFmpeg.
        """
        self._warn_once_if_size_changed(picture)
        pts = self._in_recorded_time_base(pts, time_base)
        if self._last_pts is None:
            self._next_key_frame_pts = pts
            self._audio_start_s = max(self._audio_start_s, pts * self._time_base - _AUDIO_LEAD_S)
        else:
            pts = max(pts, self._last_pts + 1)  # two times may become equal in a coarser time base
            self._last_duration = pts - self._last_pts
        self._last_pts = pts
        if duration > 0:
            self._last_duration = self._in_recorded_time_base(duration, time_base)
        frame = self._new_reference(fit_to_size(picture, self.width, self.height, self._color))
        frame.pts, frame.time_base, frame.duration = pts, self._time_base, self._last_duration
        frame.pict_type = PictureType.NONE
        if self._key_frame_is_due(pts):
            frame.pict_type = PictureType.I
            self._next_key_frame_pts = pts + self._gop
        self._mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Writes the remaining frames and the end of the file, unless writing failed before; closes all but the file.

        Raises:
            OSError: from the file or from FFmpeg.
        """
        try:
            if not self.file.closed and self._last_pts is not None:
                self._mux(self._stream.encode(None))
                self._mux_audio_until((self._last_pts + self._final_duration()) * self._time_base)
        finally:
            try:
                self._container.close()
            finally:
                if self._audio is not None:
                    self._audio.close()

    def _start(self, encoder: str) -> None:
        """Opens the encoder and writes the header. Doing it at the first frame would leave a file if that fails."""
        try:
            with encoders.normal_scheduling():
                self._container.start_encoding()
        except (OSError, ValueError, RuntimeError) as error:
            if self._audio is not None:
                self._audio.close()
            if self.file.error is not None:
                raise
            reason = redact(getattr(error, "strerror", None) or type(error).__name__)
            raise SinkError(
                f"cannot write {self.file.path}: the encoder {encoder} does not support {self.width}x{self.height} "
                f"with a time base of {self._time_base} s ({reason}); choose another encoder"
            ) from None

    def _video_stream(self, encoder: encoders.EncoderSettings) -> VideoStream:
        # The rate is only a hint for the encoder's level and rate control; timestamps do not depend on it.
        stream = self._container.add_stream(
            encoder.name,
            rate=self._rate or 30,
            options=encoder.options,
            width=self.width,
            height=self.height,
            time_base=self._time_base,
        )
        assert isinstance(stream, av.VideoStream)
        return stream

    def _configure(self, options: SinkOptions) -> None:
        context = self._stream.codec_context
        context.pix_fmt = encoders.input_format(context.name)
        context.color_primaries, context.color_trc, context.colorspace = _H273[self._color.matrix]
        context.color_range = 2 if self._color.full_range else 1
        context.flags |= av.codec.context.Flags.frame_duration  # else the rate defines the last frame's duration
        context.gop_size = 100_000  # `write` forces key frames by time
        context.thread_count = options.threads
        if options.bitrate is not None:
            context.bit_rate = options.bitrate
        if context.codec.canonical_name == "hevc":
            context.codec_tag = "hvc1"  # Apple's players accept no other tag

    def _empty_filter_graph(self) -> av.filter.Graph:
        graph = av.filter.Graph()
        graph.threads = 1
        format = av.VideoFormat("yuv420p", self.width, self.height)
        source = graph.add_buffer(width=self.width, height=self.height, format=format, time_base=self._time_base)
        source.link_to(graph.add("buffersink"))
        graph.configure()
        return graph

    def _warn_once_if_size_changed(self, picture: Picture) -> None:
        if (picture.width, picture.height) != self._first_size and not self._size_changed:
            self._size_changed = True
            new, old = f"{picture.width}x{picture.height}", "{}x{}".format(*self._first_size)
            log.warning("%s: the frame size changed from %s to %s; scaling to %s", self.file.path, old, new, old)

    def _new_reference(self, picture: Picture) -> av.VideoFrame:
        """Returns a new frame that shares the pixels of `picture`.

        Encoding sets the time and type of its frame, and other sinks use the same picture. Passing the frame through an
        empty filter graph is PyAV's only way to get a second reference; it takes 5 us and copies no pixels.
        """
        frame = picture.to_av()
        if (frame.format.name, frame.width, frame.height) != ("yuv420p", self.width, self.height):
            frame = picture.copy().to_av()  # yuvj420p has the same bytes, but PyAV would convert it
        self._referencer.push(frame)
        reference = self._referencer.pull()
        assert isinstance(reference, av.VideoFrame)
        return reference

    def _in_recorded_time_base(self, value: int, time_base: Fraction) -> int:
        return value if time_base == self._time_base else round(value * time_base / self._time_base)

    def _key_frame_is_due(self, pts: int) -> bool:
        return self._next_key_frame_pts is not None and pts >= self._next_key_frame_pts

    def _mux(self, packets: list[av.Packet[VideoStream]]) -> None:
        for packet in packets:
            if packet.pts is not None and self._audio is not None:
                self._mux_audio_until(packet.pts * self._time_base)
            self._container.mux_one(packet)
            self.file.commit()

    def _mux_audio_until(self, time_s: Fraction) -> None:
        if self._audio is not None:
            for packet in self._audio.until(time_s, self._audio_start_s):
                self._container.mux_one(packet)
                self.file.commit()

    def _final_duration(self) -> int:
        if self._last_duration > 0:
            return self._last_duration
        return 0 if self._rate is None else round(1 / self._rate / self._time_base)


def start_recording(
    path: Path, encoder: str, info: SourceInfo, first: Picture, time_base: Fraction, options: SinkOptions
) -> Recording:
    """Creates a file and starts a recording in it. If that fails, a newly created file is removed.

    Raises:
        SinkError: the encoder does not support these pictures.
        OSError: from the file or from FFmpeg.
    """
    file = RollbackFile(path, overwrite=options.overwrite)
    try:
        return Recording(file, encoder, info, first, time_base, options)
    except BaseException:
        file.close()
        if file.created:
            path.unlink(missing_ok=True)
        raise
