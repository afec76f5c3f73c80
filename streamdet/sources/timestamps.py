"""Gives every frame a time that strictly increases, and stays the source's own as long as that makes sense."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

LIVE_TIME_BASE = Fraction(1, 90_000)
"""RTP's clock for video: every rate in use is a whole number of its ticks, or within 11 microseconds."""

LIVE_TOLERANCE_S = 2.0
"""How far a live stream's own time may run from its arrival: servers start with a burst of up to a GOP."""

SEGMENT_TOLERANCE_S = 20.0
"""The same for streams that come in segments (HLS): several seconds arrive at once."""

LEAD_SLEW = 500e-6
"""How fast a live stream's own time may drift from this machine's, seconds per second. Clocks in cameras are up to 100
millionths off, and NTP, which some of them follow, slews a clock by 500 at most."""


class BestEffortTimestamp:
    """Takes each frame's presentation time, or its decoding time where that is the better one.

    Containers without presentation times (AVI) and broken muxers give times that run back; whichever of the two ran
    back less often so far is taken, which is also FFmpeg's rule for its "best effort" timestamp.
    """

    def __init__(self) -> None:
        self._last_pts: int | None = None
        self._last_dts: int | None = None
        self._bad_pts = 0
        self._bad_dts = 0

    def take(self, pts: int | None, dts: int | None) -> int | None:
        """Returns the time to use for the next frame; None where it has neither."""
        if dts is not None:
            self._bad_dts += self._last_dts is not None and dts <= self._last_dts
            self._last_dts = dts
        if pts is not None:
            self._bad_pts += self._last_pts is not None and pts <= self._last_pts
            self._last_pts = pts
        return pts if pts is not None and (dts is None or self._bad_pts <= self._bad_dts) else dts


class FileClock:
    """Keeps the timestamps of a file exactly, unless they are missing or do not increase.

    A single time that runs back is set behind the one before, and the others keep theirs. Where the next one goes on
    from there, still below what there was before, a new time line has begun (joined recordings, a wrapped counter),
    which is laid behind the old one.

    Args:
        step: usual distance of two frames in units of the time base, at least 1; stands in for what is missing.
        faults: counts "missing_pts" and "backward_pts".
    """

    def __init__(self, step: int, faults: Counter[str]) -> None:
        self._step = max(1, step)
        self._faults = faults
        self._last: int | None = None
        self._highest: int | None = None  # of the time line, shifted: what a frame must exceed to go on with it
        self._shift = 0
        self._behind: int | None = None  # the raw time of the last frame, where it ran back

    def stamp(self, raw: int | None) -> int:
        """Returns the time of the next frame."""
        if self._last is None or self._highest is None:
            self._last = self._highest = -self._step if raw is None else raw - 1
        if raw is None:
            self._faults["missing_pts"] += 1
            self._last += self._step
            self._highest = self._last
            return self._last
        pts = raw + self._shift
        if pts > self._highest and pts > self._last - self._step:
            self._highest, self._behind = pts, None
            self._last = max(pts, self._last + 1)  # it may have come to lie before a time that ran back
            return self._last
        self._faults["backward_pts"] += 1
        if self._behind is not None and raw > self._behind:
            self._shift = self._last - self._behind
            self._last = self._highest = raw + self._shift
            self._behind = None
        else:
            self._last += max(1, self._step // 2)
            self._behind = raw
        return self._last


class LiveClock:
    """Times a live stream: the distances of its own timestamps, laid on the time of arrival.

    The first frame is at 0. While the source's timestamps are sane their distances are kept exactly. When they jump,
    run away from arrival, or are missing for more than one frame, the time of arrival decides, so
    that an outage of three seconds shows as three seconds. No two clocks run alike: how far the source's time leads
    arrival is followed as fast as clocks drift (`LEAD_SLEW`), and only what is faster counts as running away.

    Args:
        time_base: seconds per unit of the raw timestamps.
        step_s: usual distance of two frames until the stream has shown its own.
        faults: counts "missing_pts", "backward_pts" and "timestamp_jump".
        tolerance_s: how far the source's own time may run from arrival.
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
        self._lead = 0.0  # usual time given minus arrival
        self._missing = 0  # frames without a timestamp since the last one that had one
        self._anchor: tuple[int, int] | None = None  # a raw timestamp and the time given to it

    def stamp(self, raw: int | None, arrival_ns: int) -> int:
        """Returns the time of the next frame in `LIVE_TIME_BASE`.

        Args:
            raw: the source's timestamp in its own time base; None where it has none.
            arrival_ns: `time.monotonic_ns()` when the frame came.
        """
        first = self._start_ns is None
        if self._start_ns is None:
            self._start_ns = arrival_ns
        arrival = round((arrival_ns - self._start_ns) * 1e-9 / LIVE_TIME_BASE)
        if raw is None:
            pts = 0 if first else self._without(arrival)
            if not first:  # RTSP's first frame has none until the sender's first report: no fault
                self._faults["missing_pts"] += 1
            self._missing += 1
        else:
            ticks = round(raw * self._ratio)
            pts = 0 if first else self._with(ticks, arrival)
            if self._anchor is None:
                self._anchor = ticks, pts
                self._lead = pts - arrival
            self._missing = 0
        self._last = pts
        return pts

    def _without(self, arrival: int) -> int:
        """Takes the usual step for a single frame without timestamp (RTSP's first often has none), arrival for more."""
        if self._missing == 0:
            return self._follow(arrival)
        self._anchor = None
        return self._arrived(arrival)

    def _with(self, ticks: int, arrival: int) -> int:
        if self._anchor is None:
            return self._follow(arrival) if self._missing == 1 else self._arrived(arrival)
        raw, given = self._anchor
        pts = given + ticks - raw
        if abs(pts - arrival - self._lead) > self._tolerance:
            self._faults["timestamp_jump"] += 1
            self._anchor = None
            return self._follow(arrival)
        if pts <= self._last:
            self._faults["backward_pts"] += 1
            return self._last + max(1, self._step // 2)
        if self._missing == 0:
            self._step = pts - self._last
        most = LEAD_SLEW * (pts - self._last)
        self._lead += min(max(pts - arrival - self._lead, -most), most)
        return pts

    def _follow(self, arrival: int) -> int:
        """Returns the last time plus the usual step, or arrival where that tells of a gap."""
        pts = self._last + self._step
        return pts if abs(pts - arrival - self._lead) <= self._tolerance else max(self._arrived(arrival), pts)

    def _arrived(self, arrival: int) -> int:
        """Returns the time of arrival on the source's time line."""
        return max(arrival + round(self._lead), self._last + 1)
