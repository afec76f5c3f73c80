"""The tracks as parallel arrays, and the selection of those to show: no Python object per track."""

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.tracking.appearance import APPEARANCE_SIZE, Appearances
from streamdet.tracking.kalman import Boxes, Covariance, Mean, MotionModel, predict_boxes, predict_boxes_reference
from streamdet.tracking.matching import Indices, Mask

CANDIDATES = 4
"""Classes remembered per track for the vote; a new class replaces the weakest one."""


class TrackState(IntEnum):
    """State of a track."""

    TENTATIVE = 0
    """Not seen often enough to be confirmed; never shown."""
    CONFIRMED = 1
    """Confirmed, and seen by the last update."""
    LOST = 2
    """Confirmed earlier, but not seen by the last update."""


_TENTATIVE, _CONFIRMED = int(TrackState.TENTATIVE), int(TrackState.CONFIRMED)


class Tracks(NamedTuple):
    """Parallel arrays with room for C tracks; the owner counts how many rows are used.

    Attributes:
        ids: (C,) int64.
        states: (C,) int8, `TrackState`.
        mean: (C, 4, 2) float64, see `kalman`.
        covariance: (C, 4, 3) float64, see `kalman`.
        scores: (C,) float32, of the last detection.
        hits: (C,) int64, detections so far.
        hits_to_confirm: (C,) int64, detections that confirm a tentative track.
        first_seen_s: (C,) float64, time of the first detection.
        last_seen_s: (C,) float64, time of the last detection.
        lost_since_s: (C,) float64, time of the first update that did not see it; infinite while it is seen.
        class_ids: (C,) int32, the class with the most votes.
        candidates: (C, CANDIDATES) int32, classes in the vote; -1 where free.
        votes: (C, CANDIDATES) float32, their weights.
        appearances: (C, 6) float32, see `appearance`; NaN where unknown.
    """

    ids: Indices
    states: NDArray[np.int8]
    mean: Mean
    covariance: Covariance
    scores: NDArray[np.float32]
    hits: Indices
    hits_to_confirm: Indices
    first_seen_s: NDArray[np.float64]
    last_seen_s: NDArray[np.float64]
    lost_since_s: NDArray[np.float64]
    class_ids: NDArray[np.int32]
    candidates: NDArray[np.int32]
    votes: NDArray[np.float32]
    appearances: Appearances

    @classmethod
    def empty(cls, capacity: int) -> "Tracks":
        """Returns room for `capacity` tracks."""
        return cls(
            ids=np.zeros(capacity, np.int64),
            states=np.zeros(capacity, np.int8),
            mean=np.zeros((capacity, 4, 2)),
            covariance=np.zeros((capacity, 4, 3)),
            scores=np.zeros(capacity, np.float32),
            hits=np.zeros(capacity, np.int64),
            hits_to_confirm=np.zeros(capacity, np.int64),
            first_seen_s=np.zeros(capacity),
            last_seen_s=np.zeros(capacity),
            lost_since_s=np.zeros(capacity),
            class_ids=np.zeros(capacity, np.int32),
            candidates=np.zeros((capacity, CANDIDATES), np.int32),
            votes=np.zeros((capacity, CANDIDATES), np.float32),
            appearances=np.zeros((capacity, APPEARANCE_SIZE), np.float32),
        )

    def columns(self) -> tuple[NDArray[Any], ...]:
        """Returns all arrays."""
        return tuple(self)

    def grown(self, count: int, needed: int) -> "Tracks":
        """Returns these arrays, or larger ones with the first `count` rows copied, with room for `needed` rows."""
        if needed <= len(self.ids):
            return self
        bigger = Tracks.empty(max(needed, 2 * len(self.ids)))
        for new, old in zip(bigger.columns(), self.columns(), strict=True):
            new[:count] = old[:count]
        return bigger


