"""Statistics of the values of a tensor over all calibration images, in constant memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BINS = 8192
"""Bins of a histogram. At least a quarter lie between zero and the largest value: 8 for each quantization step."""

_MAX_SAMPLES = 1 << 18
"""Values of one tensor and image from which on it is subsampled evenly for the histogram. Minimum and maximum are
exact."""


@dataclass(slots=True)
class TensorStatistics:
    """Statistics of one tensor, updated image by image.

    The histogram is centered on zero. When a value falls outside, its bins are merged in pairs until it fits.

    Attributes:
        lowest: smallest value.
        highest: largest value.
        counts: (BINS,) number of values per bin; bin i starts at (i - BINS / 2) * width.
        width: of a bin; 0 before the first value other than 0.
        channel_sums: (channels,) sum over images of the mean of each channel.
        images: number of images added.
    """

    lowest: float = np.inf
    highest: float = -np.inf
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    width: float = 0.0
    channel_sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    images: int = 0

    def add(self, values: NDArray[np.float32]) -> None:
        """Adds one image's values, (1, channels, ...)."""
        if not values.size:
            return
        self.images += 1
        self.lowest = min(self.lowest, float(values.min()))
        self.highest = max(self.highest, float(values.max()))
        if values.ndim > 1:
            self.channel_sums = self.channel_sums + values.mean(axis=(0, *range(2, values.ndim)), dtype=np.float64)
        flat = values.reshape(-1)
        flat = flat[:: max(1, flat.size // _MAX_SAMPLES)]
        self._widen(max(-self.lowest, self.highest))
        if self.width:
            bins = np.floor(flat / self.width).astype(np.int64) + BINS // 2
            self.counts += np.bincount(bins.clip(0, BINS - 1), minlength=BINS)

    @property
    def channel_means(self) -> NDArray[np.float64]:
        """The mean of each channel over all images, (channels,)."""
        return self.channel_sums / max(1, self.images)

    @property
    def centers(self) -> NDArray[np.float64]:
        """The middle of each bin, (BINS,)."""
        return (np.arange(BINS, dtype=np.float64) - BINS // 2 + 0.5) * self.width

    def _widen(self, largest: float) -> None:
        if not self.width:
            self.width = 2 * largest / BINS
        while self.width and largest > self.width * BINS / 2:
            merged = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.zeros(BINS, np.int64)
            self.counts[BINS // 4 : BINS // 4 + len(merged)] = merged
            self.width *= 2
