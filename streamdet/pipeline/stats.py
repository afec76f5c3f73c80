"""Percentiles of any number of values in a fixed amount of memory."""

from __future__ import annotations

import math

_GROWTH = 1.02
_SMALLEST = 1e-3
_BINS = 1200  # 1e-3 * 1.02 ** 1200 = 2e7: microseconds to hours when the unit is milliseconds


class Histogram:
    """Counts values in bins 2 % wide, from 0.001 up; percentiles are right to 1 %.

    One thread adds; others may read at any time and see a slightly older state.
    """

    def __init__(self) -> None:
        self._counts = [0] * _BINS
        self.count = 0
        self.maximum = 0.0

    def add(self, value: float) -> None:
        """Adds one value; negatives count as zero, and what is not finite is left out."""
        if not math.isfinite(value):
            return
        index = 0 if value <= _SMALLEST else 1 + int(math.log(value / _SMALLEST) / math.log(_GROWTH))
        self._counts[min(index, _BINS - 1)] += 1
        self.count += 1
        self.maximum = max(self.maximum, value)

    def percentile(self, percent: float) -> float:
        """Returns the smallest value that at least `percent` of the values do not exceed; NaN without values.

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
