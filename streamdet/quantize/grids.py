"""From what was seen of a tensor to the 256 values it may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.quantize.options import Method
from streamdet.quantize.statistics import Statistics

Behind = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""What a reader of the tensor makes of its values."""

_LEFT_OUT = 1e-5  # share of values outside a percentile's range
_ROUNDS = 3  # of searching one end with the other held
_FRACTIONS = np.linspace(0.05, 1.0, 39)  # of what was seen at one end


@dataclass(frozen=True, slots=True)
class Grid:
    """Values of an activation: (q - zero) * scale for q in 0..255.

    Attributes:
        scale: distance of two values.
        zero: the q that stands for 0.
    """

    scale: float
    zero: int

    def nearest(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the values of the grid nearest to `values`."""
        return np.asarray((np.clip(np.rint(values / self.scale) + self.zero, 0, 255) - self.zero) * self.scale)


def identity(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns its argument."""
    return values


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns 1 / (1 + exp(-values))."""
    return 1 / (1 + np.exp(-np.clip(values, -80, 80)))


def silu(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns values * sigmoid(values)."""
    return values * sigmoid(values)


def spanning(lowest: float, highest: float, symmetric: bool = False) -> Grid:
    """Returns the grid of a range; zero is always one of its values, exactly."""
    lowest, highest = min(lowest, 0.0), max(highest, 0.0)
    if symmetric:
        largest = max(-lowest, highest)
        return Grid(largest / 127 or 1.0, 128)
    scale = (highest - lowest) / 255
    if scale < np.finfo(np.float32).tiny:
        return Grid(1.0, 0)
    return Grid(scale, int(np.clip(np.rint(-lowest / scale), 0, 255)))


def choose(seen: Statistics, method: Method, symmetric: bool = False, behind: Behind = identity) -> Grid:
    """Returns the grid of a tensor.

    Args:
        seen: of it.
        method: how its range is chosen.
        symmetric: zero in the middle.
        behind: for `Method.MSE`, what the error is measured behind.
    """
    lowest, highest = min(seen.lowest, 0.0), max(seen.highest, 0.0)
    if method is Method.PERCENTILE:
        below = np.cumsum(seen.counts) / max(1, seen.counts.sum())
        ends = np.searchsorted(below, [_LEFT_OUT / 2, 1 - _LEFT_OUT / 2]).clip(max=len(below) - 1)
        lowest, highest = max(lowest, float(seen.centres[ends[0]])), min(highest, float(seen.centres[ends[1]]))
    elif method is Method.MSE:
        return _least_error(seen, lowest, highest, symmetric, behind)
    return spanning(lowest, highest, symmetric)


def _least_error(seen: Statistics, lowest: float, highest: float, symmetric: bool, behind: Behind) -> Grid:
    filled = np.flatnonzero(seen.counts)
    values, counts = seen.centres[filled].clip(lowest, highest), seen.counts[filled]
    wanted = behind(values)

    def error(low: float, high: float) -> float:
        got = behind(spanning(low, high, symmetric).nearest(values))
        return float(counts @ (got - wanted) ** 2)

    low, high = lowest, highest
    for _ in range(_ROUNDS):
        before = low, high
        if highest > 0:
            high = min(_FRACTIONS * highest, key=lambda end: error(low, end))
        if lowest < 0:
            low = min(_FRACTIONS * lowest, key=lambda end: error(end, high))
        if (low, high) == before:
            break
    return spanning(low, high, symmetric)
