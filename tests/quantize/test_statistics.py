"""Statistics of activations over calibration images."""

import tracemalloc

import numpy as np
import pytest

from streamdet.quantize.options import CalibrationMethod
from streamdet.quantize.scale_zero_point import choose_scale
from streamdet.quantize.statistics import BINS, TensorStatistics


def statistics_of(values):
    """Returns the statistics of one tensor with these values."""
    statistics = TensorStatistics()
    statistics.add(np.asarray(values, np.float32).reshape(1, 1, -1))
    return statistics


def test_every_value_is_counted():
    statistics = TensorStatistics()
    for largest in (0.1, 50.0, 3.0, 1000.0):
        statistics.add(np.linspace(-largest / 2, largest, 1000, dtype=np.float32).reshape(1, 1, 1000))
    assert (statistics.lowest, statistics.highest, statistics.images) == (-500, 1000, 4)
    assert statistics.counts.sum() == 4000
    assert statistics.centers[-1] >= 1000 - statistics.width
    above = statistics.counts[statistics.centers > 50 + statistics.width].sum()
    assert above == pytest.approx(1000 * 950 / 1500, abs=2)


def test_the_mean_of_each_channel():
    statistics = TensorStatistics()
    for value in (1, 3):
        statistics.add(np.full((1, 2, 4, 4), value, np.float32) * np.array([1, 10], np.float32).reshape(1, 2, 1, 1))
    np.testing.assert_allclose(statistics.channel_means, [2, 20])


def test_zeros_only():
    assert choose_scale(statistics_of(np.zeros(10)), CalibrationMethod.MSE).scale > 0


def test_memory_does_not_grow_with_images():
    statistics, values = TensorStatistics(), np.ones((1, 4, 100, 100), np.float32)
    statistics.add(values)
    tracemalloc.start()
    try:
        for scale in range(1, 30):
            statistics.add(scale * values)
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert left < values.nbytes + 8 * BINS
