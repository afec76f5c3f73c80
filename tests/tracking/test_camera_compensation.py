import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamdet.tracking.camera_compensation import compensate_camera_motion, compensate_camera_motion_reference
from streamdet.tracking.tracker import ByteTracker
from streamdet.types import Detections

small = st.floats(-0.3, 0.3)


@given(
    arrays(np.float64, (3, 4, 2), elements=st.floats(-1e4, 1e4)),
    arrays(np.float64, (3, 4, 3), elements=st.floats(0, 1e4)),
    arrays(np.float64, (2, 3), elements=small),
)
def test_equals_reference(mean, covariance, off):
    camera = np.eye(2, 3) + off * [1, 1, 100]
    expected_mean, expected_covariance = compensate_camera_motion_reference(mean, covariance, camera)
    still = mean[2].copy()
    compensate_camera_motion(mean, covariance, 2, camera)
    np.testing.assert_allclose(mean[:2], expected_mean[:2], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(covariance[:2], expected_covariance[:2], rtol=1e-9)
    np.testing.assert_array_equal(mean[2], still)


def seen_by(camera_to_now, time_s):
    """Returns two walkers, as seen by a camera that has moved by `camera_to_now` since the start."""
    boxes = []
    for k in range(2):
        x, y = camera_to_now @ [300 + 200 * k + 30 * time_s, 250, 1]
        half = np.sqrt(np.linalg.det(camera_to_now[:, :2])) * np.array([20, 50])
        boxes.append([x - half[0], y - half[1], x + half[0], y + half[1]])
    return Detections(np.array(boxes, np.float32), np.full(2, 0.9, np.float32), np.zeros(2, np.int32))


def test_a_turning_camera_changes_no_id_or_velocity():
    """It jerks by 200 pixels, which is the distance between the two, and zooms."""
    tracker, without = ByteTracker(), ByteTracker()
    for k in range(40):
        jerk = k >= 20
        now = np.array([[1.2, 0, -360], [0, 1.2, 10]]) if jerk else np.eye(2, 3)
        step = now if k == 20 else None
        found = tracker.update(seen_by(now, k / 10), k / 10, step)
        other = without.update(seen_by(now, k / 10), k / 10)
        assert found.track_ids.tolist() == [1, 2]
    assert other.track_ids.tolist() != [1, 2], "otherwise this test shows nothing"
    np.testing.assert_allclose(tracker.tracks().velocities_px_s, [[36, 0], [36, 0]], atol=4)
    np.testing.assert_allclose(found.boxes_xyxy, seen_by(now, 3.9).boxes_xyxy, atol=2)


def test_a_still_camera_equals_no_camera_motion():
    one, other = ByteTracker(), ByteTracker()
    for k in range(10):
        scene = seen_by(np.eye(2, 3), k / 10)
        a, b = one.update(scene, k / 10, np.eye(2, 3)), other.update(scene, k / 10)
        np.testing.assert_array_equal(a.boxes_xyxy, b.boxes_xyxy)


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        pytest.param(np.eye(3), "must be a", id="shape"),
        pytest.param(np.full((2, 3), np.nan), "must be a", id="NaN"),
        pytest.param(np.zeros((2, 3)), "determinant is 0", id="nothing left"),
        pytest.param(np.array([[-1.0, 0, 0], [0, 1, 0]]), "determinant is -1", id="mirror"),
        pytest.param(np.eye(2, 3) * 100, "determinant is 1e", id="zoom"),
    ],
)
def test_impossible_camera_motion_is_rejected(camera, message):
    tracker = ByteTracker()
    before = tracker.update(seen_by(np.eye(2, 3), 0), 0.0)
    with pytest.raises(ValueError, match=message):
        tracker.update(seen_by(np.eye(2, 3), 0.1), 0.1, camera)
    assert tracker.tracks().time_s == 0.0, "the state did not change"
    assert tracker.update(seen_by(np.eye(2, 3), 0.1), 0.1).track_ids.tolist() == before.track_ids.tolist()