@kernel
def keep_rows(tracks: Tracks, which: Mask) -> int:
    """Moves the rows where `which` (count,) is True to the front, in order, and returns their number."""
    kept = 0
    for row in range(len(which)):
        if not which[row]:
            continue
        if kept < row:
            tracks.ids[kept] = tracks.ids[row]
            tracks.states[kept] = tracks.states[row]
            tracks.scores[kept] = tracks.scores[row]
            tracks.hits[kept] = tracks.hits[row]
            tracks.hits_to_confirm[kept] = tracks.hits_to_confirm[row]
            tracks.first_seen_s[kept] = tracks.first_seen_s[row]
            tracks.last_seen_s[kept] = tracks.last_seen_s[row]
            tracks.lost_since_s[kept] = tracks.lost_since_s[row]
            tracks.class_ids[kept] = tracks.class_ids[row]
            # Number by number: copying rows of two-dimensional arrays takes Numba five times as long to compile.
            for k in range(4):
                for i in range(2):
                    tracks.mean[kept, k, i] = tracks.mean[row, k, i]
                for i in range(3):
                    tracks.covariance[kept, k, i] = tracks.covariance[row, k, i]
            for k in range(CANDIDATES):
                tracks.candidates[kept, k] = tracks.candidates[row, k]
                tracks.votes[kept, k] = tracks.votes[row, k]
            for k in range(APPEARANCE_SIZE):
                tracks.appearances[kept, k] = tracks.appearances[row, k]
        kept += 1
    return kept


def keep_rows_reference(tracks: Tracks, which: Mask) -> Tracks:
    """Returns the rows that `keep_rows` moves to the front, in plain numpy."""
    return Tracks(*(column[: len(which)][which] for column in tracks.columns()))


@kernel
def shown_tracks(
    tracks: Tracks,
    count: int,
    time_s: float,
    ahead_s: float,
    seen_for_s: float,
    lost_for_s: float,
    score_half_life_s: float,
    motion: MotionModel,
) -> tuple[Boxes, NDArray[np.float32], NDArray[np.int32], Indices]:
    """Returns boxes, decayed scores, classes and ids of confirmed and lost tracks, predicted `ahead_s` seconds ahead.

    Confirmed tracks are shown for `seen_for_s` after their last detection, lost ones for `lost_for_s` (if not
    negative).
    """
    rows = np.empty(count, np.int64)
    n = 0
    for row in range(count):
        limit_s = seen_for_s if tracks.states[row] == _CONFIRMED else lost_for_s
        if tracks.states[row] != _TENTATIVE and time_s - tracks.last_seen_s[row] <= limit_s:
            rows[n] = row
            n += 1
    rows = rows[:n]
    scores = np.empty(n, np.float32)
    for i in range(n):
        scores[i] = tracks.scores[rows[i]] * 2.0 ** ((tracks.last_seen_s[rows[i]] - time_s) / score_half_life_s)
    return predict_boxes(tracks.mean, rows, ahead_s, motion), scores, tracks.class_ids[rows], tracks.ids[rows]


def shown_tracks_reference(
    tracks: Tracks,
    count: int,
    time_s: float,
    ahead_s: float,
    seen_for_s: float,
    lost_for_s: float,
    score_half_life_s: float,
    motion: MotionModel,
) -> tuple[Boxes, NDArray[np.float32], NDArray[np.int32], Indices]:
    """The same as `shown_tracks` in plain numpy."""
    states, unseen_s = tracks.states[:count], time_s - tracks.last_seen_s[:count]
    limit_s = np.where(states == _CONFIRMED, seen_for_s, lost_for_s)
    rows = np.flatnonzero((states != _TENTATIVE) & (unseen_s <= limit_s))
    faded = (tracks.scores[rows] * 0.5 ** (unseen_s[rows] / score_half_life_s)).astype(np.float32)
    return predict_boxes_reference(tracks.mean, rows, ahead_s, motion), faded, tracks.class_ids[rows], tracks.ids[rows]
