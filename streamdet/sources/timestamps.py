"""Timestamp repair: every frame gets a `pts` that strictly increases, from the source's own timestamps if possible."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

LIVE_TIME_BASE = Fraction(1, 90_000)
"""RTP's clock for video. The frame interval of every usual rate is a whole number of ticks, or within 11 us of one."""

LIVE_TOLERANCE_S = 2.0
"""Largest difference between a live stream's own time and its arrival: servers start with a burst of up to a GOP."""

SEGMENT_TOLERANCE_S = 20.0
"""The same for streams sent in segments (HLS), of which several seconds arrive at once."""

MAX_CLOCK_DRIFT = 500e-6
"""Fastest drift of a camera's clock against this machine's, in seconds per second. Camera clocks are wrong by up to
100 ppm, and NTP, which some cameras use, corrects a clock by at most 500 ppm."""


class BestEffortTimestamp:
    """Chooses between the presentation and the decoding timestamp of each frame.

    Containers without presentation timestamps (AVI) and faulty muxers give timestamps that run backwards. This class
    chooses the kind that has run backwards less often so far, as FFmpeg does for its "best effort" timestamp.
    """

    def __init__(self) -> None:
        self._last_pts: int | None = None
        self._last_dts: int | None = None
        self._bad_pts = 0
        self._bad_dts = 0

    def choose(self, pts: int | None, dts: int | None) -> int | None:
        """Returns the timestamp of the next frame; None if it has neither."""
        if dts is not None:
            self._bad_dts += self._last_dts is not None and dts <= self._last_dts
            self._last_dts = dts
        if pts is not None:
            self._bad_pts += self._last_pts is not None and pts <= self._last_pts
            self._last_pts = pts
        return pts if pts is not None and (dts is None or self._bad_pts <= self._bad_dts) else dts


class FileClock:
    """Keeps the timestamps of a file exactly, unless they are missing or do not increase.

    A single timestamp that runs backwards is replaced by one after the previous frame; the other frames keep theirs. If
    the next timestamp continues from the low one, a new timeline has started (joined recordings, a wrapped counter). It
    is appended to the old timeline.

    Args:
        step: usual interval between two frames in units of the time base, at least 1; replaces missing timestamps.
        faults: counts "missing_pts" and "backward_pts".
    """

    def __init__(self, step: int, faults: Counter[str]) -> None:
        self._step = max(1, step)
        self._faults = faults
        self._last: int | None = None
        self._highest: int | None = None  # a frame must exceed this, shift included, to continue the timeline
        self._shift = 0
        self._backward: int | None = None  # the raw timestamp of the last frame, if it ran backwards

    def stamp(self, raw: int | None) -> int:
        """Returns the `pts` of the next frame; `raw` is its own timestamp, None if missing."""
        if self._last is None or self._highest is None:
            self._last = self._highest = -self._step if raw is None else raw - 1
        if raw is None:
            self._faults["missing_pts"] += 1
            self._last += self._step
            self._highest = self._last
            return self._last
        pts = raw + self._shift
        if pts > self._highest and pts > self._last - self._step:
            self._highest, self._backward = pts, None
            self._last = max(pts, self._last + 1)  # it may be lower than the replacement of a backward timestamp
            return self._last
        self._faults["backward_pts"] += 1
        if self._backward is not None and raw > self._backward:
            self._shift = self._last - self._backward
            self._last = self._highest = raw + self._shift
            self._backward = None
        else:
            self._last += max(1, self._step // 2)
            self._backward = raw
        return self._last


class LiveClock:
    """Timestamps a live stream: intervals from the source's own timestamps, anchored to the time of arrival.

    The first frame is at 0. As long as the source's timestamps are plausible, their intervals are kept exactly. If they
    jump, diverge from the time of arrival, or are missing for more than one frame, the time of arrival is used: an
    outage of three seconds is a gap of three seconds. Two clocks never run at the same rate, so the lead (the source's
    time minus arrival) is tracked, but no faster than clocks drift (`MAX_CLOCK_DRIFT`); a faster change is divergence.

    Args:
        time_base: unit of the raw timestamps, in seconds.
        step_s: interval between two frames, used until the stream has shown its own.
        faults: counts "missing_pts", "backward_pts" and "timestamp_jump".
        tolerance_s: largest difference between the source's own time and its arrival.
    """

    def __init__(
        self, time_base: Fraction, step_s: Fraction, faults: Counter[str], tolerance_s: float = LIVE_TOLERANCE_S
    ) -> None:
        self._ratio = time_base / LIVE_TIME_BASE
        self._tolerance = round(tolerance_s / LIVE_TIME_BASE)
        self._faults = faults
        self._start_ns: int | None = None
        self._step = max(1, round(step_s / LIVE_TIME_BASE))
        self._last = -1
        self._lead = 0.0  # usual pts minus arrival
        self._missing = 0  # frames since the last one with a timestamp
        self._anchor: tuple[int, int] | None = None  # a raw timestamp and its pts

    def stamp(self, raw: int | None, arrival_ns: int) -> int:
        """Returns the `pts` of the next frame in `LIVE_TIME_BASE`.

        Args:
            raw: the source's timestamp in its own time base; None if missing.
            arrival_ns: `time.monotonic_ns()` when the frame arrived.
        """
        first = self._start_ns is None
        if self._start_ns is None:
            self._start_ns = arrival_ns
        arrival = round((arrival_ns - self._start_ns) * 1e-9 / LIVE_TIME_BASE)
        if raw is None:
            pts = 0 if first else self._stamp_missing(arrival)
            if not first:  # RTSP's first frame often has none, before the sender's first report: not a fault
                self._faults["missing_pts"] += 1
            self._missing += 1
        else:
            ticks = round(raw * self._ratio)
            pts = 0 if first else self._stamp_given(ticks, arrival)
            if self._anchor is None:
                self._anchor = ticks, pts
                self._lead = pts - arrival
            self._missing = 0
        self._last = pts
        return pts

    def _stamp_missing(self, arrival: int) -> int:
        """Stamps a frame without timestamp: by the usual step if it is a single one, else by its arrival."""
        if self._missing == 0:
            return self._next_step(arrival)
        self._anchor = None
        return self._from_arrival(arrival)

    def _stamp_given(self, ticks: int, arrival: int) -> int:
        if self._anchor is None:
            return self._next_step(arrival) if self._missing == 1 else self._from_arrival(arrival)
        anchor_ticks, anchor_pts = self._anchor
        pts = anchor_pts + ticks - anchor_ticks
        if abs(pts - arrival - self._lead) > self._tolerance:
            self._faults["timestamp_jump"] += 1
            self._anchor = None
            return self._next_step(arrival)
        if pts <= self._last:
            self._faults["backward_pts"] += 1
            return self._last + max(1, self._step // 2)
        if self._missing == 0:
            self._step = pts - self._last
        limit = MAX_CLOCK_DRIFT * (pts - self._last)
        self._lead += min(max(pts - arrival - self._lead, -limit), limit)
        return pts

    def _next_step(self, arrival: int) -> int:
        """Returns the last `pts` plus the usual step, or the time of arrival if there was a gap."""
        pts = self._last + self._step
        return pts if abs(pts - arrival - self._lead) <= self._tolerance else max(self._from_arrival(arrival), pts)

    def _from_arrival(self, arrival: int) -> int:
        """Returns the time of arrival on the source's timeline."""
        return max(arrival + round(self._lead), self._last + 1)
