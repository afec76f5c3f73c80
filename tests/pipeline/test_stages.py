"""The box synchronizer: the age of detections, and boxes clipped to the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.pipeline.stages import BoxSynchronizer, Inferred
from streamdet.types import Detected, Detections

from .fakes import (
    frames,
)

pytestmark = pytest.mark.timeout(60)


@given(st.sets(st.integers(0, 59), max_size=20), st.integers(0, 59))
def test_the_age_of_detections_is_the_time_to_the_nearest(inferred, shown):
    all_frames = frames(60)
    boxes = BoxSynchronizer(None)
    boxes.take([Inferred(all_frames[number], Detected(Detections.empty())) for number in sorted(inferred)])
    expected = min(
        (abs(all_frames[number].pts_s - all_frames[shown].pts_s) for number in inferred), default=float("inf")
    )
    assert boxes.show(all_frames[shown]).detection_age_s == expected


class LeavingTracker:
    """A tracker whose boxes leave the picture of 8 x 6 pixels."""

    def update(self, detections, time_s, camera_motion=None, picture=None):
        return detections

    def predict(self, time_s):
        boxes = np.array([[-3, 1, 2, 9], [6, 1, 9, 4], [9, 1, 12, 4]], np.float32)
        return Detections(boxes, np.ones(3, np.float32), np.arange(3, dtype=np.int32), np.arange(3))


def test_shown_tracks_are_clipped_to_the_picture():
    first, second = frames(2)
    boxes = BoxSynchronizer(LeavingTracker())
    beyond = Detections(np.array([[-1, -2, 5, 9]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int32))
    boxes.take([Inferred(first, Detected(beyond))])
    assert boxes.show(first).detections.boxes_xyxy.tolist() == [[0, 0, 5, 6]]
    assert beyond.boxes_xyxy.tolist() == [[-1, -2, 5, 9]], "the tracker's own boxes are unchanged"
    shown = boxes.show(second).detections
    assert shown.boxes_xyxy.tolist() == [[0, 1, 2, 6], [6, 1, 8, 4]]
    assert shown.track_ids.tolist() == [0, 1], "a track outside the picture is not shown"
