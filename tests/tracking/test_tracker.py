import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet import kernels
from streamdet.errors import ConfigError
from streamdet.tracking.tracker import ByteTracker, warm_up
from streamdet.tracking.tracker_options import TrackerOptions
from streamdet.tracking.tracks import TrackState
from streamdet.types import Detections


def detections(boxes, scores=0.9, class_ids=0, labels=()):
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    n = len(boxes)
    return Detections(
        boxes,
        np.broadcast_to(np.asarray(scores, np.float32), n).copy(),
        np.broadcast_to(np.asarray(class_ids, np.int32), n).copy(),
        labels=labels,
    )


def moving(x, y, vx, vy, time_s, width=40, height=100):
    """Returns the box of an object whose center was at (x, y) at time 0."""
    cx, cy = x + vx * time_s, y + vy * time_s
    return [cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2]


def run(scene, times, tracker=None, **options):
    """Feeds ``scene(time_s) -> Detections`` to a tracker; returns what it showed at each time, and the tracker."""
    tracker = tracker or ByteTracker(TrackerOptions(**options))
    return [tracker.update(scene(t), t) for t in times], tracker


def two_walkers(time_s):
    """Two people pass each other at 5 s, one nearer to the camera than the other."""
    return detections([moving(100, 200, 60, 0, time_s), moving(700, 225, -60, 0, time_s, 50, 130)])


def test_crossing_tracks_keep_their_ids():
    times = np.arange(0, 10, 1 / 25)
    shown, _ = run(two_walkers, times)
    for time_s, found in zip(times, shown, strict=True):
        truth = two_walkers(time_s).boxes_xyxy
        assert found.track_ids.tolist() == [1, 2]
        np.testing.assert_allclose(found.boxes_xyxy, truth, atol=6)
    np.testing.assert_allclose(shown[-1].boxes_xyxy, two_walkers(times[-1]).boxes_xyxy, atol=3)


def test_crossing_tracks_keep_their_ids_when_one_hides_the_other():
    def scene(time_s):
        both = two_walkers(time_s)
        return both[1:] if abs(time_s - 5) < 0.4 else both

    shown, _ = run(scene, np.arange(0, 10, 1 / 25))
    assert {i for found in shown for i in found.track_ids.tolist()} == {1, 2}
    assert shown[-1].track_ids.tolist() == [1, 2]
    assert shown[-1].boxes_xyxy[0, 0] > shown[-1].boxes_xyxy[1, 0]


def test_an_occlusion_of_a_second_keeps_the_id():
    def scene(time_s):
        return detections([moving(100, 200, 80, 10, time_s)] if not 2 < time_s < 3 else [])

    shown, _ = run(scene, np.arange(0, 5, 0.04), max_lost_s=1.2)
    assert {i for found in shown for i in found.track_ids.tolist()} == {1}
    assert len(shown[60]) == 0, "an object that is not seen is not shown by update"
    assert len(shown[-1]) == 1


def test_lost_tracks_are_removed_after_seconds_not_frames():
    for rate_hz in (5, 30):
        tracker = ByteTracker(TrackerOptions(max_lost_s=1.0))
        tracker.update(detections([moving(100, 200, 0, 0, 0)]), 0.0)
        states = {}
        for t in np.arange(1, 2 * rate_hz + 1) / rate_hz:
            tracker.update(detections([]), float(t))
            states[round(float(t), 6)] = tracker.tracks().states.tolist()
        assert states[1.0] == [TrackState.LOST]
        assert states[1.4] == []


