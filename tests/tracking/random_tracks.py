"""Random tracks in any state, and random detections, to test kernels against their references."""

import numpy as np
from hypothesis import strategies as st

from streamdet.tracking import kalman
from streamdet.tracking.appearance import APPEARANCE_SIZE
from streamdet.tracking.detection_arrays import DetectionArrays
from streamdet.tracking.tracker import MOTION_MODEL
from streamdet.tracking.tracks import CANDIDATES, Tracks, TrackState

NOW_S = 8.0
seeds = st.integers(0, 2**32 - 1)
half_seconds = st.integers(-1, 16).map(lambda k: k / 2)
"""Limits that the times of `random_tracks` meet exactly."""
shares = st.sampled_from([0.0, 0.1, 0.3, 0.6, 0.7, 1.0])
"""Most of them have no exact float32, so a score rounded from one may lie below it."""


def random_boxes(rng, count):
    """Returns (count, 4) float32 boxes near each other, with integer corners: exact in float32 and float64."""
    corner, size = rng.integers(0, 300, (count, 2)), rng.integers(10, 200, (count, 2))
    return np.hstack([corner, corner + size]).astype(np.float32)


def random_appearances(rng, count):
    """Returns (count, 6) float32, about one in three of them unknown."""
    appearances = rng.uniform(0, 255, (count, APPEARANCE_SIZE)).astype(np.float32)
    appearances[rng.uniform(size=count) < 0.3] = np.nan
    return appearances


def random_detections(rng, count):
    scores = rng.choice(np.float32([0.1, 0.3, 0.6, 0.7, 1.0]), count)
    class_ids = rng.integers(0, 8, count).astype(np.int32)
    return DetectionArrays(random_boxes(rng, count), scores, class_ids, random_appearances(rng, count))


def random_tracks(rng, count, spare=3):
    """Returns `count` tracks at `NOW_S`, then `spare` rows of removed ones; many of their numbers are equal."""
    n = count + spare
    tracks = Tracks.empty(n)
    for row, box in enumerate(random_boxes(rng, n)):
        kalman.initiate(tracks.mean, tracks.covariance, row, box, MOTION_MODEL)
    tracks.mean[:, :, 1] = rng.normal(0, 40, (n, 4))
    kalman.predict(tracks.mean, tracks.covariance, n, 0.1, MOTION_MODEL)
    tracks.ids[:] = rng.permutation(100)[:n]
    tracks.states[:] = rng.choice([int(state) for state in TrackState], n)
    tracks.scores[:] = rng.uniform(0.1, 1, n)
    tracks.hits[:], tracks.hits_to_confirm[:] = rng.integers(1, 5, n), rng.integers(1, 5, n)
    tracks.first_seen_s[:] = rng.uniform(-5, 0, n)
    tracks.last_seen_s[:] = rng.integers(0, 2 * NOW_S + 1, n) / 2
    lost = tracks.states == TrackState.LOST
    lost_since_s = np.minimum(tracks.last_seen_s + rng.integers(0, 3, n) / 2, NOW_S)
    tracks.lost_since_s[:] = np.where(lost, lost_since_s, np.inf)
    tracks.candidates[:] = rng.permuted(np.tile(np.arange(2 * CANDIDATES), (n, 1)), axis=1)[:, :CANDIDATES]
    tracks.candidates[rng.uniform(size=(n, CANDIDATES)) < 0.2] = -1
    tracks.votes[:] = np.where(tracks.candidates >= 0, rng.integers(0, 4, (n, CANDIDATES)) / 2, 0)
    tracks.class_ids[:] = rng.integers(0, 2 * CANDIDATES, n)
    tracks.appearances[:] = random_appearances(rng, n)
    return tracks


def copied(tracks):
    return Tracks(*(column.copy() for column in tracks.columns()))


def assert_same_tracks(ours, expected):
    """Compares all columns; those that are computed in a different order may differ by rounding."""
    for name in Tracks._fields:
        column, reference = getattr(ours, name), getattr(expected, name)
        if name in ("mean", "covariance", "appearances"):
            largest = np.nan_to_num(np.abs(reference)).max(initial=1.0)
            rounding = (1e-5, 0.0) if name == "appearances" else (1e-6, 1e-9 * largest)
            np.testing.assert_allclose(column, reference, *rounding, err_msg=name)
        else:
            np.testing.assert_array_equal(column, reference, name)


def first_rows(tracks, count):
    return Tracks(*(column[:count] for column in tracks.columns()))
