"""Random numbers that are the same on every machine: the source of all variety in the scene."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class SeededRng:
    """A random number generator seeded by a list of keys.

    It uses only `Random.random` with a text seed, whose sequence Python promises not to change between versions.
    """

    def __init__(self, *keys: object) -> None:
        self._random = Random("/".join(map(str, keys)))

    def uniform(self, low: float, high: float) -> float:
        """Returns a uniformly distributed number from `low` to `high`."""
        return low + (high - low) * self._random.random()

    def bernoulli(self, probability: float) -> bool:
        """Returns True with probability `probability`."""
        return self._random.random() < probability

    def choice(self, choices: Sequence[T]) -> T:
        """Returns one of `choices`, each with the same probability."""
        return choices[int(self._random.random() * len(choices))]

    def vary_color(self, rgb: tuple[float, float, float], spread: float = 14) -> tuple[float, float, float]:
        """Returns a random color near `rgb`: brightness within `spread`, each channel within another 6 (of 255)."""
        brightness = self.uniform(-spread, spread)
        red, green, blue = (min(max(value + brightness + self.uniform(-6, 6), 0), 255) for value in rgb)
        return red, green, blue


def gaussian_noise(count: int, seed: int) -> NDArray[np.float32]:
    """Returns `count` nearly normal numbers with mean 0 and standard deviation 1: sums of eight random bytes.

    NumPy promises to keep the raw bits of a generator between versions, but not the distributions it derives from them.
    """
    raw = np.random.PCG64(seed).random_raw(count).astype("<u8")
    sums = raw.view(np.uint8).reshape(count, 8).sum(axis=1, dtype=np.int32)
    spread = (8 * (256**2 - 1) / 12) ** 0.5
    return np.asarray((sums - 8 * 127.5) / spread, np.float32)


def value_noise(height: int, width: int, cell: float, seed: int) -> NDArray[np.float32]:
    """Returns value noise: smooth random blotches about `cell` pixels wide.

    The result is (height, width) float32 with mean 0 and a standard deviation near 0.6.
    """
    rows, columns = int(height / cell) + 3, int(width / cell) + 3
    grid = gaussian_noise(rows * columns, seed).reshape(rows, columns)
    y, x = np.arange(height, dtype=np.float32) / np.float32(cell), np.arange(width, dtype=np.float32) / np.float32(cell)
    iy, ix = y.astype(np.int32), x.astype(np.int32)
    fy, fx = _smoothstep(np.asarray(y - iy, np.float32))[:, None], _smoothstep(np.asarray(x - ix, np.float32))
    lines = grid[iy] * (1 - fy) + grid[iy + 1] * fy
    return np.asarray(lines[:, ix] * (1 - fx) + lines[:, ix + 1] * fx, np.float32)


def _smoothstep(share: NDArray[np.float32]) -> NDArray[np.float32]:
    return share * share * (3 - 2 * share)