def test_irregular_times_give_the_same_tracks_as_regular_ones():
    generator = np.random.default_rng(3)
    regular = np.arange(0, 6, 0.04)
    irregular = np.sort(np.concatenate([[0.0], generator.uniform(0, 5.9, 100), [regular[-1]]]))
    ends = []
    for times in (regular, irregular):
        shown, tracker = run(two_walkers, times.tolist())
        assert {tuple(found.track_ids.tolist()) for found in shown} == {(1, 2)}
        ends.append(tracker.tracks())
    np.testing.assert_allclose(ends[0].boxes_xyxy, ends[1].boxes_xyxy, atol=2)
    np.testing.assert_allclose(ends[0].velocities_px_s, ends[1].velocities_px_s, atol=6)
    np.testing.assert_allclose(ends[0].velocities_px_s, [[60, 0], [-60, 0]], atol=6)


@pytest.mark.parametrize("time_s", [0.99, -1.0, float("nan"), float("inf")])
def test_time_must_not_go_back(time_s):
    tracker = ByteTracker()
    tracker.update(two_walkers(1), 1.0)
    with pytest.raises(ValueError, match="time_s must"):
        tracker.update(two_walkers(1), time_s)
    with pytest.raises(ValueError, match="time_s must"):
        tracker.predict(time_s)
    assert len(tracker.update(two_walkers(1), 1.0)) == 2, "the same time again is allowed"


def test_ids_are_never_used_twice_and_belong_to_the_instance():
    one, other = ByteTracker(), ByteTracker()
    seen = []
    for k in range(20):  # far apart, so each is a new object
        seen += one.update(detections([moving(300 * k, 200, 0, 0, 0)]), k / 10).track_ids.tolist()
        if k % 5 == 4:
            one.reset()
    ids = [i for i in seen if i >= 0]
    assert len(set(ids)) == len(ids) == 20
    assert other.update(two_walkers(0), 0.0).track_ids.tolist() == [1, 2]


def test_reset_allows_an_earlier_time():
    tracker = ByteTracker()
    tracker.update(two_walkers(9), 9.0)
    tracker.reset()
    assert len(tracker.tracks()) == 0
    assert tracker.update(two_walkers(0), 0.0).track_ids.tolist() == [3, 4]


def test_low_score_detections_continue_a_track_but_never_start_one():
    def scene(time_s):
        return detections(
            [moving(100, 200, 50, 0, time_s), moving(900, 200, 0, 0, time_s)], [0.9 if time_s < 1 else 0.2, 0.3]
        )

    shown, _ = run(scene, np.arange(0, 3, 0.04))
    assert all(found.track_ids.tolist() == [1] for found in shown)
    assert shown[-1].scores[0] == pytest.approx(0.2)


def test_an_unconfirmed_object_is_shown_from_its_second_detection():
    def scene(time_s):
        return detections([moving(100, 200, 0, 0, 0), moving(500, 200, 0, 0, 0)][: 1 if time_s < 0.1 else 2], 0.7)

    shown, tracker = run(scene, [0.0, 0.1])
    assert [found.track_ids.tolist() for found in shown] == [[1], [1]]
    assert tracker.tracks().states.tolist() == [TrackState.CONFIRMED, TrackState.TENTATIVE]
    assert tracker.update(scene(0.2), 0.2).track_ids.tolist() == [1, 2]
    tracker = ByteTracker()
    run(scene, [0.0, 0.1], tracker)
    tracker.update(detections([moving(100, 200, 0, 0, 0)]), 0.2)
    assert tracker.tracks().ids.tolist() == [1], "a tentative track that is missed once is removed"


def test_a_new_box_nested_in_a_seen_one_is_confirmed_one_detection_later():
    whole, part, child = moving(100, 200, 0, 0, 0), moving(100, 170, 0, 0, 0, 36, 40), moving(300, 230, 0, 0, 0, 20, 40)
    parent = moving(300, 200, 0, 0, 0)
    shown = []
    tracker = ByteTracker()
    for k in range(6):
        boxes = [whole, parent] + [part] * (k == 2) + [child] * (k >= 2)
        shown.append(tracker.update(detections(boxes, 0.95), k / 10).track_ids.tolist())
    assert shown == [[1, 2]] * 4 + [[1, 2, 4]] * 2, "a part that is seen once is no object, a child in arms is one"


