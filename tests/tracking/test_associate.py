import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamdet.tracking import associate, kalman
from streamdet.tracking.appearance import APPEARANCE_SIZE
from streamdet.tracking.detection_arrays import DetectionArrays
from streamdet.tracking.tracker import MOTION_MODEL
from streamdet.tracking.tracks import Tracks, TrackState

from .random_tracks import seeds

box_lists = st.lists(
    st.tuples(st.floats(-50, 50, width=32), st.floats(-50, 50, width=32), st.integers(1, 60), st.integers(1, 60)),
    max_size=6,
).map(lambda rows: np.array([[x, y, x + w, y + h] for x, y, w, h in rows], np.float32).reshape(-1, 4))


@given(box_lists, box_lists, st.floats(0, 2))
def test_compare_positions_equals_reference(tracks, boxes_xyxy, elapsed_s):
    mean, covariance = np.zeros((len(tracks), 4, 2)), np.zeros((len(tracks), 4, 3))
    for row, box in enumerate(tracks):
        kalman.initiate(mean, covariance, row, box, MOTION_MODEL)
    kalman.predict(mean, covariance, len(tracks), elapsed_s, MOTION_MODEL)
    similarity = associate.compare_positions(mean, covariance, len(tracks), boxes_xyxy, elapsed_s, MOTION_MODEL)
    expected = associate.compare_positions_reference(mean, covariance, boxes_xyxy, elapsed_s, MOTION_MODEL)
    np.testing.assert_allclose(similarity, expected, atol=1e-9)
    assert ((similarity >= 0) & (similarity <= 1 + 1e-9)).all()


@st.composite
def random_matches(draw):
    n, m = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    similarity = draw(arrays(np.float64, (n, m), elements=st.floats(0, 1)))
    states = draw(arrays(np.int8, n, elements=st.sampled_from([int(state) for state in TrackState])))
    columns = draw(st.permutations(range(-n, m)))[:n]
    return similarity, states, np.array([max(column, -1) for column in columns], np.int64)


@given(random_matches(), st.floats(0, 2))
def test_measure_ambiguity_equals_reference(scene, elapsed_s):
    similarity, states, detection_of_track = scene
    ours = associate.measure_ambiguity(similarity, states, detection_of_track, elapsed_s)
    np.testing.assert_allclose(
        ours, associate.measure_ambiguity_reference(similarity, states, detection_of_track, elapsed_s)
    )
    assert (ours[detection_of_track < 0] == 0).all()


def random_scene(seed, n, m):
    """Returns random similarities and weights, so that no two sets of pairs are equally good."""
    rng = np.random.default_rng(seed)
    similarity = rng.uniform(0, 1, (n, m)) * (rng.uniform(size=(n, m)) < 0.8)
    return rng, similarity, rng.uniform(0.4, 1, (n, m))


def tracks_of(states, class_ids):
    tracks = Tracks.empty(len(states))
    tracks.states[:], tracks.class_ids[:] = states, class_ids
    return tracks


def detections_of(scores, class_ids):
    m = len(scores)
    return DetectionArrays(np.zeros((m, 4), np.float32), scores, class_ids, np.zeros((m, APPEARANCE_SIZE), np.float32))


sizes = st.integers(0, 7)
limits = st.sampled_from([0.0, 0.2, 0.5, 0.7])


@given(seeds, sizes, sizes, limits)
def test_match_equals_reference(seed, n, m, min_gain):
    rng, gain, weight = random_scene(seed, n, m)
    rows, columns = rng.uniform(size=n) < 0.7, rng.uniform(size=m) < 0.7
    expected = associate.match_reference(gain, weight, rows, columns, min_gain)
    wanted = rows & (expected < 0), columns & ~np.isin(np.arange(m), expected)
    found = np.full(n, -1, np.int64)
    associate.match(gain, weight, rows, columns, min_gain, found)
    np.testing.assert_array_equal(found, expected)
    for ours, theirs in zip((rows, columns), wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(seeds, sizes, sizes, st.booleans(), limits, limits, limits, st.sampled_from([0.3, 0.5, 0.7, 1.0]))
def test_associate_equals_reference(seed, n, m, class_agnostic, match_high, match_low, match_new, high_score):
    rng, similarity, weight = random_scene(seed, n, m)
    states = rng.choice([int(state) for state in TrackState], n + 2).astype(np.int8)
    track_classes, class_ids = rng.integers(0, 2, n + 2).astype(np.int32), rng.integers(0, 2, m).astype(np.int32)
    scores = rng.choice([high_score, 1.0, rng.uniform(0.1, 1)], m).astype(np.float32)
    close = rng.uniform(size=(n, m)) < 0.3
    similarity[close] = match_high + rng.uniform(-0.01, 0.1, close.sum())  # the limit plus the handicap
    limits = associate.MatchLimits(class_agnostic, high_score, match_high, match_low, match_new, 0.6, 1.0)
    arguments = weight, tracks_of(states, track_classes), detections_of(scores, class_ids), limits
    expected, expected_similarity = associate.associate_reference(similarity, *arguments)
    found = associate.associate(similarity, *arguments)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(similarity, expected_similarity)


def test_ambiguity_comes_from_other_established_tracks_and_short_steps():
    similarity = np.array([[0.9, 0.1], [0.6, 0.8], [0.7, 0.0]])
    states = np.array([TrackState.CONFIRMED, TrackState.LOST, TrackState.TENTATIVE], np.int8)
    pairs = np.array([0, 1, -1])
    np.testing.assert_allclose(associate.measure_ambiguity(similarity, states, pairs, 0.04), [4 * 0.6, 4 * 0.1, 0.0])
    np.testing.assert_allclose(associate.measure_ambiguity(similarity, states, pairs, 0.4), [0.4 * 0.6, 0.4 * 0.1, 0.0])
    assert associate.measure_ambiguity(similarity, states, pairs, 0.0) == pytest.approx([8 * 0.6, 8 * 0.1, 0.0]), (
        "not infinite"
    )


@pytest.mark.parametrize(
    ("seen", "lost", "expected"),
    [
        pytest.param(0.60, 0.64, [0, -1], id="the seen track wins"),
        pytest.param(0.60, 0.70, [-1, 0], id="unless it is much less similar"),
        pytest.param(0.10, 0.22, [-1, 0], id="a lost track without competition needs no handicap"),
        pytest.param(0.10, 0.19, [-1, -1], id="but still reaches the limit"),
    ],
)
def test_a_lost_track_must_be_more_similar_than_a_seen_one(seen, lost, expected):
    found = associate.associate(
        np.array([[seen], [lost]]),
        np.ones((2, 1)),
        tracks_of([TrackState.CONFIRMED, TrackState.LOST], [0, 0]),
        detections_of(np.ones(1, np.float32), np.zeros(1, np.int32)),
        associate.MatchLimits(False, 0.5, 0.2, 0.5, 0.25, 0.6, 1.0),
    )
    assert found.tolist() == expected
