"""What is remembered of the values of a tensor over all pictures: little, however many there are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BINS = 8192
"""Of a histogram; at least a quarter of them lie between zero and the largest value seen, 8 for each step of a grid."""

_SAMPLED = 1 << 18
"""Values of one tensor of one picture that go into its histogram; of more, every so many-th. Extremes are exact."""


@dataclass(slots=True)
class Statistics:
    """Values of one tensor, seen picture by picture.

    The histogram lies around zero; when a value falls outside, its bins are merged in pairs until it fits.

    Attributes:
        lowest: of all values.
        highest: of all values.
        counts: (BINS,) values in each bin; bin i covers (i - BINS / 2) * width to one width more.
        width: of a bin; 0 before the first value.
        channel_sums: (channels,) sum of the means of each channel of every picture.
        pictures: how many were seen.
    """

    lowest: float = np.inf
    highest: float = -np.inf
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    width: float = 0.0
    channel_sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    pictures: int = 0

    def add(self, values: NDArray[np.float32]) -> None:
        """Takes in one picture's values (1, channels, ...)."""
        if not values.size:
            return
        self.pictures += 1
        self.lowest = min(self.lowest, float(values.min()))
        self.highest = max(self.highest, float(values.max()))
        if values.ndim > 1:
            self.channel_sums = self.channel_sums + values.mean(axis=(0, *range(2, values.ndim)), dtype=np.float64)
        flat = values.reshape(-1)
        flat = flat[:: max(1, flat.size // _SAMPLED)]
        self._make_room(max(-self.lowest, self.highest))
        if self.width:
            places = np.floor(flat / self.width).astype(np.int64) + BINS // 2
            self.counts += np.bincount(places.clip(0, BINS - 1), minlength=BINS)

    @property
    def channel_means(self) -> NDArray[np.float64]:
        """Returns (channels,) the mean of each channel over all pictures."""
        return self.channel_sums / max(1, self.pictures)

    @property
    def centres(self) -> NDArray[np.float64]:
        """Returns (BINS,) the middle of each bin."""
        return (np.arange(BINS, dtype=np.float64) - BINS // 2 + 0.5) * self.width

    def _make_room(self, largest: float) -> None:
        if not self.width:
            self.width = 2 * largest / BINS
        while self.width and largest > self.width * BINS / 2:
            merged = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.zeros(BINS, np.int64)
            self.counts[BINS // 4 : BINS // 4 + len(merged)] = merged
            self.width *= 2
