"""How tracks start, continue and are removed: kernels against their references."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.tracking import lifecycle
from streamdet.tracking.tracker import MOTION_MODEL
from streamdet.tracking.tracks import Tracks, TrackState

from .random_tracks import (
    NOW_S,
    assert_same_tracks,
    first_rows,
    half_seconds,
    random_detections,
    random_tracks,
    seeds,
    shares,
)


@given(seeds, st.integers(0, 8), st.floats(0, 2), half_seconds, half_seconds)
def test_advance_tracks_equals_reference(seed, count, elapsed_s, max_lost_s, reidentify_s):
    tracks = random_tracks(np.random.default_rng(seed), count)
    arguments = count, NOW_S, elapsed_s, max_lost_s, reidentify_s, MOTION_MODEL
    expected = lifecycle.advance_tracks_reference(tracks, *arguments)
    remaining = lifecycle.advance_tracks(tracks, *arguments)
    assert remaining == len(expected.ids)
    assert_same_tracks(first_rows(tracks, remaining), expected)


@given(seeds, st.integers(0, 8), st.integers(0, 8))
def test_update_tracks_equals_reference(seed, count, found):
    rng = np.random.default_rng(seed)
    tracks = random_tracks(rng, count)
    detection_of_track = np.full(count, -1, np.int64)
    pairs = rng.integers(0, min(count, found) + 1)
    detection_of_track[rng.permutation(count)[:pairs]] = rng.permutation(found)[:pairs]
    ambiguity = rng.choice([0.0, 0.5, 8.0], count)
    arguments = count, random_detections(rng, found), detection_of_track, ambiguity, NOW_S, MOTION_MODEL
    expected, expected_unmatched = lifecycle.update_tracks_reference(tracks, *arguments)
    remaining, unmatched = lifecycle.update_tracks(tracks, *arguments)
    assert remaining == len(expected.ids)
    assert_same_tracks(first_rows(tracks, remaining), expected)
    np.testing.assert_array_equal(unmatched, expected_unmatched)


@given(seeds, st.integers(0, 4), st.integers(0, 8), shares, shares, st.integers(1, 3))
def test_start_tracks_equals_reference(seed, count, found, new_track_score, confirm_score, confirm_hits):
    rng = np.random.default_rng(seed)
    tracks = random_tracks(rng, count, spare=found)
    before = first_rows(tracks, count)
    copies = [column.copy() for column in before.columns()]
    unmatched, nested = rng.uniform(size=(2, found)) < [[0.7], [0.4]]
    rules = lifecycle.StartRules(new_track_score, confirm_score, confirm_hits)
    arguments = random_detections(rng, found), unmatched, nested, rules, NOW_S, 12, MOTION_MODEL
    expected = lifecycle.start_tracks_reference(*arguments)
    started = lifecycle.start_tracks(tracks, count, *arguments)
    assert started == len(expected.ids)
    assert_same_tracks(Tracks(*(column[count : count + started] for column in tracks.columns())), expected)
    for column, copy in zip(before.columns(), copies, strict=True):
        np.testing.assert_array_equal(column, copy)


@pytest.mark.parametrize(
    ("state", "hits", "found", "expected"),
    [
        pytest.param(TrackState.TENTATIVE, 1, 0, TrackState.TENTATIVE, id="too few hits to confirm"),
        pytest.param(TrackState.TENTATIVE, 2, 0, TrackState.CONFIRMED, id="enough hits to confirm"),
        pytest.param(TrackState.TENTATIVE, 2, -1, None, id="missed while tentative"),
        pytest.param(TrackState.CONFIRMED, 9, -1, TrackState.LOST, id="missed"),
        pytest.param(TrackState.LOST, 1, 0, TrackState.CONFIRMED, id="seen again"),
        pytest.param(TrackState.LOST, 9, -1, TrackState.LOST, id="missed again"),
    ],
)
@pytest.mark.parametrize("reference", [False, True])
def test_state_of_a_track_after_an_update(state, hits, found, expected, reference):
    rng = np.random.default_rng(0)
    tracks = random_tracks(rng, 1)
    tracks.states[0], tracks.hits[0], tracks.hits_to_confirm[0], tracks.lost_since_s[0] = state, hits, 3, NOW_S - 1
    arguments = tracks, 1, random_detections(rng, 1), np.array([found]), np.zeros(1), NOW_S, MOTION_MODEL
    if reference:
        remaining = lifecycle.update_tracks_reference(*arguments)[0]
    else:
        remaining = first_rows(tracks, lifecycle.update_tracks(*arguments)[0])
    assert remaining.states.tolist() == ([] if expected is None else [expected])
