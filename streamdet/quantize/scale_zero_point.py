"""Scale and zero point of a tensor, chosen from its statistics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.quantize.options import CalibrationMethod
from streamdet.quantize.statistics import TensorStatistics

Reader = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""The function that the operator after a tensor computes."""

_OUTLIER_SHARE = 1e-5  # share of values outside the range of PERCENTILE
_MAX_ROUNDS = 3  # of searching one end of the range with the other fixed
_FRACTIONS = np.linspace(0.05, 1.0, 39)  # of the extreme value at one end


@dataclass(frozen=True, slots=True)
class ScaleZeroPoint:
    """Quantization of an activation: value = (q - zero_point) * scale for q in 0..255.

    Attributes:
        scale: distance between two values.
        zero_point: the q of the value 0.
    """

    scale: float
    zero_point: int

    def fake_quantize(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the nearest representable values."""
        quantized = np.clip(np.rint(values / self.scale) + self.zero_point, 0, 255)
        return np.asarray((quantized - self.zero_point) * self.scale)


def identity(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns its argument."""
    return values


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns 1 / (1 + exp(-values))."""
    return 1 / (1 + np.exp(-np.clip(values, -80, 80)))


def silu(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns values * sigmoid(values)."""
    return values * sigmoid(values)


def scale_for_range(lowest: float, highest: float, symmetric: bool = False) -> ScaleZeroPoint:
    """Returns the scale and zero point of a range; the value 0 is always represented exactly."""
    lowest, highest = min(lowest, 0.0), max(highest, 0.0)
    if symmetric:
        largest = max(-lowest, highest)
        return ScaleZeroPoint(largest / 127 or 1.0, 128)
    scale = (highest - lowest) / 255
    if scale < np.finfo(np.float32).tiny:
        return ScaleZeroPoint(1.0, 0)
    return ScaleZeroPoint(scale, int(np.clip(np.rint(-lowest / scale), 0, 255)))


def choose_scale(
    statistics: TensorStatistics, method: CalibrationMethod, symmetric: bool = False, reader: Reader = identity
) -> ScaleZeroPoint:
    """Returns the scale and zero point of a tensor.

    Args:
        statistics: of the tensor.
        method: how its range is chosen.
        symmetric: put the zero point in the middle.
        reader: for `CalibrationMethod.MSE`, the function after which the error is measured.
    """
    lowest, highest = min(statistics.lowest, 0.0), max(statistics.highest, 0.0)
    if method is CalibrationMethod.PERCENTILE:
        cumulative = np.cumsum(statistics.counts) / max(1, statistics.counts.sum())
        ends = np.searchsorted(cumulative, [_OUTLIER_SHARE / 2, 1 - _OUTLIER_SHARE / 2]).clip(max=len(cumulative) - 1)
        lowest = max(lowest, float(statistics.centers[ends[0]]))
        highest = min(highest, float(statistics.centers[ends[1]]))
    elif method is CalibrationMethod.MSE:
        return _least_error(statistics, lowest, highest, symmetric, reader)
    return scale_for_range(lowest, highest, symmetric)


def _least_error(
    statistics: TensorStatistics, lowest: float, highest: float, symmetric: bool, reader: Reader
) -> ScaleZeroPoint:
    filled = np.flatnonzero(statistics.counts)
    values, counts = statistics.centers[filled].clip(lowest, highest), statistics.counts[filled]
    expected = reader(values)

    def error(low: float, high: float) -> float:
        actual = reader(scale_for_range(low, high, symmetric).fake_quantize(values))
        return float(counts @ (actual - expected) ** 2)

    low, high = lowest, highest
    for _ in range(_MAX_ROUNDS):
        before = low, high
        if highest > 0:
            high = min(_FRACTIONS * highest, key=lambda end: error(low, end))
        if lowest < 0:
            low = min(_FRACTIONS * lowest, key=lambda end: error(end, high))
        if (low, high) == before:
            break
    return scale_for_range(low, high, symmetric)
