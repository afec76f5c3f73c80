import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from streamdet.tracking import matching

shapes = st.tuples(st.integers(0, 12), st.integers(0, 12))
smooth = shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=st.floats(-0.5, 1)))
# Few distinct values: ties everywhere.
tied = shapes.flatmap(lambda shape: arrays(np.int64, shape, elements=st.integers(-1, 2)).map(np.float64))


def best_total(gain):
    """The greatest total gain, by scipy on a matrix in which each row has a dummy column of gain 0."""
    rows = gain.shape[0]
    alone = np.where(np.eye(rows, dtype=bool), 0.0, -1e6)
    extended = np.hstack([np.where(gain > 0, gain, -1e6), alone])
    return extended[linear_sum_assignment(extended, maximize=True)].sum()


def total(gain, column_of_row):
    paired = np.flatnonzero(column_of_row >= 0)
    columns = column_of_row[paired]
    assert len(set(columns.tolist())) == len(columns)
    assert (gain[paired, columns] > 0).all()
    return gain[paired, columns].sum()


@given(smooth | tied)
def test_assignment_is_as_good_as_scipy(gain):
    expected = best_total(gain)
    assert total(gain, matching.assign(gain)) == pytest.approx(expected, abs=1e-9)
    assert total(gain, matching.assign_reference(gain)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "gain",
    [
        pytest.param(np.random.default_rng(0).uniform(size=(120, 150)), id="dense"),
        pytest.param(np.random.default_rng(1).uniform(-20, 1, (150, 120)), id="sparse"),
        pytest.param(np.ones((300, 300)), id="all equal"),
        pytest.param(np.outer(np.arange(1, 61), np.arange(1, 61)) / 3600, id="long paths"),
        pytest.param(np.full((5, 5), -1.0), id="nothing fits"),
        pytest.param(np.empty((0, 5)), id="no rows"),
        pytest.param(np.empty((5, 0)), id="no columns"),
    ],
)
def test_assignment_of_hard_cases(gain):
    assert total(gain, matching.assign(gain)) == pytest.approx(best_total(gain), abs=1e-9)


def test_nan_is_never_paired():
    gain = np.array([[np.nan, 0.5], [np.nan, 0.9]])
    assert matching.assign(gain).tolist() == [-1, 1]


def test_two_pairs_may_outweigh_one_better_pair():
    assert matching.assign(np.array([[0.9, 0.8], [0.8, 0.0]])).tolist() == [1, 0]
    assert matching.assign(np.array([[0.9, 0.3], [0.3, 0.0]])).tolist() == [0, -1]


box_lists = st.lists(
    st.tuples(st.floats(-50, 50, width=32), st.floats(-50, 50, width=32), st.integers(1, 60), st.integers(1, 60)),
    max_size=8,
).map(lambda rows: np.array([[x, y, x + w, y + h] for x, y, w, h in rows], np.float32).reshape(-1, 4))


@given(box_lists, box_lists)
def test_iou_equals_reference(a, b):
    ours = matching.iou_matrix(a, b)
    np.testing.assert_allclose(ours, matching.iou_matrix_reference(a, b), atol=1e-12)
    np.testing.assert_allclose(ours, matching.iou_matrix(b, a).T, atol=1e-12)
    assert ((ours >= 0) & (ours <= 1 + 1e-12)).all()
    np.testing.assert_allclose(np.diag(matching.iou_matrix(a, a)), 1.0)


@given(box_lists, st.data())
def test_nested_in_tracked_equals_reference(boxes_xyxy, data):
    m = len(boxes_xyxy)
    class_ids = data.draw(arrays(np.int32, m, elements=st.integers(0, 1)))
    new = data.draw(arrays(np.bool_, m))
    for class_agnostic in (False, True):
        ours = matching.nested_in_tracked(boxes_xyxy, class_ids, new, class_agnostic)
        np.testing.assert_array_equal(
            ours, matching.nested_in_tracked_reference(boxes_xyxy, class_ids, new, class_agnostic)
        )
        assert not ours[~new].any()


def test_nested_in_tracked():
    boxes_xyxy = np.array(
        [[0, 0, 40, 100], [2, 5, 38, 50], [30, 0, 70, 100], [0, 0, 60, 120], [2, 5, 38, 50]], np.float32
    )
    class_ids = np.array([0, 0, 0, 0, 1], np.int32)
    new = np.array([False, True, True, True, True])
    inside = matching.nested_in_tracked(boxes_xyxy, class_ids, new, False)
    assert inside.tolist() == [False, True, False, True, False], "a part, a neighbor, one around both, another class"
    assert matching.nested_in_tracked(boxes_xyxy, class_ids, new, True).tolist() == [False, True, False, True, True]
    assert not matching.nested_in_tracked(boxes_xyxy, class_ids, np.ones(5, bool), True).any(), "none is tracked yet"
