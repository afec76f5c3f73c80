import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamdet.tracking.tracker import MOTION_MODEL
from streamdet.tracking.tracks import Tracks, keep_rows, keep_rows_reference, shown_tracks, shown_tracks_reference

from .random_tracks import NOW_S, assert_same_tracks, first_rows, half_seconds, random_tracks, seeds


@given(seeds, st.lists(st.booleans(), max_size=8))
def test_keep_rows_equals_reference(seed, which):
    which = np.array(which, np.bool_)
    tracks = random_tracks(np.random.default_rng(seed), len(which))
    expected = keep_rows_reference(tracks, which)
    kept = keep_rows(tracks, which)
    assert kept == which.sum()
    for ours, theirs in zip(first_rows(tracks, kept).columns(), expected.columns(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(seeds, st.integers(0, 8), st.floats(0, 2), half_seconds, half_seconds, st.floats(0.1, 3))
def test_shown_tracks_equals_reference(seed, count, ahead_s, seen_for_s, lost_for_s, score_half_life_s):
    tracks = random_tracks(np.random.default_rng(seed), count)
    arguments = tracks, count, NOW_S, ahead_s, seen_for_s, lost_for_s, score_half_life_s, MOTION_MODEL
    boxes, scores, *exact = shown_tracks(*arguments)
    expected_boxes, expected_scores, *expected = shown_tracks_reference(*arguments)
    np.testing.assert_allclose(boxes, expected_boxes, rtol=1e-6, atol=1e-4)  # both are rounded to float32 last
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-6)
    for ours, theirs in zip(exact, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(seeds, st.integers(0, 8), st.integers(0, 40))
def test_growing_changes_no_track(seed, count, needed):
    tracks = random_tracks(np.random.default_rng(seed), count)
    grown = tracks.grown(count, needed)
    assert len(grown.ids) >= max(needed, len(tracks.ids))
    assert_same_tracks(first_rows(grown, count), first_rows(tracks, count))
    assert isinstance(grown, Tracks)
