"""The kernels behind smooth lines equal their numpy references."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamdet.draw import stroke

SIZE = st.tuples(st.integers(1, 13), st.integers(1, 13))
AT = st.tuples(st.integers(-16, 16), st.integers(-16, 16))
SEED = st.integers(0, 2**16)
POINT = st.tuples(st.floats(-20, 30), st.floats(-20, 30), st.floats(0, 5), st.floats(0, 1))


@given(st.lists(POINT, min_size=0, max_size=5), SIZE, AT, SEED)
def test_stroke_equals_its_reference(points, size, at, seed):
    path = np.array(points, np.float64).reshape(-1, 4)
    mask = np.random.default_rng(seed).integers(0, 256, (size[1], size[0]), np.uint8)
    expected = stroke.stroke_mask_reference(path, *at, mask)
    before, spans = mask.copy(), np.tile(np.array([size[0], 0]), (size[1], 1))
    stroke.stroke_mask(path, *at, mask, spans)
    for row, (start, end) in enumerate(spans):
        assert not np.delete(mask[row] != before[row], np.arange(start, end)).any(), "writes inside its spans only"
    # A coverage that lies on a rounding edge may fall to either side.
    assert np.abs(mask.astype(int) - expected.astype(int)).max() <= 1


@given(st.lists(POINT, min_size=1, max_size=5), SIZE)
def test_bounds_contain_the_complete_stroke(points, size):
    path, (width, height) = np.array(points, np.float64), size
    whole = stroke.stroke_mask_reference(path, 0, 0, np.zeros((height, width), np.uint8))
    left, top, right, bottom = stroke.stroke_bounds(path, width, height)
    whole[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = 0
    assert not whole.any()


odd = st.sampled_from([np.nan, np.inf, -np.inf, 999999.0, 1e6, -1e6, 1e7])


@given(st.lists(st.tuples(*[st.floats(-20, 30) | odd] * 2, st.floats(0, 5) | odd, st.floats(0, 1)), max_size=5), SIZE)
def test_bounds_equal_their_reference(points, size):
    path = np.array(points, np.float64).reshape(-1, 4)
    assert stroke.stroke_bounds(path, *size) == stroke.stroke_bounds_reference(path, *size)
