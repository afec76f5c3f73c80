"""Chance that falls the same on every machine: all of the scene's variety comes from here."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class SeededRng:
    """Numbers that follow from a list of keys alone.

    Only `Random.random` of text seeds is used, whose sequence Python promises to keep between versions.
    """

    def __init__(self, *keys: object) -> None:
        self._random = Random("/".join(map(str, keys)))

    def uniform(self, low: float, high: float) -> float:
        """Returns a number from `low` to `high`."""
        return low + (high - low) * self._random.random()

    def bernoulli(self, share: float) -> bool:
        """Returns True in `share` of all cases."""
        return self._random.random() < share

    def choice(self, choices: Sequence[T]) -> T:
        """Returns one of `choices`."""
        return choices[int(self._random.random() * len(choices))]

    def vary_color(self, rgb: tuple[float, float, float], spread: float = 14) -> tuple[float, float, float]:
        """Returns a colour near `rgb`."""
        light = self.uniform(-spread, spread)
        red, green, blue = (min(max(value + light + self.uniform(-6, 6), 0), 255) for value in rgb)
        return red, green, blue


def gaussian_noise(count: int, seed: int) -> NDArray[np.float32]:
    """Returns `count` numbers with mean 0 and standard deviation 1, nearly normal: sums of eight random bytes.

    NumPy promises the raw bits of a generator to stay what they are, not what it makes of them.
    """
    raw = np.random.PCG64(seed).random_raw(count).astype("<u8")
    sums = raw.view(np.uint8).reshape(count, 8).sum(axis=1, dtype=np.int32)
    spread = (8 * (256**2 - 1) / 12) ** 0.5
    return np.asarray((sums - 8 * 127.5) / spread, np.float32)


def value_noise(height: int, width: int, cell: float, seed: int) -> NDArray[np.float32]:
    """Returns soft random blotches about `cell` pixels wide: (height, width) float32, mean 0, deviation near 0.6."""
    rows, columns = int(height / cell) + 3, int(width / cell) + 3
    grid = gaussian_noise(rows * columns, seed).reshape(rows, columns)
    y, x = np.arange(height, dtype=np.float32) / np.float32(cell), np.arange(width, dtype=np.float32) / np.float32(cell)
    iy, ix = y.astype(np.int32), x.astype(np.int32)
    fy, fx = _ease(np.asarray(y - iy, np.float32))[:, None], _ease(np.asarray(x - ix, np.float32))
    lines = grid[iy] * (1 - fy) + grid[iy + 1] * fy
    return np.asarray(lines[:, ix] * (1 - fx) + lines[:, ix + 1] * fx, np.float32)


def _ease(share: NDArray[np.float32]) -> NDArray[np.float32]:
    return share * share * (3 - 2 * share)