def test_a_new_box_nested_in_a_seen_one_at_a_low_detection_rate():
    boxes = [moving(300, 200, 0, 0, 0), moving(300, 230, 0, 0, 0, 20, 40)]
    shown, _ = run(lambda t: detections(boxes[: 1 if t < 0.4 else 2]), [0.0, 0.5, 1.0])
    assert [found.track_ids.tolist() for found in shown] == [[1], [1], [1, 2]]


def test_classes_match_each_other_only_if_class_agnostic():
    def scene(time_s):
        return detections([moving(100, 200, 20, 0, time_s)], class_ids=2 if round(time_s * 10) == 5 else 1)

    times = np.arange(10) / 10
    shown, _ = run(scene, times)
    assert [found.track_ids.tolist() for found in shown] == [[1]] * 5 + [[2]] + [[1]] * 4
    shown, _ = run(scene, times, class_agnostic=True)
    assert [found.track_ids.tolist() for found in shown] == [[1]] * 10
    assert {found.class_ids[0] for found in shown} == {1}, "one detection of another class does not outvote the track"


def test_a_track_that_started_with_the_wrong_class_is_outvoted():
    def scene(time_s):
        return detections([moving(100, 200, 0, 0, 0)], 0.65 if time_s < 0.25 else 0.9, 7 if time_s < 0.25 else 3)

    shown, _ = run(scene, np.arange(10) / 10, class_agnostic=True)
    classes = [int(found.class_ids[0]) for found in shown]
    assert classes[0] == 7
    assert classes[-1] == 3
    assert sum(a != b for a, b in itertools.pairwise(classes)) == 1, "no flicker"


def test_more_classes_than_the_vote_remembers():
    tracker = ByteTracker(TrackerOptions(class_agnostic=True))
    for k in range(40):
        found = tracker.update(detections([moving(100, 200, 0, 0, 0)], class_ids=k % 13 if k % 2 else 50), k / 10)
    assert found.class_ids.tolist() == [50]


@pytest.mark.parametrize(
    ("box", "score"),
    [
        pytest.param([np.nan, 0, 10, 10], 0.9, id="NaN corner"),
        pytest.param([0, 0, np.inf, 10], 0.9, id="infinite"),
        pytest.param([10, 10, 0, 0], 0.9, id="negative size"),
        pytest.param([10, 10, 10, 30], 0.9, id="no width"),
        pytest.param([0, 0, 1e30, 1e30], 0.9, id="huge"),
        pytest.param([0, 0, 10, 10], np.nan, id="NaN score"),
        pytest.param([0, 0, 10, 10], np.inf, id="infinite score"),
        pytest.param([0, 0, 10, 10], -1.0, id="negative score"),
    ],
)
def test_invalid_detections_are_ignored(box, score):
    tracker = ByteTracker()
    found = tracker.update(detections([box, moving(100, 200, 0, 0, 0)], [score, 0.9]), 0.0)
    assert len(found) == 1
    assert len(tracker.tracks()) == 1


coordinate = st.floats(width=32)  # NaN and infinities too
garbage = st.lists(st.tuples(st.tuples(*[coordinate] * 4), coordinate, st.integers(-(2**31), 2**31 - 1)), max_size=6)


@given(st.lists(st.tuples(st.floats(0, 20), garbage), max_size=6))
def test_any_input_leaves_a_finite_state(steps):
    tracker, time_s = ByteTracker(), 0.0
    for dt_s, objects in steps:
        time_s += dt_s
        boxes = [box for box, _, _ in objects]
        found = tracker.update(
            detections(boxes, [s for _, s, _ in objects] or 0.0, [c for _, _, c in objects] or 0), time_s
        )
        for shown in (found, tracker.predict(time_s + 1)):
            assert np.isfinite(shown.boxes_xyxy).all()
            assert ((shown.scores >= 0) & (shown.scores <= 1)).all()
    assert np.isfinite(tracker.tracks().boxes_xyxy).all()


