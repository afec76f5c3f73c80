"""Which frames of a stream the detector runs on: the rate limit and the options."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.errors import ConfigError
from streamdet.pipeline.admission import Admission, DetectOptions
from streamdet.pipeline.captured_frame import Verdict

from .fakes import (
    frame_at,
)

pytestmark = pytest.mark.timeout(60)


@given(
    st.floats(0.2, 40),
    st.lists(st.integers(1, 200), min_size=2, max_size=400),
)
def test_the_rate_is_never_exceeded_and_nearly_reached(max_hz, steps_ms):
    admission = Admission(DetectOptions(max_hz=max_hz))
    times_ms = np.cumsum(steps_ms)
    taken = [t for t in times_ms.tolist() if admission.admit(frame_at(t)).verdict is Verdict.INFER]
    interval_ms = 1000 / max_hz
    for first in range(len(taken)):  # in any stretch of time
        span_ms = taken[-1] - taken[first]
        assert len(taken) - first <= span_ms / interval_ms + 2 + 1e-6
    gaps = np.diff(taken)
    assert not len(gaps) or gaps.max() < 2 * interval_ms + 2 * max(steps_ms)


def test_a_rate_that_does_not_divide_the_frame_rate_is_kept_on_average():
    admission = Admission(DetectOptions(max_hz=7))
    verdicts = Counter(admission.admit(frame_at(n, Fraction(1, 30))).verdict for n in range(3000))
    assert verdicts[Verdict.INFER] == pytest.approx(700, abs=1)
    assert verdicts[Verdict.TOO_SOON] == 3000 - verdicts[Verdict.INFER]


@pytest.mark.parametrize(
    "options", [{"max_hz": math.inf}, {"priority": -1}, {"redetect_s": 0}, {"region": (0.5, 0, 0.5, 1)}]
)
def test_impossible_options_are_errors(options):
    with pytest.raises(ConfigError):
        DetectOptions(**options)
