"""Reconnects lost sources, with growing waits between attempts."""

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
from streamdet.sources.timestamps import MAX_CLOCK_DRIFT
from streamdet.types import Frame, SourceInfo

log = logging.getLogger(__name__)


class ConnectionState(Enum):
    """State of the connection of a `ReconnectingSource`."""

    NEW = "new"
    OPENING = "opening"
    RUNNING = "running"
    BACKOFF = "backoff"
    ENDED = "ended"


class Backoff:
    """Computes the waits between attempts: exponential, capped, with jitter.

    They are reset after a connection that lasted `healthy_s`.
    """

    def __init__(self, options: BackoffOptions, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._options = options
        self._uniform = uniform
        self._next_s = options.first_s

    def next_delay_s(self, error: SourceError) -> float:
        """Returns the wait after `error`, and makes the following wait longer."""
        options = self._options
        base = min(self._next_s, options.cap_s)
        self._next_s = min(2 * base, options.cap_s)
        if isinstance(error, AuthError):
            base = max(base, options.auth_s)
        low = 0.0 if isinstance(error, AuthError) else -options.jitter  # not shorter: cameras lock accounts
        return base * (1 + self._uniform(low, options.jitter))

    def record_uptime(self, seconds: float) -> None:
        """Records how long the stream ran before it was lost; a healthy run resets the waits."""
        if seconds >= self._options.healthy_s:
            self._next_s = self._options.first_s


class ReconnectingSource(Source):
    """Presents one connection after another as a single source.

    `index` continues without a gap. `pts` continues by the clock, so that an outage is a gap of its real length. The
    frame size may differ after a reconnect. If a connection ends without an error, the source ends; if it raises
    `SourceError`, the source reconnects.

    Args:
        first: the first connection; its name becomes the name of this source.
        connect: creates a new, unopened source for each further connection.
        options: waits between attempts.
        wait_for_source: also retry if the first connection fails.
        backoff: used instead of a `Backoff` made from `options`.
        now: monotonic clock, in seconds.
        wait: waits for a number of seconds or until the source is stopped; returns whether it was stopped.

    Attributes:
        state: state of the connection; written by the owner's thread.
    """

    live = True

    def __init__(
        self,
        first: Source,
        connect: Callable[[], Source],
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
        self._make_connection = connect
        self._backoff = backoff or Backoff(options or BackoffOptions())
        self._wait_for_source = wait_for_source
        self._now = now
        self._wait = wait or self.stopping.wait
        self._info: SourceInfo | None = None
        self._lost_at: float | None = None  # start of the outage; None while connected
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
                if not self._wait_for_source or not self._wait_to_retry(error):
                    self.state = ConnectionState.ENDED
                    raise

    def frames(self) -> Iterator[Frame]:
        """Yields the frames of all connections in turn; see `Source.frames`."""
        while self._inner is not None and not self.stopping.is_set():
            started = self._now()
            try:
                offset: int | None = None
                for frame in self._inner.frames():
                    offset = self._pts_offset(frame) if offset is None else offset
                    yield self._continued(frame, offset)
                break
            except SourceError as error:
                self._backoff.record_uptime(self._now() - started)
                if not self._reconnect(error):
                    break
        self.close()

    def _reconnect(self, error: SourceError) -> bool:
        """Retries until connected; returns False if stopped before."""
        while self._wait_to_retry(error):
            try:
                self._connect()
                return True
            except SourceError as next_error:
                error = next_error
        return False

    def _connect(self) -> SourceInfo:
        self.state = ConnectionState.OPENING
        inner = self._inner or self._make_connection()
        inner.stopping, inner.faults = self.stopping, self.faults  # shared, so that a stop works in every state
        self._inner = inner
        info = inner.open()
        if self._lost_at is not None:
            self.faults["reconnect"] += 1
            log.warning("%s: reconnected after %.1f s", self.name, self._now() - self._lost_at)
            self._lost_at = None
        self.state = ConnectionState.RUNNING
        return info

    def _wait_to_retry(self, error: SourceError) -> bool:
        """Closes the failed connection and waits; returns False if stopped meanwhile."""
        if self._inner is not None:
            self._inner.close()
            self._inner = None
        if self.stopping.is_set():
            return False
        delay_s = self._backoff.next_delay_s(error)
        if self._lost_at is None:
            self._lost_at = self._now()
            log.warning("%s; reconnecting, first attempt in %.1f s", redact(str(error)), delay_s)
        else:
            log.debug("%s; next attempt in %.1f s", redact(str(error)), delay_s)
        self.state = ConnectionState.BACKOFF
        return not self._wait(delay_s)

    def _pts_offset(self, frame: Frame) -> int:
        """Returns the offset to add to the `pts` of a connection whose first frame is `frame`.

        The connection starts at its time of arrival, plus the drift of the lost connection's clock. So the gap in `pts`
        is as long as the outage.
        """
        if self._first_ns is None:
            self._first_ns = frame.captured_ns
            return 0
        arrival = self._since_start(frame.captured_ns)
        limit = round(MAX_CLOCK_DRIFT * arrival)  # a larger difference was a burst, not drift, and must not accumulate
        drift = min(max(self._last_pts - self._since_start(self._last_ns), -limit), limit)
        return max(arrival + drift, self._last_pts + 1) - self._in_time_base(frame.pts, frame)

    def _since_start(self, captured_ns: int) -> int:
        assert self._first_ns is not None
        return round((captured_ns - self._first_ns) * 1e-9 / self._time_base)

    def _continued(self, frame: Frame, offset: int) -> Frame:
        """Returns `frame` with the index and `pts` that follow the frame before."""
        pts = self._in_time_base(frame.pts, frame) + offset
        if self._index:
            pts = max(pts, self._last_pts + 1)
        duration = self._in_time_base(frame.duration, frame)
        continued = replace(frame, index=self._index, pts=pts, time_base=self._time_base, duration=duration)
        self._index += 1
        self._last_pts, self._last_ns = pts, frame.captured_ns
        return continued

    @property
    def _time_base(self) -> Fraction:
        """The time base of the first connection; later ones are converted to it."""
        assert self._info is not None
        return self._info.time_base

    def _in_time_base(self, value: int, frame: Frame) -> int:
        return value if frame.time_base == self._time_base else round(value * frame.time_base / self._time_base)

    def close(self) -> None:
        """Closes the current connection; see `Source.close`."""
        if self._inner is not None:
            self._inner.close()
            self._inner = None
        self.state = ConnectionState.ENDED