def test_empty_detections_give_no_tracks():
    tracker = ByteTracker()
    for k in range(3):
        found = tracker.update(Detections.empty(("person",)), k / 10)
        assert len(found) == len(tracker.predict(k / 10)) == len(tracker.tracks()) == 0
        assert found.labels == ("person",)


def test_300_objects_at_one_place_and_300_spread_out():
    same = np.tile(np.float32([100, 100, 150, 200]), (300, 1))
    grid = np.array([[60 * i, 120 * j, 60 * i + 40, 120 * j + 100] for i in range(20) for j in range(15)], np.float32)
    for boxes in (same, grid):
        shown, _ = run(lambda t, b=boxes: detections(b + np.float32(20 * t)), [0.0, 0.1, 0.2, 0.3])
        assert [len(found) for found in shown] == [300] * 4
        assert sorted(shown[-1].track_ids.tolist()) == list(range(1, 301))


def test_same_input_gives_same_output():
    def scene(time_s):
        generator = np.random.default_rng(round(time_s * 100))
        truth = np.array([moving(80 * k, 50 * k, 5 * k, -3 * k, time_s) for k in range(20)])
        seen = truth[generator.uniform(size=20) > 0.3]
        return detections(seen + generator.normal(0, 3, seen.shape), generator.uniform(0.1, 1, len(seen)))

    one, other = (run(scene, np.arange(0, 4, 0.05))[0] for _ in range(2))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.boxes_xyxy, b.boxes_xyxy)
        np.testing.assert_array_equal(a.track_ids, b.track_ids)
        np.testing.assert_array_equal(a.scores, b.scores)


def test_predict_changes_nothing_and_starts_where_update_ended():
    _, tracker = run(two_walkers, np.arange(0, 3, 0.04))
    _, undisturbed = run(two_walkers, np.arange(0, 3, 0.04))
    for ahead_s in (0.0, 0.5, 1.0, 4.0, 0.2):
        tracker.predict(2.96 + ahead_s)
    found, expected = tracker.update(two_walkers(3.0), 3.0), undisturbed.update(two_walkers(3.0), 3.0)
    np.testing.assert_array_equal(found.boxes_xyxy, expected.boxes_xyxy)
    again = tracker.predict(3.0)
    np.testing.assert_array_equal(again.boxes_xyxy, found.boxes_xyxy)
    np.testing.assert_array_equal(again.track_ids, found.track_ids)
    np.testing.assert_array_equal(again.scores, found.scores)


def test_predict_moves_boxes_and_lowers_scores():
    _, tracker = run(two_walkers, np.arange(0, 3, 0.04))
    near, later = tracker.predict(3.2), tracker.predict(3.8)
    np.testing.assert_allclose(near.boxes_xyxy, two_walkers(3.2).boxes_xyxy, atol=4)
    assert later.boxes_xyxy[0, 0] > near.boxes_xyxy[0, 0]
    assert (later.scores < near.scores).all()
    assert (later.scores > 0).all()


def test_predicted_boxes_disappear_after_coast_s_and_max_gap_s():
    options = TrackerOptions(coast_s=0.5, max_gap_s=5.0)
    tracker = ByteTracker(options)
    tracker.update(two_walkers(0), 0.0)
    tracker.update(two_walkers(0.1), 0.1)
    assert len(tracker.predict(5.0)) == 2, "no newer detections missed them"
    assert len(tracker.predict(5.2)) == 0, "but not forever"
    tracker.update(two_walkers(0.2)[:1], 0.2)
    assert tracker.predict(0.55).track_ids.tolist() == [1, 2]
    assert tracker.predict(0.65).track_ids.tolist() == [1]


def test_a_long_gap_removes_all_tracks():
    tracker = ByteTracker(TrackerOptions(max_gap_s=5.0))
    tracker.update(two_walkers(0), 0.0)
    assert tracker.update(two_walkers(0), 4.9).track_ids.tolist() == [1, 2]
    assert tracker.update(two_walkers(0), 10.0).track_ids.tolist() == [3, 4]


