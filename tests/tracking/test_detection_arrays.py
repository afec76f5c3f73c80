"""Which detections a tracker uses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.tracking.detection_arrays import MAX_COORDINATE_PX, usable_detections, usable_detections_reference

from .random_tracks import random_boxes, seeds, shares

TOO_FAR_PX = float(np.nextafter(np.float32(MAX_COORDINATE_PX), np.float32(2 * MAX_COORDINATE_PX)))
corner = st.floats(width=32) | st.sampled_from([0.0, 150.0, MAX_COORDINATE_PX, -MAX_COORDINATE_PX, TOO_FAR_PX])


@given(
    seeds,
    st.lists(st.tuples(st.integers(0, 19), corner), max_size=3),
    st.lists(shares | st.floats(width=32), min_size=5, max_size=5),
    shares,
)
def test_usable_detections_equal_the_reference(seed, replaced, scores, low_score):
    boxes_xyxy = random_boxes(np.random.default_rng(seed), 5)
    for index, value in replaced:
        boxes_xyxy.flat[index] = value
    scores = np.array(scores, np.float32)
    ours = usable_detections(boxes_xyxy, scores, low_score)
    np.testing.assert_array_equal(ours, usable_detections_reference(boxes_xyxy, scores, low_score))


@pytest.mark.parametrize("usable", [usable_detections, usable_detections_reference])
def test_detections_exactly_on_a_limit_are_usable(usable):
    far = MAX_COORDINATE_PX
    boxes_xyxy = np.array([[0, 0, far, 10], [0, 0, TOO_FAR_PX, 10], [-far, 0, 0, 10]], np.float32)
    assert usable(boxes_xyxy, np.ones(3, np.float32), 1.0).tolist() == [0, 2]
    scores = np.array([0.5, 0.7], np.float32)
    assert [usable(boxes_xyxy[::2], scores, low).tolist() for low in (0.5, 0.7)] == [[0, 1], []], (
        "as float32, 0.7 is rounded down"
    )
