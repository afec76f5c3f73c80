"""Scale and zero point chosen from statistics."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamdet.quantize.options import CalibrationMethod
from streamdet.quantize.scale_zero_point import choose_scale, identity, scale_for_range
from streamdet.quantize.scale_zero_point import silu as silu_of
from streamdet.quantize.statistics import TensorStatistics


def statistics_of(values):
    """Returns the statistics of one tensor with these values."""
    statistics = TensorStatistics()
    statistics.add(np.asarray(values, np.float32).reshape(1, 1, -1))
    return statistics


@given(st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_a_scale_covers_its_range_and_represents_zero_exactly(first, second):
    low, high = sorted((first, second))
    scale = scale_for_range(low, high)
    assert 0 <= scale.zero_point <= 255
    assert scale.fake_quantize(np.zeros(1))[0] == 0
    ends = np.array([low, high])
    assert np.abs(scale.fake_quantize(ends) - ends).max() <= scale.scale or low * high > 0


def test_outliers_increase_the_scale_of_minmax_only():
    values = np.append(np.random.default_rng(0).standard_normal(400_000), [400.0])
    scales = {method: choose_scale(statistics_of(values), method).scale for method in CalibrationMethod}
    assert scales[CalibrationMethod.MINMAX] > 1.5
    assert scales[CalibrationMethod.PERCENTILE] < 0.1


def test_mse_spends_no_steps_on_values_that_a_silu_flattens():
    values = np.random.default_rng(0).uniform(-40, 10, 100_000)
    plain = choose_scale(statistics_of(values), CalibrationMethod.MSE, reader=identity)
    after_silu = choose_scale(statistics_of(values), CalibrationMethod.MSE, reader=silu_of)
    assert after_silu.scale < 0.5 * plain.scale
    error = [np.mean((silu_of(scale.fake_quantize(values)) - silu_of(values)) ** 2) for scale in (after_silu, plain)]
    assert error[0] < 0.5 * error[1]