def test_tracks_returns_copies_of_the_state():
    tracker = ByteTracker()
    assert len(tracker.tracks()) == 0
    tracker.update(two_walkers(0), 0.0)
    tracker.update(two_walkers(0.1)[:1], 0.1)
    before = tracker.tracks()
    assert before.time_s == 0.1
    assert before.ids.tolist() == [1, 2]
    assert before.states.tolist() == [TrackState.CONFIRMED, TrackState.LOST]
    assert before.hits.tolist() == [2, 1]
    np.testing.assert_allclose(before.ages_s, 0.1)
    np.testing.assert_allclose(before.unseen_s, [0.0, 0.1])
    assert before.velocities_px_s[0, 0] > 0
    before.ids[:] = -5
    before.boxes_xyxy[:] = 0
    assert tracker.tracks().ids.tolist() == [1, 2]
    assert tracker.tracks().boxes_xyxy.any()


def test_input_is_not_modified():
    given_ = two_walkers(0)
    copy = given_.boxes_xyxy.copy()
    tracker = ByteTracker()
    tracker.update(given_, 0.0).boxes_xyxy[:] = -1
    np.testing.assert_array_equal(given_.boxes_xyxy, copy)
    assert tracker.predict(0.0).boxes_xyxy.min() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"high_score": float("nan")}, "tracker.high_score", id="NaN"),
        pytest.param({"max_lost_s": -1}, "tracker.max_lost_s", id="negative"),
        pytest.param({"low_score": 0.7}, "tracker.low_score", id="low above high"),
        pytest.param({"confirm_hits": 0}, "tracker.confirm_hits", id="no hits"),
        pytest.param({"score_half_life_s": 0}, "tracker.score_half_life_s", id="no half-life"),
    ],
)
def test_bad_options_name_the_key(options, message):
    with pytest.raises(ConfigError, match=message):
        TrackerOptions(**options)


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 0.9])
def test_only_detections_above_the_threshold_become_objects(threshold):
    tracker = ByteTracker(TrackerOptions.for_threshold(threshold))
    scene = detections([moving(100, 200, 0, 0, 0), moving(500, 200, 0, 0, 0)], [threshold + 0.01, threshold - 0.01])
    for k in range(3):
        assert tracker.update(scene, k / 10).track_ids.tolist() == [1]


def test_a_new_object_is_shown_at_once_at_a_low_detection_rate():
    boxes = [moving(100, 200, 0, 0, 0), moving(500, 200, 0, 0, 0)]
    tracker = ByteTracker()
    tracker.update(detections(boxes[:1]), 0.0)
    assert tracker.update(detections(boxes, 0.7), 0.5).track_ids.tolist() == [1, 2]


def test_fast_objects_keep_their_ids_at_two_detections_per_second():
    def scene(time_s):  # each moves by more than its width between two detections: no overlap at all
        return detections([moving(100, 200, 100, 0, time_s), moving(1200, 420, -110, 0, time_s)])

    shown, tracker = run(scene, np.arange(0, 5, 0.5))
    assert {tuple(found.track_ids.tolist()) for found in shown} == {(1, 2)}
    np.testing.assert_allclose(tracker.tracks().velocities_px_s[:, 0], [100, -110], atol=15)


def test_nothing_compiles_after_warm_up():
    warm_up()
    before = kernels.compilations()
    _, tracker = run(two_walkers, np.arange(0, 1, 0.04), class_agnostic=True)
    tracker.update(detections(np.tile(np.float32([1, 2, 30, 40]), (200, 1)), np.linspace(0, 1, 200)), 1.0)
    tracker.predict(2.0)
    tracker.tracks()
    tracker.update(Detections.empty(), 9.0)
    assert kernels.compilations() == before
