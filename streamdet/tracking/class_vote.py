"""What a track learns from its detections besides position: its class, by vote, and its appearance."""

import math

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.tracking.appearance import APPEARANCE_SIZE, MEMORY_S
from streamdet.tracking.tracks import CANDIDATES, Tracks

VOTE_MEMORY = 0.95
"""Each later vote multiplies the weight of the earlier ones by this, so a wrong start is outvoted in bounded time."""


@kernel
def vote(tracks: Tracks, row: int, class_id: int, score: float) -> None:
    """Counts the class of a detection, weighted by its score, and sets the class of the track to the leader."""
    candidates, votes = tracks.candidates[row], tracks.votes[row]
    place, weakest = -1, 0
    for k in range(CANDIDATES):
        votes[k] *= np.float32(VOTE_MEMORY)
        if candidates[k] == class_id and place < 0:
            place = k
        if votes[k] < votes[weakest]:
            weakest = k
    if place < 0:
        place = weakest
        candidates[place] = class_id
        votes[place] = 0.0
    votes[place] += score
    leader = place
    for k in range(CANDIDATES):
        # The current class wins a tie: it changes only when outvoted.
        if votes[k] > votes[leader] or (votes[k] == votes[leader] and candidates[k] == tracks.class_ids[row]):
            leader = k
    tracks.class_ids[row] = candidates[leader]


def vote_reference(tracks: Tracks, row: int, class_id: int, score: float) -> None:
    """The same as `vote` in plain numpy."""
    candidates, votes, shown = tracks.candidates[row], tracks.votes[row], tracks.class_ids[row]
    votes *= np.float32(VOTE_MEMORY)
    if class_id not in candidates:
        weakest = votes.argmin()
        candidates[weakest], votes[weakest] = class_id, 0.0
    votes[np.flatnonzero(candidates == class_id)[0]] += np.float32(score)
    leaders = candidates[votes == votes.max()]
    wins = shown if shown in leaders else class_id if class_id in leaders else leaders[0]
    tracks.class_ids[row] = wins


@kernel
def update_appearance(tracks: Tracks, row: int, appearance: NDArray[np.float32], time_s: float) -> None:
    """Moves a track's appearance toward its newest detection (6,). Call it before `hits` and `last_seen_s` change."""
    if np.isnan(appearance[0]):
        return
    share = max(1.0 - math.exp((tracks.last_seen_s[row] - time_s) / MEMORY_S), 1.0 / (tracks.hits[row] + 1.0))
    if np.isnan(tracks.appearances[row, 0]):
        share = 1.0
    for k in range(APPEARANCE_SIZE):
        known = appearance[k] if share == 1.0 else tracks.appearances[row, k]
        tracks.appearances[row, k] = known + share * (appearance[k] - known)


def update_appearance_reference(tracks: Tracks, row: int, appearance: NDArray[np.float32], time_s: float) -> None:
    """The same as `update_appearance` in plain numpy: a running mean at first, then one of the last `MEMORY_S`."""
    if np.isnan(appearance[0]):
        return
    forgotten = 1.0 - np.exp((tracks.last_seen_s[row] - time_s) / MEMORY_S)
    share = np.maximum(forgotten, 1.0 / (1 + tracks.hits[row]))
    known = tracks.appearances[row]
    tracks.appearances[row] = appearance if np.isnan(known[0]) else (1.0 - share) * known + share * appearance
