import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamdet.tracking import kalman
from streamdet.tracking.tracker import MOTION_MODEL

position = st.floats(-2000, 4000, width=32)
size = st.floats(1, 2000, width=32)
step_s = st.floats(0, 3)


@st.composite
def boxes(draw):
    left, top, width, height = draw(position), draw(position), draw(size), draw(size)
    return np.array([left, top, left + width, top + height], np.float32)


def started(box):
    mean, covariance = np.zeros((1, 4, 2)), np.zeros((1, 4, 3))
    kalman.initiate(mean, covariance, 0, box, MOTION_MODEL)
    return mean, covariance


@given(boxes())
def test_start_equals_full_matrices(box):
    assert_same(*started(box), *kalman.initiate_reference(box, MOTION_MODEL))


@given(boxes(), boxes(), step_s)
def test_conversion_to_full_matrices_and_back_is_exact(first, second, dt_s):
    mean, covariance = started(first)
    kalman.predict(mean, covariance, 1, dt_s, MOTION_MODEL)
    kalman.correct(mean, covariance, 0, second, 0.0, MOTION_MODEL)
    for ours, again in zip(
        (mean[0], covariance[0]), kalman.from_matrices(*kalman.to_matrices(mean[0], covariance[0])), strict=True
    ):
        np.testing.assert_array_equal(ours, again)


@given(
    arrays(np.float64, (3, 4, 2), elements=st.floats(-3000, 3000)),
    st.lists(st.integers(0, 2), max_size=4),
    step_s,
)
def test_predict_boxes_equals_reference(mean, rows, dt_s):
    rows = np.array(rows, np.int64)
    ours = kalman.predict_boxes(mean, rows, dt_s, MOTION_MODEL)
    # Rounded to float32 at the end, so that one ulp of 1e4 px is all they may differ by.
    np.testing.assert_allclose(
        ours, kalman.predict_boxes_reference(mean, rows, dt_s, MOTION_MODEL), rtol=1e-6, atol=1e-3
    )
    assert (ours[:, 2:] >= ours[:, :2]).all()


