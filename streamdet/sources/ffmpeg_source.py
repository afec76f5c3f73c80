"""The base class of sources that FFmpeg decodes: video files and network streams."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator
from fractions import Fraction

import av

from streamdet.errors import SourceError
from streamdet.sources.base import Source
from streamdet.sources.ffmpeg_input import FFmpegInput, InputSettings
from streamdet.sources.options import SourceOptions
from streamdet.sources.picture_maker import PictureMaker
from streamdet.sources.picture_size import check_size
from streamdet.sources.timestamps import BestEffortTimestamp
from streamdet.types import Frame, SourceInfo


class FFmpegSource(Source):
    """A source decoded by FFmpeg. Subclasses define how it is opened and timestamped, and what its end means.

    Args:
        name: name of the stream.
        url: the address to show, without credentials.
        location: the address that FFmpeg opens.
        options: limits and timeouts.
        label: name of the source in messages; default: `name`.
    """

    def __init__(self, name: str, url: str, location: str, options: SourceOptions, label: str | None = None) -> None:
        super().__init__(name, url)
        self._label = label or name
        self._location = location
        self._options = options
        self._input: FFmpegInput | None = None
        self._decoded: Iterator[av.VideoFrame] = iter(())
        self._first: Frame | None = None
        self._timestamp = BestEffortTimestamp()
        self._time_base = Fraction(1)
        self._first_s: float | None = None
        self._played_s = 0.0
        self._index = 0
        self._pictures = PictureMaker()

    @abstractmethod
    def _settings(self) -> InputSettings:
        """Returns how FFmpeg opens the location."""

    @abstractmethod
    def _start_clock(self, opened: FFmpegInput) -> Fraction:
        """Starts the clock of a newly opened input and returns the time base of the yielded frames."""

    @abstractmethod
    def _stamp(self, raw: int | None, arrival_ns: int) -> int:
        """Returns the `pts` of the next frame, from its own timestamp and its time of arrival."""

    @abstractmethod
    def _info(self, opened: FFmpegInput, first: Frame) -> SourceInfo:
        """Describes the open source."""

    @abstractmethod
    def _handle_end(self, truncated: bool) -> None:
        """Handles the end of the input: counts a fault, or raises `SourceError` if the input must not end."""

    def open(self) -> SourceInfo:
        """Opens the input and decodes the first frame, so that the returned info is correct; see `Source.open`."""
        self._input = FFmpegInput(self._location, self._label, self._settings(), self.faults)
        try:
            self._time_base = self._start_clock(self._input)
            self._decoded = self._input.frames(self.stopping)
            first = self._next()
            if first is None and not self.stopping.is_set():
                raise SourceError(f"{self._label}: no frame could be decoded: the source is empty or damaged")
        except BaseException:
            self.close()
            raise
        if first is None:
            self.close()
            raise SourceError(f"{self._label}: stopped before the first frame arrived")
        self._first = first
        return self._info(self._input, first)

    def frames(self) -> Iterator[Frame]:
        """Yields the frames; see `Source.frames`."""
        while self._input is not None and not self.stopping.is_set():
            try:
                frame, self._first = self._first or self._next(), None
            except SourceError:
                if self.stopping.is_set():  # failed while being stopped, for example a silent camera
                    return
                raise
            if frame is None:
                break
            yield frame
        if self._input is not None and not self.stopping.is_set():
            truncated = self._input.is_truncated(self._played_s)
            self.close()
            self._handle_end(truncated)

    def _next(self) -> Frame | None:
        decoded = next(self._decoded, None)
        if decoded is None or self._input is None:
            return None
        arrival_ns = time.monotonic_ns()
        check_size(self._label, decoded.width, decoded.height, self._options.max_pixels)
        raw = self._timestamp.choose(decoded.pts, decoded.dts)
        base, duration = self._input.time_base, decoded.duration or 0
        if raw is not None:
            start_s = raw * base.numerator / base.denominator
            self._first_s = start_s if self._first_s is None else self._first_s
            self._played_s = start_s + duration * base.numerator / base.denominator - self._first_s
        if decoded.is_corrupt:
            self.faults["corrupt_frame"] += 1
        frame = Frame(
            picture=self._pictures.make(decoded),
            source=self.name,
            index=self._index,
            pts=self._stamp(raw, arrival_ns),
            time_base=self._time_base,
            captured_ns=arrival_ns,
            duration=duration if base == self._time_base else round(duration * base / self._time_base),
            key_frame=bool(decoded.key_frame),
            is_corrupt=bool(decoded.is_corrupt),
        )
        self._index += 1
        return frame

    def close(self) -> None:
        """Closes the input; see `Source.close`."""
        if self._input is not None:
            self._input.close()  # raises in another thread, before any state changes
            self._input = None
        self._first = None
