"""Re-identification: which lost object returns, and which object only walks where another one was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamdet.picture import Picture, PixelFormat
from streamdet.tracking.associate import MatchLimits
from streamdet.tracking.detection_arrays import DetectionArrays
from streamdet.tracking.reidentify import (
    APPEARANCE_FLOOR,
    proximity,
    proximity_reference,
    reidentify,
    reidentify_reference,
    weigh_by_appearance,
    weigh_by_appearance_reference,
)
from streamdet.tracking.tracker import ByteTracker
from streamdet.tracking.tracker_options import TrackerOptions
from streamdet.types import Detections

from .random_tracks import NOW_S, random_appearances, random_boxes, random_tracks, seeds

STEP_S = 0.1
RED, BLUE, GREEN = (30, 30, 200), (200, 30, 30), (40, 180, 40)


@given(
    arrays(np.float64, (3, 2), elements=st.floats(0, 1)),
    arrays(np.float64, (3, 2), elements=st.floats(0, 1)),
    arrays(np.float64, 4, elements=st.floats(0, 5) | st.just(np.inf)),
    st.floats(0, 3),
)
def test_weigh_by_appearance_equals_reference(similarity, appearance_similarity, lost_since_s, max_lost_s):
    expected, weights = weigh_by_appearance_reference(similarity, appearance_similarity, lost_since_s, 5.0, max_lost_s)
    np.testing.assert_allclose(
        weigh_by_appearance(similarity, appearance_similarity, lost_since_s, 5.0, max_lost_s), weights
    )
    np.testing.assert_allclose(similarity, expected)


@given(
    arrays(np.float64, (2, 4, 2), elements=st.floats(-200, 200)),
    arrays(np.float32, 4, elements=st.floats(-200, 200, width=32)),
    st.floats(0, 5),
)
def test_proximity_equals_reference(mean, box_xyxy, lost_s):
    for row in range(2):
        expected = proximity_reference(mean, row, box_xyxy, lost_s)
        assert proximity(mean, row, box_xyxy, lost_s) == pytest.approx(expected, abs=1e-5)


@given(seeds, st.integers(0, 7), st.integers(0, 7), st.booleans(), st.sampled_from([0.3, 0.5, 0.7]))
def test_reidentify_equals_reference(seed, n, m, class_agnostic, new_track_score):
    """Several lost tracks and several new objects, many close together, so that pairs exclude each other."""
    rng = np.random.default_rng(seed)
    tracks, boxes_xyxy, appearances = random_tracks(rng, n), random_boxes(rng, m), random_appearances(rng, m)
    tracks.mean[:, 2:, 0] = rng.uniform(60, 140, (n + 3, 2))
    tracks.class_ids[:] = rng.integers(0, 2, n + 3)
    tracks.lost_since_s[:] = NOW_S - rng.integers(0, 3, n + 3) / 2
    tracks.last_seen_s[:] = tracks.lost_since_s - 1
    appearance_similarity = rng.uniform(0.6, 1, (n, m))
    scores = np.where(rng.uniform(size=m) < 0.3, new_track_score, rng.uniform(0.2, 1, m)).astype(np.float32)
    class_ids = rng.integers(0, 2, m).astype(np.int32)
    found = np.where(rng.uniform(size=n) < 0.3, np.resize(np.append(rng.permutation(m), -1), n), -1)
    found[m:] = -1
    limits = MatchLimits(class_agnostic, 0.5, 0.2, 0.5, 0.25, new_track_score, 1.0)
    detections = DetectionArrays(boxes_xyxy, scores, class_ids, appearances)
    expected = reidentify_reference(tracks, appearance_similarity, detections, found, limits, NOW_S)
    reidentify(tracks, appearance_similarity, detections, found, limits, NOW_S)
    np.testing.assert_array_equal(found, expected)


def play(frames, pictures=True, format=PixelFormat.I420, **options):
    """Runs a tracker on frames of (x, y, color) each; returns the ids of each frame, by color."""
    tracker = ByteTracker(TrackerOptions(**options))
    out = []
    for number, people in enumerate(frames):
        bgr = np.full((240, 640, 3), 128, np.uint8)
        boxes = np.array([[x, y, x + 40, y + 100] for x, y, _ in people], np.float32).reshape(-1, 4)
        for x, y, color in people:
            bgr[y : y + 100, x : x + 40] = color
        picture = Picture.from_bgr(bgr)
        if format is not PixelFormat.BGR24:
            picture = picture.copy(format)
        scores, class_ids = np.full(len(people), 0.9, np.float32), np.zeros(len(people), np.int32)
        shown = tracker.update(
            Detections(boxes, scores, class_ids), number * STEP_S, picture=picture if pictures else None
        )
        ids = {}
        for box, track_id in zip(shown.boxes_xyxy, shown.track_ids.tolist(), strict=True):
            nearest = np.abs(boxes[:, 0] - box[0]).argmin()
            ids[people[nearest][2]] = track_id
        out.append(ids)
    return out


def hidden_and_back(color_after, lost_frames, shift):
    """A person is visible for 1 s, then hidden; then a person appears `shift` pixels to the right."""
    return [[(200, 60, RED)]] * 10 + [[]] * lost_frames + [[(200 + shift, 60, color_after)]] * 5


@pytest.mark.parametrize("format", [PixelFormat.I420, PixelFormat.BGR24])
def test_an_object_that_reappears_nearby_is_reidentified_by_color(format):
    frames = hidden_and_back(RED, 12, 60)
    assert play(frames, format=format)[-1] == {RED: 1}
    assert play(frames, pictures=False)[-1] == {RED: 2}
    assert play(frames, appearance=False)[-1] == {RED: 2}


def test_an_object_of_another_color_is_a_new_one():
    assert play(hidden_and_back(BLUE, 12, 60))[-1] == {BLUE: 2}


@pytest.mark.parametrize(
    ("lost_frames", "shift", "options"),
    [
        pytest.param(12, 400, {}, id="too far away"),
        pytest.param(25, 60, {}, id="too long ago"),
        pytest.param(12, 60, {"reidentify_s": 1.0}, id="longer ago than reidentify_s"),
    ],
)
def test_an_object_too_far_or_too_late_is_a_new_one(lost_frames, shift, options):
    assert play(hidden_and_back(RED, lost_frames, shift), **options)[-1] == {RED: 2}


def test_two_objects_that_meet_and_turn_back_keep_their_ids():
    there = [[(200 + 8 * k, 60, RED), (360 - 8 * k, 62, BLUE)] for k in range(9)]
    frames = there + [[(276, 60, RED)]] * 4 + there[::-1]
    assert play(frames)[-1] == {RED: 1, BLUE: 2}
    assert play(frames, pictures=False)[-1] == {RED: 2, BLUE: 1}, "by position alone they swap ids"


def test_an_unknown_appearance_reidentifies_nothing():
    tracker = ByteTracker()
    bgr = np.full((240, 640, 3), 128, np.uint8)
    bgr[60:160, 200:240] = RED
    for number, (left, picture) in enumerate([(200, Picture.from_bgr(bgr))] * 8 + [(None, None)] * 12 + [(260, None)]):
        n = int(left is not None)
        boxes = np.array([[left, 60, left + 40, 160]] if n else [], np.float32).reshape(-1, 4)
        found = Detections(boxes, np.full(n, 0.9, np.float32), np.zeros(n, np.int32))
        shown = tracker.update(found, number * STEP_S, picture=picture)
    assert shown.track_ids.tolist() == [2]


def test_a_changing_appearance_is_learned():
    turning = [tuple(int(a + (b - a) * k / 60) for a, b in zip(RED, GREEN, strict=True)) for k in range(61)]
    frames = [[(200, 60, color)] for color in [*turning, *[GREEN] * 40]] + [[]] * 12 + [[(260, 60, GREEN)]] * 3
    assert play(frames)[-1] == {GREEN: 1}


def test_appearance_weighs_but_does_not_exclude():
    """An object at the position of a moment ago is the same one, even if the light went out."""
    frames = [[(200, 60, RED)]] * 10 + [[(202, 60, (20, 20, 20))]] * 5
    assert play(frames)[-1] == {(20, 20, 20): 1}
    assert 0 < APPEARANCE_FLOOR < 1
