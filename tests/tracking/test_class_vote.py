"""How tracks learn their class and appearance."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamdet.tracking.class_vote import update_appearance, update_appearance_reference, vote, vote_reference
from streamdet.tracking.tracks import CANDIDATES

from .random_tracks import assert_same_tracks, copied, random_appearances, random_tracks, seeds

# Few classes and few scores, so that full candidate lists and ties are common.
votes_cast = st.lists(st.tuples(st.integers(-1, 2 * CANDIDATES), st.sampled_from([0.0, 0.25, 0.5, 1.0])), max_size=12)


@given(seeds, votes_cast)
def test_vote_equals_reference(seed, cast):
    ours = random_tracks(np.random.default_rng(seed), 2)
    theirs = copied(ours)
    for class_id, score in cast:
        vote(ours, 1, class_id, score)
        vote_reference(theirs, 1, class_id, score)
        assert_same_tracks(ours, theirs)
        assert class_id in ours.candidates[1]


@given(seeds, st.lists(st.floats(0, 5), max_size=6))
def test_update_appearance_equals_reference(seed, waits_s):
    rng = np.random.default_rng(seed)
    ours = random_tracks(rng, 2)
    theirs, appearances = copied(ours), random_appearances(rng, len(waits_s))
    for wait_s, appearance in zip(waits_s, appearances, strict=True):
        time_s = float(ours.last_seen_s[1]) + wait_s
        update_appearance(ours, 1, appearance, time_s)
        update_appearance_reference(theirs, 1, appearance, time_s)
        assert_same_tracks(ours, theirs)
        for tracks in (ours, theirs):
            tracks.last_seen_s[1], tracks.hits[1] = time_s, tracks.hits[1] + 1
