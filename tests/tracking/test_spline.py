"""Smooth mode: objects that change velocity or size between close detections move on a spline."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, example, given

from streamdet.picture import Picture
from streamdet.tracking.smoother import Smoother
from streamdet.tracking.spline import MAX_INTERVAL_S, SplineCorrection, SplineFitter
from streamdet.types import Detections

SIZE = (4000, 4000)


def at(boxes_by_id):
    boxes = np.array(list(boxes_by_id.values()), np.float32).reshape(-1, 4)
    n, ids = len(boxes), np.array(list(boxes_by_id), np.int64)
    return Detections(boxes, np.full(n, 0.8, np.float32), np.zeros(n, np.int32), ids, ("person",))


def between(first, second, first_s, second_s, time_s):
    """The objects of both on straight lines."""
    share = (time_s - first_s) / (second_s - first_s)
    a, b = (dict(zip(d.track_ids.tolist(), d.boxes_xyxy, strict=True)) for d in (first, second))
    return at({i: a[i] + share * (b[i] - a[i]) for i in a if i in b})


@given(
    steps_s=st.lists(st.floats(0.05, MAX_INTERVAL_S), min_size=3, max_size=3),
    share=st.floats(0.02, 0.98),
    start=st.tuples(*2 * [st.floats(900, 1300)], *2 * [st.floats(2900, 3100)]),
    speed=st.lists(st.floats(-300, 300), min_size=4, max_size=4),
    force=st.lists(st.floats(-400, 400), min_size=4, max_size=4),
)
def test_constant_acceleration_is_exact_once_both_neighbors_are_known(steps_s, share, start, speed, force):
    times_s = np.cumsum([0.0, *steps_s])

    def box(time_s):
        return np.array(start) + np.array(speed) * time_s + np.array(force) * time_s**2 / 2

    now_s = times_s[1] + share * steps_s[1]
    assume(abs(now_s - times_s[1]) > 1e-3)
    assume(abs(now_s - times_s[2]) > 1e-3)
    detections = [at({3: box(t), 7: box(t) + 5}) for t in times_s]
    fitter = SplineFitter()
    shown = None
    for number, (found, time_s) in enumerate(zip(detections, times_s, strict=True)):
        correction = fitter.add(found, time_s)
        if number == 2:
            shown = between(detections[1], detections[2], times_s[1], times_s[2], now_s)
        if number >= 2:
            shown = correction.apply(shown, now_s, SIZE)
    np.testing.assert_allclose(shown.boxes_xyxy, [box(now_s), box(now_s) + 5], atol=0.01)


def test_a_correction_moves_only_objects_of_all_three_and_only_between_them():
    times_s = (0.0, 0.2, 0.4)
    found = (
        at({1: [10, 10, 30, 50], 2: [10, 10, 30, 50], -1: [10, 10, 30, 50]}),
        at({1: [20, 10, 40, 50], 2: [20, 10, 40, 50], 4: [20, 10, 40, 50], -1: [30, 10, 50, 50]}),
        at({1: [50, 10, 70, 50], 4: [50, 10, 70, 50], -1: [90, 10, 99, 50]}),
    )
    correction = SplineCorrection.fit(times_s, found)
    assert correction.ids.tolist() == [1]
    for time_s, step in ((0.1, -1.25), (0.3, -1.25)):  # slope 100 px/s at the middle, 50 and 150 on the lines
        shown = at({4: [35, 10, 55, 50], 1: [35, 10, 55, 50], -1: [0, 0, 9, 9]})
        corrected = correction.apply(shown, time_s, SIZE)
        np.testing.assert_allclose(
            corrected.boxes_xyxy - shown.boxes_xyxy, [[0] * 4, [step, 0, step, 0], [0] * 4], atol=1e-4
        )
        assert shown.boxes_xyxy[1, 0] == 35  # the input is not modified
    for time_s in (-0.1, *times_s, 0.5):
        assert correction.apply(shown, time_s, SIZE) is shown


def test_a_spline_stays_in_the_picture():
    found = tuple(at({1: [left, 10, left + 20, 50]}) for left in (40, 0, 40))
    correction = SplineCorrection.fit((0.0, 0.2, 0.4), found)
    corrected = correction.apply(at({1: [1, 10, 21, 50]}), 0.1, (100, 100))
    assert corrected.boxes_xyxy.tolist() == [[0, 10, 16, 50]]
    corrected = correction.apply(at({1: [1, 10, 4, 50]}), 0.1, (100, 100))
    assert corrected.boxes_xyxy.tolist() == [[1, 10, 4, 50]], "the spline has left it"
    found = tuple(at({1: [left, 10, left + 20, 50]}) for left in (40, 80, 40))
    corrected = SplineCorrection.fit((0.0, 0.2, 0.4), found).apply(at({1: [79, 10, 99, 50]}), 0.3, (100, 100))
    assert corrected.boxes_xyxy.tolist() == [[84, 10, 100, 50]]


@given(
    times_s=st.tuples(st.floats(0.01, MAX_INTERVAL_S), st.floats(0.01, MAX_INTERVAL_S)),
    sizes=st.lists(st.tuples(st.floats(1, 400), st.floats(1, 400)), min_size=3, max_size=3),
    share=st.floats(0.02, 0.98),
    first=st.booleans(),
)
@example((0.4, 0.05), [(4, 80), (8, 80), (120, 80)], 0.6, True)
def test_no_box_collapses_on_the_spline_however_suddenly_it_grows(times_s, sizes, share, first):
    """As the box of an object does that enters at the border."""
    found = tuple(at({1: [0, 0, *size]}) for size in sizes)
    middle_s, end_s = times_s[0], sum(times_s)
    now_s = share * middle_s if first else middle_s + share * times_s[1]
    line = between(*found[:2], 0.0, middle_s, now_s) if first else between(*found[1:], middle_s, end_s, now_s)
    corrected = SplineCorrection.fit((0.0, middle_s, end_s), found).apply(line, now_s, SIZE)
    assert (corrected.boxes_xyxy[:, 2:] >= 0.499 * line.boxes_xyxy[:, 2:]).all()


@pytest.mark.parametrize(("apart_s", "curves"), [(MAX_INTERVAL_S, True), (MAX_INTERVAL_S + 0.05, False)])
def test_detections_far_apart_give_no_spline(apart_s, curves):
    fitter = SplineFitter()
    one = at({1: [10, 10, 30, 50]})
    assert fitter.add(one, 0.0) is None
    assert fitter.add(one, apart_s) is None
    assert (fitter.add(one, 2 * apart_s) is not None) is curves
    assert (fitter.add(one, 3 * apart_s) is not None) is curves  # 3 * 0.4 - 2 * 0.4 is more than 0.4


def test_smooth_mode_follows_an_accelerating_object():
    """Nothing moves in the pictures, so the boxes alone decide."""

    def left(time_s):
        return 20 + 100 * time_s**2

    def errors(smoother):
        wrong = []
        for k in range(41):
            smoother.observe(Picture.from_bgr(np.zeros((120, 320, 3), np.uint8)), k / 20)
            if k % 4 == 0:
                smoother.update(at({1: [left(k / 20), 20, left(k / 20) + 40, 100]}), k / 20)
            if k >= 20:
                shown = smoother.show((k - 20) / 20)
                wrong.append(abs(float(shown.boxes_xyxy[0, 0]) - left((k - 20) / 20)))
        return wrong

    wrong = errors(Smoother())
    lines = [abs((0.2 * (k % 4) / 4) * (0.2 - 0.2 * (k % 4) / 4)) * 100 for k in range(21)]
    assert max(wrong[4:]) < 0.35 * max(lines)
