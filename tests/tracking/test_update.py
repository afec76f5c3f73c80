"""One update in one kernel does what its parts do."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamdet.tracking.associate import MatchLimits
from streamdet.tracking.tracker import MOTION_MODEL
from streamdet.tracking.update import match_and_update, match_and_update_reference

from .random_tracks import NOW_S, assert_same_tracks, first_rows, random_detections, random_tracks, seeds


@given(seeds, st.integers(0, 6), st.integers(0, 6), st.booleans(), st.floats(0.01, 2))
def test_match_and_update_equals_reference(seed, count, found, class_agnostic, elapsed_s):
    rng = np.random.default_rng(seed)
    tracks, detections = random_tracks(rng, count), random_detections(rng, found)
    tracks.class_ids[:], detections.class_ids[:] = rng.integers(0, 2, count + 3), rng.integers(0, 2, found)
    limits = MatchLimits(class_agnostic, 0.5, 0.2, 0.5, 0.25, 0.6, 1.0)
    arguments = count, detections, limits, NOW_S, elapsed_s, MOTION_MODEL
    expected, expected_unmatched = match_and_update_reference(tracks, *arguments)
    remaining, unmatched = match_and_update(tracks, *arguments)
    assert remaining == len(expected.ids)
    np.testing.assert_array_equal(unmatched, expected_unmatched)
    assert_same_tracks(first_rows(tracks, remaining), expected)
