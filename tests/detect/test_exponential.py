"""Exponentials: the kernel against its numpy reference, and against exact arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.detect.exponential import exponentials, exponentials_reference


def run(function, values, columns, peaks):
    out, total = np.zeros((len(values), len(columns) + 3), np.float32), np.full(len(columns), 7, np.float32)
    function(values, columns, peaks, out, total)
    return out, total


@given(seed=st.integers(0, 2**32 - 1), count=st.sampled_from([0, 1, 15, 64, 200]), spread=st.sampled_from([1, 30, 1e4]))
def test_kernel_equals_reference(seed, count, spread):
    random = np.random.default_rng(seed)
    values = (spread * random.standard_normal((5, 300))).astype(np.float32)
    columns = random.integers(0, 300, count).astype(np.int32)
    peaks = values[:, columns].max(axis=0) + np.abs(spread * random.standard_normal(count)).astype(np.float32)
    ours, theirs = (run(function, values, columns, peaks) for function in (exponentials, exponentials_reference))
    np.testing.assert_allclose(ours[0], theirs[0], rtol=5e-7)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=5e-7)


def test_close_to_exact_over_the_whole_range():
    row = np.linspace(-87, 0, 100_001, dtype=np.float32)
    columns = np.arange(len(row), dtype=np.int32)
    out, _ = run(exponentials, row[None], columns, np.zeros(len(row), np.float32))
    exact = np.exp(row.astype(np.float64))
    assert (np.abs(out[0, : len(row)] - exact) / exact).max() < 2 * np.finfo(np.float32).eps


@pytest.mark.parametrize(
    ("value", "peak", "wanted"),
    [
        pytest.param(3.5, 3.5, 1.0, id="peak"),
        pytest.param(-np.inf, 0.0, 0.0, id="minus infinity"),
        pytest.param(-3e38, 3e38, 0.0, id="underflow to 0"),
        pytest.param(np.nan, 0.0, np.nan, id="NaN stays NaN"),
        pytest.param(np.inf, np.inf, np.nan, id="infinity below infinity"),
    ],
)
def test_infinite_nan_and_extreme_values(value, peak, wanted):
    values = np.array([[value], [peak]], np.float32)
    out, total = run(exponentials, values, np.zeros(1, np.int32), values[1])
    np.testing.assert_allclose(out[0, 0], wanted, atol=2e-38)
    np.testing.assert_allclose(total, [out[0, 0] + out[1, 0]])
