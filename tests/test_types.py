import numpy as np
import pytest

from streamdet.types import Detections


def make(n=3):
    return Detections(
        np.arange(4 * n, dtype=np.float32).reshape(n, 4),
        np.linspace(0.1, 0.9, n, dtype=np.float32),
        np.arange(n, dtype=np.int32),
        labels=("person", "car"),
    )


def test_detections_are_filtered_like_numpy():
    kept = make()[make().scores > 0.3]
    assert kept.class_ids.tolist() == [1, 2]
    assert kept.class_names == ["car", "2"]
    assert kept.track_ids.tolist() == [-1, -1]
    assert len(make()[0]) == 1


def test_a_wrong_shape_error_names_both_shapes():
    with pytest.raises(
        ValueError, match=r"boxes_xyxy must be float32 of shape \(1, 4\), got float64 of shape \(1, 3\)"
    ):
        Detections(np.zeros((1, 3)), np.zeros(1, np.float32), np.zeros(1, np.int32))


def test_to_supervision_keeps_all_fields():
    pytest.importorskip("supervision")
    theirs = make().to_supervision()
    np.testing.assert_array_equal(theirs.xyxy, make().boxes_xyxy)
    assert theirs.tracker_id is None
    assert theirs.data["class_name"].tolist() == ["person", "car", "2"]


def test_the_repr_of_detections_is_short():
    assert repr(make()) == "Detections(1 person, 1 car, 1 2)"
    assert repr(make()[:0]) == "Detections(nothing)"
