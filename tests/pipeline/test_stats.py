"""Histograms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.pipeline.stats import Histogram

pytestmark = pytest.mark.timeout(60)


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=300), st.floats(0.1, 100))
def test_percentiles_are_accurate_to_two_percent(values, percent):
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    expected = np.percentile(values, percent, method="inverted_cdf")
    assert histogram.percentile(percent) == pytest.approx(expected, rel=0.02)


def test_a_histogram_accepts_negative_and_infinite_values():
    histogram = Histogram()
    assert np.isnan(histogram.percentile(50))
    for value in (0.0, -1.0, float("inf"), float("nan"), 1e30):
        histogram.add(value)
    assert histogram.count == 3
    assert histogram.percentile(50) == 0
