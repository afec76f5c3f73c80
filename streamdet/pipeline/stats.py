"""Durations of one stream: percentiles of any number of values in a fixed amount of memory."""

from __future__ import annotations

import math
import time
from collections import Counter

from streamdet.types import Result, StageTimes

_GROWTH = 1.02
_SMALLEST = 1e-3
_BINS = 1200  # 1e-3 * 1.02 ** 1200 = 2e7: microseconds to hours when the unit is milliseconds


class Histogram:
    """Counts values in bins 2 % wide, from 0.001 up; percentiles are accurate to 1 %.

    One thread adds values; others may read at any time and see a slightly older state.
    """

    def __init__(self) -> None:
        self._counts = [0] * _BINS
        self.count = 0
        self.maximum = 0.0

    def add(self, value: float) -> None:
        """Adds one value; a negative one counts as zero, and one that is not finite is ignored."""
        if not math.isfinite(value):
            return
        index = 0 if value <= _SMALLEST else 1 + int(math.log(value / _SMALLEST) / math.log(_GROWTH))
        self._counts[min(index, _BINS - 1)] += 1
        self.count += 1
        self.maximum = max(self.maximum, value)

    def percentile(self, percent: float) -> float:
        """Returns the value that `percent` % of the values are at or below; NaN without values.

        >>> h = Histogram()
        >>> for ms in range(1, 101): h.add(ms)
        >>> abs(h.percentile(50) - 50) < 1, abs(h.percentile(99) - 99) < 1
        (True, True)
        """
        wanted = max(1, math.ceil(self.count * percent / 100))
        seen = 0
        for index, count in enumerate(self._counts):
            seen += count
            if seen >= wanted:
                middle = _SMALLEST * _GROWTH ** (index - 0.5) if index else 0.0
                return min(middle, self.maximum)
        return math.nan


class StreamStats:
    """Durations and counts of one stream. Each histogram is written by one thread.

    Args:
        delay_s: intended time from capture until a frame is shown.

    Attributes:
        not_inferred: number of frames that the detector did not run on, by cause.
        interpolated: number of frames that were shown with detections before and after them.
        first_captured_ns: monotonic time when the first shown frame was captured; 0 before.
        last_shown_ns: monotonic time when the last frame was shown; 0 before.
        first_pts_s: presentation time of the first shown frame.
        last_pts_s: presentation time of the last shown frame.
    """

    def __init__(self, delay_s: float = 0.0) -> None:
        self._delay_ns = round(1e9 * delay_s)
        self._waited_ns = 0
        self.decode_ms = Histogram()
        self.preprocess_ms = Histogram()
        self.infer_ms = Histogram()
        self.postprocess_ms = Histogram()
        self.track_ms = Histogram()
        self.motion_ms = Histogram()
        self.draw_ms = Histogram()
        self.detection_age_ms = Histogram()
        self.not_inferred: Counter[str] = Counter()
        self.interpolated = 0
        self.first_captured_ns = 0
        self.last_shown_ns = 0
        self.first_pts_s = 0.0
        self.last_pts_s = 0.0

    def add_inferred(self, times: StageTimes) -> None:
        """Counts one frame that the detector ran on (inference thread)."""
        self.preprocess_ms.add(times.preprocess_ms)
        self.infer_ms.add(times.infer_ms)
        self.postprocess_ms.add(times.postprocess_ms)

    def add_shown(self, result: Result) -> None:
        """Counts one shown frame (render thread)."""
        if not self.first_captured_ns:
            self.first_captured_ns, self.first_pts_s = result.frame.captured_ns, result.frame.pts_s
        self.last_pts_s = result.frame.pts_s
        self.last_shown_ns = time.monotonic_ns()
        self._waited_ns = min(
            self._delay_ns, self.last_shown_ns - result.frame.captured_ns
        )  # less where a stop cut it short
        if result.times.track_ms:
            self.track_ms.add(result.times.track_ms)
        if result.times.motion_ms:
            self.motion_ms.add(result.times.motion_ms)
        if result.annotated is not None:
            self.draw_ms.add(result.times.draw_ms)
        self.detection_age_ms.add(1000 * result.detection_age_s)

    @property
    def busy_s(self) -> float:
        """Time from the capture of the first shown frame until the last one was shown, without the intended delay."""
        return max(0, self.last_shown_ns - self.first_captured_ns - self._waited_ns) / 1e9

    def stages(self) -> dict[str, Histogram]:
        """Returns the stages that ran, in the order of the pipeline."""
        named = {
            "decode": self.decode_ms,
            "preprocess": self.preprocess_ms,
            "infer": self.infer_ms,
            "postprocess": self.postprocess_ms,
            "track": self.track_ms,
            "motion": self.motion_ms,
            "draw": self.draw_ms,
        }
        return {name: histogram for name, histogram in named.items() if histogram.count}
