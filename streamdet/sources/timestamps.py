"""Gives every frame a time that strictly increases, and stays the source's own as long as that makes sense."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

LIVE_TIME_BASE = Fraction(1, 90_000)
"""RTP's clock for video: every rate in use is a whole number of its ticks, or within 11 microseconds."""

SPLICE_S = 1.0
"""A timestamp this far behind the last one starts a new time line (joined recordings, a wrapped counter)."""

LIVE_TOLERANCE_S = 2.0
"""How far a live stream's own time may run from its arrival: servers start with a burst of up to a GOP."""


class FileClock:
    """Keeps the timestamps of a file exactly, unless they are missing or do not increase.

    Args:
        time_base: seconds per unit of all times here.
        step: usual distance of two frames in units, at least 1; stands in for what is missing.
        faults: counts "missing_pts" and "backward_pts".
    """

    def __init__(self, time_base: Fraction, step: int, faults: Counter[str]) -> None:
        self._splice = max(1, round(SPLICE_S / time_base))
        self._step = max(1, step)
        self._faults = faults
        self._last: int | None = None
        self._shift = 0

    def stamp(self, raw: int | None) -> int:
        """Returns the time of the next frame in units of the time base."""
        if self._last is None:
            self._last = -self._step if raw is None else raw - 1
        if raw is None:
            self._faults["missing_pts"] += 1
            self._last += self._step
            return self._last
        pts = raw + self._shift
        if pts <= self._last:
            self._faults["backward_pts"] += 1
            if self._last - pts >= self._splice:
                self._shift += self._last + self._step - pts
                pts = self._last + self._step
            else:
                pts = self._last + 1
        self._last = pts
        return pts


class LiveClock:
    """Times a live stream: the distances of its own timestamps, laid on the time of arrival.

    The first frame is at 0. While the source's timestamps are sane their distances are kept exactly. When they are
    missing, jump, or run `LIVE_TOLERANCE_S` away from arrival, the time of arrival takes over and a new run of
    distances starts there, so that an outage of three seconds shows as three seconds.

    Args:
        time_base: seconds per unit of the raw timestamps.
        faults: counts "missing_pts", "backward_pts" and "timestamp_jump".
    """

    def __init__(self, time_base: Fraction, faults: Counter[str]) -> None:
        self._ratio = time_base / LIVE_TIME_BASE
        self._tolerance = round(LIVE_TOLERANCE_S / LIVE_TIME_BASE)
        self._faults = faults
        self._start_ns: int | None = None
        self._last = -1
        self._anchor: tuple[int, int, int] | None = None  # raw ticks, time given to it, time given minus arrival

    def stamp(self, raw: int | None, arrival_ns: int) -> int:
        """Returns the time of the next frame in `LIVE_TIME_BASE`.

        Args:
            raw: the source's timestamp in its own time base; None where it has none.
            arrival_ns: `time.monotonic_ns()` when the frame came.
        """
        if self._start_ns is None:
            self._start_ns = arrival_ns
        arrival = round((arrival_ns - self._start_ns) * 1e-9 / LIVE_TIME_BASE)
        ticks = None if raw is None else round(raw * self._ratio)
        self._last = self._next(ticks, arrival)
        return self._last

    def _next(self, ticks: int | None, arrival: int) -> int:
        by_arrival = max(arrival, self._last + 1)
        if ticks is None:
            self._faults["missing_pts"] += 1
            self._anchor = None
            return by_arrival
        if self._anchor is not None:
            raw, given, lead = self._anchor
            pts = given + ticks - raw
            if abs(pts - arrival - lead) <= self._tolerance:
                if pts > self._last:
                    return pts
                self._faults["backward_pts"] += 1
                return self._last + 1
            self._faults["timestamp_jump"] += 1
        self._anchor = (ticks, by_arrival, by_arrival - arrival)
        return by_arrival
