"""Gets a lost source back: the one place where reconnecting happens."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import Enum
from fractions import Fraction

from streamdet.errors import AuthError, SourceError
from streamdet.redact import redact
from streamdet.sources.base import Source
from streamdet.sources.options import BackoffOptions
from streamdet.sources.timestamps import LEAD_SLEW
from streamdet.types import Frame, SourceInfo

log = logging.getLogger(__name__)


class ConnectionState(Enum):
    """Where a supervised source stands."""

    NEW = "new"
    OPENING = "opening"
    RUNNING = "running"
    BACKOFF = "backoff"
    ENDED = "ended"


class Backoff:
    """How long to wait before the next attempt: doubling, capped, jittered, reset by a healthy stretch."""

    def __init__(self, options: BackoffOptions, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._options = options
        self._uniform = uniform
        self._next_s = options.first_s

    def delay_s(self, error: SourceError) -> float:
        """Returns the wait after `error`, and makes the next one longer."""
        options = self._options
        base = min(self._next_s, options.cap_s)
        self._next_s = min(2 * base, options.cap_s)
        if isinstance(error, AuthError):
            base = max(base, options.auth_s)
        low = 0.0 if isinstance(error, AuthError) else -options.jitter  # never sooner than the lock-out allows
        return base * (1 + self._uniform(low, options.jitter))

    def ran(self, seconds: float) -> None:
        """Tells how long the stream ran before it was lost."""
        if seconds >= self._options.healthy_s:
            self._next_s = self._options.first_s


class ReconnectingSource(Source):
    """Runs one connection after the other as if they were one source.

    Frames are counted on without a gap; times go on by the clock, so that an outage shows as a gap of its length.
    The picture may have another size after a reconnect. An end of the source behind is an end; an error is a loss.

    Args:
        first: gives the name, and is the first connection.
        make: makes a new, unopened source for each further connection.
        options: waits between attempts.
        wait_for_source: also keep trying when the very first connection fails.
        backoff: replaces the waits made of `options`.
        now: monotonic clock in seconds.
        wait: waits for so many seconds or until the source is stopped, and says whether it is.

    Attributes:
        state: where the source stands; written by the owner's thread.
    """

    live = True

    def __init__(
        self,
        first: Source,
        make: Callable[[], Source],
        options: BackoffOptions | None = None,
        *,
        wait_for_source: bool = False,
        backoff: Backoff | None = None,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        super().__init__(first.name, first.url)
        self.state = ConnectionState.NEW
        self._inner: Source | None = first
        self._make = make
        self._backoff = backoff or Backoff(options or BackoffOptions())
        self._wait_for_source = wait_for_source
        self._now = now
        self._wait = wait or self.stopping.wait
        self._info: SourceInfo | None = None
        self._lost_at: float | None = None  # start of the outage, None while frames flow
        self._index = 0
        self._last_pts = 0
        self._last_ns = 0
        self._first_ns: int | None = None

    def open(self) -> SourceInfo:
        """Connects for the first time; see `Source.open`."""
        while True:
            try:
                self._info = self._connect()
                return self._info
            except SourceError as error:
                if not self._wait_for_source or not self._retry_after(error):
                    self.state = ConnectionState.ENDED
                    raise

    def frames(self) -> Iterator[Frame]:
        """Yields the frames of one connection after the other; see `Source.frames`."""
        while self._inner is not None and not self.stopping.is_set():
            started = self._now()
            try:
                shift: int | None = None
                for frame in self._inner.frames():
                    shift = self._shift_for(frame) if shift is None else shift
                    yield self._carried_on(frame, shift)
                break
            except SourceError as error:
                self._backoff.ran(self._now() - started)
                if not self._reconnect(error):
                    break
        self.close()

    def _reconnect(self, error: SourceError) -> bool:
        """Tries until there is a connection again; says False when stopped before."""
        while self._retry_after(error):
            try:
                self._connect()
                return True
            except SourceError as next_error:
                error = next_error
        return False

    def _connect(self) -> SourceInfo:
        self.state = ConnectionState.OPENING
        inner = self._inner or self._make()
        inner.stopping, inner.faults = self.stopping, self.faults  # shared: a stop reaches it in every state
        self._inner = inner
        info = inner.open()
        if self._lost_at is not None:
            self.faults["reconnect"] += 1
            log.warning("%s: back after %.1f s", self.name, self._now() - self._lost_at)
            self._lost_at = None
        self.state = ConnectionState.RUNNING
        return info

    def _retry_after(self, error: SourceError) -> bool:
        """Gives the failed connection up and waits; says False when stopped meanwhile."""
        if self._inner is not None:
            self._inner.close()
            self._inner = None
        if self.stopping.is_set():
            return False
        delay = self._backoff.delay_s(error)
        if self._lost_at is None:
            self._lost_at = self._now()
            log.warning("%s; trying again until it is back, first in %.1f s", redact(str(error)), delay)
        else:
            log.debug("%s; next attempt in %.1f s", redact(str(error)), delay)
        self.state = ConnectionState.BACKOFF
        return not self._wait(delay)

    def _shift_for(self, frame: Frame) -> int:
        """Returns what to add to the times of a connection whose first frame is `frame`.

        It begins at its arrival, shifted by how far the lost one's clock had drifted: the gap is as long as it was.
        """
        if self._first_ns is None:
            self._first_ns = frame.captured_ns
            return 0
        arrival = self._since_start(frame.captured_ns)
        most = round(LEAD_SLEW * arrival)  # what is more than a clock can drift was a burst: it must not add up
        drift = min(max(self._last_pts - self._since_start(self._last_ns), -most), most)
        return max(arrival + drift, self._last_pts + 1) - self._units(frame.pts, frame)

    def _since_start(self, captured_ns: int) -> int:
        assert self._first_ns is not None
        return round((captured_ns - self._first_ns) * 1e-9 / self._time_base)

    def _carried_on(self, frame: Frame, shift: int) -> Frame:
        pts = self._units(frame.pts, frame) + shift
        if self._index:
            pts = max(pts, self._last_pts + 1)
        duration = self._units(frame.duration, frame)
        carried = replace(frame, index=self._index, pts=pts, time_base=self._time_base, duration=duration)
        self._index += 1
        self._last_pts, self._last_ns = pts, frame.captured_ns
        return carried

    @property
    def _time_base(self) -> Fraction:
        """That of the first connection, whatever a later one has."""
        assert self._info is not None
        return self._info.time_base

    def _units(self, value: int, frame: Frame) -> int:
        return value if frame.time_base == self._time_base else round(value * frame.time_base / self._time_base)

    def close(self) -> None:
        """Closes the connection there is; see `Source.close`."""
        if self._inner is not None:
            self._inner.close()
            self._inner = None
        self.state = ConnectionState.ENDED
