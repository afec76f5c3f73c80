"""How tracks begin, go on and end: kernels against their references."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.tracking import lifecycle
from streamdet.tracking.tracker import MOTION_MODEL
from streamdet.tracking.tracks import TrackState

from .random_tracks import (
    NOW_S,
    assert_same_tracks,
    first,
    halves_s,
    random_appearances,
    random_boxes,
    random_tracks,
    seeds,
)

FAR_PX = lifecycle.MAX_COORDINATE_PX
TOO_FAR_PX = float(np.nextafter(np.float32(FAR_PX), np.float32(2 * FAR_PX)))
corner = st.floats(width=32) | st.sampled_from([0.0, 150.0, FAR_PX, -FAR_PX, TOO_FAR_PX])
shares = st.sampled_from([0.0, 0.1, 0.3, 0.6, 0.7, 1.0])
"""Most of them are no float32, so that a score of as much may lie below."""


@given(
    seeds,
    st.lists(st.tuples(st.integers(0, 19), corner), max_size=3),
    st.lists(shares | st.floats(width=32), min_size=5, max_size=5),
    shares,
)
def test_usable_equals_reference(seed, odd, scores, low_score):
    boxes_xyxy = random_boxes(np.random.default_rng(seed), 5)
    for place, value in odd:
        boxes_xyxy.flat[place] = value
    scores = np.array(scores, np.float32)
    ours = lifecycle.usable_detections(boxes_xyxy, scores, low_score)
    np.testing.assert_array_equal(ours, lifecycle.usable_detections_reference(boxes_xyxy, scores, low_score))


@pytest.mark.parametrize("usable_detections", [lifecycle.usable_detections, lifecycle.usable_detections_reference])
def test_what_lies_on_a_limit_can_be_used(usable_detections):
    boxes_xyxy = np.array([[0, 0, FAR_PX, 10], [0, 0, TOO_FAR_PX, 10], [-FAR_PX, 0, 0, 10]], np.float32)
    assert usable_detections(boxes_xyxy, np.ones(3, np.float32), 1.0).tolist() == [0, 2]
    scores = np.array([0.5, 0.7], np.float32)
    assert [usable_detections(boxes_xyxy[::2], scores, low).tolist() for low in (0.5, 0.7)] == [[0, 1], []], (
        "0.7 is rounded down"
    )


@given(seeds, st.integers(0, 8), st.floats(0, 2), halves_s, halves_s)
def test_carry_equals_reference(seed, count, elapsed_s, max_lost_s, reidentify_s):
    tracks = random_tracks(np.random.default_rng(seed), count)
    rest = count, NOW_S, elapsed_s, max_lost_s, reidentify_s, MOTION_MODEL
    expected = lifecycle.advance_tracks_reference(tracks, *rest)
    left = lifecycle.advance_tracks(tracks, *rest)
    assert left == len(expected.ids)
    assert_same_tracks(first(tracks, left), expected)


def random_detections(rng, count):
    """Boxes, scores, classes and looks."""
    scores = rng.choice(np.float32([0.1, 0.3, 0.6, 0.7, 1.0]), count)
    return random_boxes(rng, count), scores, rng.integers(0, 8, count).astype(np.int32), random_appearances(rng, count)


@given(seeds, st.integers(0, 8), st.integers(0, 8))
def test_absorb_equals_reference(seed, count, found):
    rng = np.random.default_rng(seed)
    tracks = random_tracks(rng, count)
    detection_of_track = np.full(count, -1, np.int64)
    pairs = rng.integers(0, min(count, found) + 1)
    detection_of_track[rng.permutation(count)[:pairs]] = rng.permutation(found)[:pairs]
    ambiguity = rng.choice([0.0, 0.5, 8.0], count)
    rest = count, detection_of_track, *random_detections(rng, found), NOW_S, ambiguity, MOTION_MODEL
    expected, expected_left_over = lifecycle.update_tracks_reference(tracks, *rest)
    left, left_over = lifecycle.update_tracks(tracks, *rest)
    assert left == len(expected.ids)
    assert_same_tracks(first(tracks, left), expected)
    np.testing.assert_array_equal(left_over, expected_left_over)


@given(seeds, st.integers(0, 4), st.integers(0, 8), shares, shares, st.integers(1, 3))
def test_begin_equals_reference(seed, count, found, new_track_score, confirm_score, confirm_hits):
    rng = np.random.default_rng(seed)
    tracks = random_tracks(rng, count, spare=found)
    before = first(tracks, count)
    kept = [column.copy() for column in before.columns()]
    masks = rng.uniform(size=(2, found)) < [[0.7], [0.4]]
    limits = new_track_score, confirm_score, confirm_hits
    rest = *random_detections(rng, found), *masks, NOW_S, 12, *limits, MOTION_MODEL
    expected = lifecycle.start_tracks_reference(*rest)
    started = lifecycle.start_tracks(tracks, count, *rest)
    assert started == len(expected.ids)
    assert_same_tracks(type(tracks)(*(column[count : count + started] for column in tracks.columns())), expected)
    for column, was in zip(before.columns(), kept, strict=True):
        np.testing.assert_array_equal(column, was)


@pytest.mark.parametrize(
    ("state", "hits", "found", "expected"),
    [
        pytest.param(TrackState.TENTATIVE, 1, 0, TrackState.TENTATIVE, id="not often enough yet"),
        pytest.param(TrackState.TENTATIVE, 2, 0, TrackState.CONFIRMED, id="often enough"),
        pytest.param(TrackState.TENTATIVE, 2, -1, None, id="missed before it was believed"),
        pytest.param(TrackState.CONFIRMED, 9, -1, TrackState.LOST, id="missed"),
        pytest.param(TrackState.LOST, 1, 0, TrackState.CONFIRMED, id="found again"),
        pytest.param(TrackState.LOST, 9, -1, TrackState.LOST, id="missed again"),
    ],
)
@pytest.mark.parametrize("reference", [False, True])
def test_what_becomes_of_a_track(state, hits, found, expected, reference):
    rng = np.random.default_rng(0)
    tracks = random_tracks(rng, 1)
    tracks.states[0], tracks.hits[0], tracks.hits_to_confirm[0], tracks.lost_since_s[0] = state, hits, 3, NOW_S - 1
    arguments = tracks, 1, np.array([found]), *random_detections(rng, 1), NOW_S, np.zeros(1), MOTION_MODEL
    left = (
        lifecycle.update_tracks_reference(*arguments)[0]
        if reference
        else first(tracks, lifecycle.update_tracks(*arguments)[0])
    )
    assert left.states.tolist() == ([] if expected is None else [expected])
