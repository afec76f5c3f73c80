"""What files and network streams have in common: frames that come out of an FFmpeg input."""

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
from streamdet.sources.orientation import PictureMaker, check_size
from streamdet.sources.timestamps import BestEffortTimestamp
from streamdet.types import Frame, SourceInfo


class FFmpegSource(Source):
    """A source decoded by FFmpeg. Subclasses say how to open it, how to time it and what its end means.

    Args:
        name: name of the stream.
        url: for people, without credentials.
        location: for FFmpeg.
        options: limits and timeouts.
        label: what errors call it; its name where not given.
    """

    def __init__(self, name: str, url: str, location: str, options: SourceOptions, label: str | None = None) -> None:
        super().__init__(name, url)
        self._label = label or name
        self._location = location
        self._options = options
        self._input: FFmpegInput | None = None
        self._decoded: Iterator[av.VideoFrame] = iter(())
        self._first: Frame | None = None
        self._times = BestEffortTimestamp()
        self._time_base = Fraction(1)
        self._first_s: float | None = None
        self._played_s = 0.0
        self._index = 0
        self._pictures = PictureMaker()

    @abstractmethod
    def _settings(self) -> InputSettings:
        """How FFmpeg is to open the location."""

    @abstractmethod
    def _start_clock(self, opened: FFmpegInput) -> Fraction:
        """Prepares the timing of a newly opened input and returns the time base of the frames given."""

    @abstractmethod
    def _stamp(self, raw: int | None, arrival_ns: int) -> int:
        """Returns the time of the next frame, given the source's own and when it came."""

    @abstractmethod
    def _info(self, opened: FFmpegInput, first: Frame) -> SourceInfo:
        """What is known of the open source."""

    @abstractmethod
    def _ended(self, cut_short: bool) -> None:
        """Judges the end of the input: counts a fault, or raises `SourceError` where it must not end."""

    def open(self) -> SourceInfo:
        """Connects and decodes the first picture, so that what is said of the source is true."""
        self._input = FFmpegInput(self._location, self._label, self._settings(), self.faults)
        try:
            self._time_base = self._start_clock(self._input)
            self._decoded = self._input.frames(self.stopping)
            first = self._next()
            if first is None and not self.stopping.is_set():
                raise SourceError(f"{self._label}: no picture in it could be decoded: the source is empty or damaged")
        except BaseException:
            self.close()
            raise
        if first is None:
            self.close()
            raise SourceError(f"{self._label}: stopped before the first picture came")
        self._first = first
        return self._info(self._input, first)

    def frames(self) -> Iterator[Frame]:
        """Yields the frames; see `Source.frames`."""
        while self._input is not None and not self.stopping.is_set():
            try:
                frame, self._first = self._first or self._next(), None
            except SourceError:
                if self.stopping.is_set():  # failed while it was being stopped, a silent camera for one
                    return
                raise
            if frame is None:
                break
            yield frame
        if self._input is not None and not self.stopping.is_set():
            cut_short = self._input.cut_short(self._played_s)
            self.close()
            self._ended(cut_short)

    def _next(self) -> Frame | None:
        decoded = next(self._decoded, None)
        if decoded is None or self._input is None:
            return None
        arrival_ns = time.monotonic_ns()
        check_size(self._label, decoded.width, decoded.height, self._options.max_pixels)
        raw = self._times.take(decoded.pts, decoded.dts)
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
            self._input.close()  # refuses other threads, before anything is lost
            self._input = None
        self._first = None