def assert_same(mean, covariance, state, matrix):
    ours, our_matrix = kalman.to_matrices(mean[0], covariance[0])
    np.testing.assert_allclose(ours, state, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(our_matrix, matrix, rtol=1e-6, atol=1e-9 * max(1.0, float(np.abs(matrix).max())))


@given(boxes(), st.lists(st.tuples(step_s, boxes(), st.sampled_from([0.0, 0.3, 2.0, 8.0])), max_size=5))
def test_equals_full_matrices(first, steps):
    mean, covariance = started(first)
    state, matrix = kalman.to_matrices(mean[0], covariance[0])
    for dt_s, box, ambiguity in steps:
        kalman.predict(mean, covariance, 1, dt_s, MOTION_MODEL)
        state, matrix = kalman.predict_reference(state, matrix, dt_s, MOTION_MODEL)
        assert_same(mean, covariance, state, matrix)
        kalman.correct(mean, covariance, 0, box, ambiguity, MOTION_MODEL)
        state, matrix = kalman.correct_reference(state, matrix, box, ambiguity, MOTION_MODEL)
        assert_same(mean, covariance, state, matrix)
        if state[2] < 1 or state[3] < 1:  # the noise of so small a box is below the floor that the kernel keeps
            break


@given(boxes(), boxes(), step_s)
def test_squared_mahalanobis_equals_full_matrices(first, second, dt_s):
    mean, covariance = started(first)
    kalman.predict(mean, covariance, 1, dt_s, MOTION_MODEL)
    ours = kalman.squared_mahalanobis(mean, covariance, 1, np.stack([first, second]), MOTION_MODEL)
    expected = [
        kalman.squared_mahalanobis_reference(*kalman.to_matrices(mean[0], covariance[0]), box, MOTION_MODEL)
        for box in (first, second)
    ]
    np.testing.assert_allclose(ours, [expected], rtol=1e-6, atol=1e-9)


@given(boxes(), boxes(), step_s, step_s)
def test_two_steps_equal_one(first, second, one_s, two_s):
    mean, covariance = started(first)
    kalman.predict(mean, covariance, 1, 0.1, MOTION_MODEL)
    kalman.correct(mean, covariance, 0, second, 0.0, MOTION_MODEL)
    mean[0, 2:, 1] = 0.0  # the noise goes with the height, which must not change for this to be exact
    covariance[0, 2:, 1] = 0.0
    whole_mean, whole_covariance = mean.copy(), covariance.copy()
    kalman.predict(mean, covariance, 1, one_s, MOTION_MODEL)
    kalman.predict(mean, covariance, 1, two_s, MOTION_MODEL)
    kalman.predict(whole_mean, whole_covariance, 1, one_s + two_s, MOTION_MODEL)
    np.testing.assert_allclose(mean, whole_mean, rtol=1e-7, atol=1e-6)
    np.testing.assert_allclose(covariance, whole_covariance, rtol=1e-6, atol=1e-9 * covariance.max())


@given(boxes(), boxes(), step_s)
def test_predict_boxes_equals_predict(first, second, dt_s):
    mean, covariance = started(first)
    kalman.predict(mean, covariance, 1, 0.2, MOTION_MODEL)
    kalman.correct(mean, covariance, 0, second, 0.0, MOTION_MODEL)
    rows = np.array([0])
    ahead = kalman.predict_boxes(mean, rows, dt_s, MOTION_MODEL)
    kalman.predict(mean, covariance, 1, dt_s, MOTION_MODEL)
    np.testing.assert_allclose(ahead, kalman.predict_boxes(mean, rows, 0.0, MOTION_MODEL), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("dt_s", [0.0, 1e-9, 1e-3, 0.00199, 0.00201, 0.5, 3600.0])
def test_transition_has_no_jump_between_series_and_closed_form(dt_s):
    reach, keep, q_value, q_cross, q_velocity = kalman.transition(dt_s, 2.0)
    times = np.linspace(0, dt_s, 200001)
    decay = np.exp(-times / 2.0)
    np.testing.assert_allclose(keep, decay[-1], atol=1e-12)
    np.testing.assert_allclose(reach, np.trapezoid(decay, times), rtol=1e-4)
    np.testing.assert_allclose(q_value, np.trapezoid((2 * (1 - decay)) ** 2, times), rtol=1e-3, atol=1e-30)
    np.testing.assert_allclose(q_cross, np.trapezoid(2 * (1 - decay) * decay, times), rtol=1e-3, atol=1e-30)
    np.testing.assert_allclose(q_velocity, np.trapezoid(decay**2, times), rtol=1e-4)


def test_velocity_learns_little_from_an_ambiguous_detection_but_the_box_follows():
    means = []
    for ambiguity in (0.0, 5.0):
        mean, covariance = started(np.array([0, 0, 50, 100], np.float32))
        kalman.predict(mean, covariance, 1, 0.1, MOTION_MODEL)
        kalman.correct(mean, covariance, 0, np.array([20, 0, 70, 100], np.float32), ambiguity, MOTION_MODEL)
        means.append(mean[0, 0])
    assert means[0][0] == means[1][0] > 40
    assert 0 < means[1][1] < 0.6 * means[0][1]


@given(
    st.lists(st.tuples(st.floats(0, 1e4), boxes(), st.sampled_from([0.0, 1.0, 8.0])), min_size=1, max_size=30),
)
def test_stays_finite_and_positive(steps):
    mean, covariance = started(steps[0][1])
    for dt_s, box, ambiguity in steps:
        kalman.predict(mean, covariance, 1, dt_s, MOTION_MODEL)
        kalman.correct(mean, covariance, 0, box * np.float32(400), ambiguity, MOTION_MODEL)
        assert np.isfinite(mean).all()
        assert np.isfinite(covariance).all()
        assert (covariance[..., [0, 2]] > 0).all()
        assert (covariance[..., 1] ** 2 <= covariance[..., 0] * covariance[..., 2] * (1 + 1e-9)).all()
