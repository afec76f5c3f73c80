"""Appearance in the association, and re-identification of lost objects: beyond ByteTrack, which uses positions only.

An object that reappears from behind another is often not where the filter expects it: people stop, and boxes of
half-hidden objects are smaller. A new object takes over the track of a lost one if it looks like it and is no farther
away than the lost one could have gone.
"""

import math

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.tracking.appearance import APPEARANCE_FLOOR
from streamdet.tracking.associate import MatchLimits, match, match_reference
from streamdet.tracking.detection_arrays import DetectionArrays
from streamdet.tracking.kalman import Mean
from streamdet.tracking.matching import Indices, Similarity
from streamdet.tracking.tracks import Tracks, TrackState

_LOST = int(TrackState.LOST)

MIN_APPEARANCE_SIMILARITY = 0.7
"""Minimum appearance similarity of a re-identified object."""
SEARCH_STD = 0.5
"""Standard deviation of the position of an object that was just lost, in longer sides of its box."""
SEARCH_GROWTH_HZ = 1.0
"""That standard deviation grows by this factor of itself per second."""
MAX_LOG_HEIGHT_CHANGE = 0.4
"""Maximum difference of the logarithms of the heights: a third smaller, or half as large again."""
MIN_SIMILARITY = 0.3
"""Minimum product of appearance similarity and proximity."""
DISSIMILAR = 0.25
"""Below this appearance similarity the position similarity is lowered even without a competing track."""


@kernel
def weigh_by_appearance(
    similarity: Similarity,
    appearance_similarity: Similarity,
    lost_since_s: NDArray[np.float64],
    time_s: float,
    max_lost_s: float,
) -> Similarity:
    """Lowers the similarity of pairs that look different, in place; returns the weights of pairs, see `match`.

    For a track that the last update saw, appearance decides between competing pairs and rarely overrides position:
    people turn, and walk into shade. For a lost track it counts as much as position. A track that is lost for longer
    than `max_lost_s` gets a similarity of 0: only `reidentify` brings it back.

    Args:
        similarity: (N, M) float64, by position; written.
        appearance_similarity: (N, M) float64, from `appearance.compare_appearances`.
        lost_since_s: (>= N,) float64, when the tracks were lost; infinite for the others.
        time_s: now.
        max_lost_s: see `TrackerOptions`.

    Returns:
        (N, M) float64, `APPEARANCE_FLOOR` to 1.
    """
    weight = np.ones_like(similarity)
    for i in range(len(similarity)):
        lost_s = time_s - lost_since_s[i]
        for j in range(similarity.shape[1]):
            if lost_s > max_lost_s:
                similarity[i, j] = 0.0
            elif lost_s > 0.0:
                similarity[i, j] *= APPEARANCE_FLOOR + (1.0 - APPEARANCE_FLOOR) * appearance_similarity[i, j]
            else:
                similarity[i, j] *= APPEARANCE_FLOOR + (1.0 - APPEARANCE_FLOOR) * min(
                    1.0, appearance_similarity[i, j] / DISSIMILAR
                )
                weight[i, j] = APPEARANCE_FLOOR + (1.0 - APPEARANCE_FLOOR) * appearance_similarity[i, j]
    return weight


def weigh_by_appearance_reference(
    similarity: Similarity,
    appearance_similarity: Similarity,
    lost_since_s: NDArray[np.float64],
    time_s: float,
    max_lost_s: float,
) -> tuple[Similarity, Similarity]:
    """Returns the `similarity` that `weigh_by_appearance` leaves, and the weights, in plain numpy."""
    lost_s = time_s - lost_since_s[: len(similarity), None]
    weight = APPEARANCE_FLOOR + (1 - APPEARANCE_FLOOR) * appearance_similarity
    dissimilar = APPEARANCE_FLOOR + (1 - APPEARANCE_FLOOR) * np.minimum(1, appearance_similarity / DISSIMILAR)
    weighed = np.select(
        [lost_s > max_lost_s, lost_s > 0], [np.zeros_like(similarity), similarity * weight], similarity * dissimilar
    )
    return weighed, np.where(lost_s > 0, 1.0, weight)


@kernel
def proximity(mean: Mean, row: int, box_xyxy: NDArray[np.float32], lost_s: float) -> float:
    """Returns how likely, 0 to 1, a box shows the object of a row, by position and size.

    Args:
        mean: (N, 4, 2) float64, see `kalman`, predicted to now.
        row: of the object.
        box_xyxy: (4,) float32.
        lost_s: seconds since it was lost.
    """
    left, top, right, bottom = box_xyxy
    width, height = mean[row, 2, 0], mean[row, 3, 0]
    if abs(math.log(max(height, 1.0) / max(bottom - top, 1.0))) >= MAX_LOG_HEIGHT_CHANGE:
        return 0.0
    std = max(SEARCH_STD * max(width, height) * (1.0 + SEARCH_GROWTH_HZ * lost_s), 1e-3)
    off_x, off_y = 0.5 * (left + right) - mean[row, 0, 0], 0.5 * (top + bottom) - mean[row, 1, 0]
    return math.exp(-0.5 * (off_x * off_x + off_y * off_y) / (std * std))


def proximity_reference(mean: Mean, row: int, box_xyxy: NDArray[np.float32], lost_s: float) -> float:
    """The same as `proximity` in plain numpy."""
    box = box_xyxy.astype(np.float64)
    size, was = box[2:] - box[:2], mean[row, 2:, 0]
    growth = np.log(np.maximum(was[1], 1) / np.maximum(size[1], 1))
    std = np.maximum(SEARCH_STD * was.max() * (1 + SEARCH_GROWTH_HZ * lost_s), 1e-3)
    off = (box[:2] + box[2:]) / 2 - mean[row, :2, 0]
    return float(np.where(abs(growth) < MAX_LOG_HEIGHT_CHANGE, np.exp(-np.square(off).sum() / std**2 / 2), 0.0))


@kernel
def reidentify(
    tracks: Tracks,
    appearance_similarity: Similarity,
    detections: DetectionArrays,
    detection_of_track: Indices,
    limits: MatchLimits,
    time_s: float,
) -> None:
    """Gives lost tracks the detections that would start new ones, where they look alike; in place.

    Args:
        tracks: predicted to now; the first N of them are used.
        appearance_similarity: (N, M) float64, from `appearance.compare_appearances`.
        detections: M detections.
        detection_of_track: (N,) int64, -1 for none; written.
        limits: see `MatchLimits`.
        time_s: now.
    """
    n, m = appearance_similarity.shape
    rows, columns = np.zeros(n, np.bool_), np.empty(m, np.bool_)
    for j in range(m):
        columns[j] = detections.scores[j] >= limits.new_track_score and not np.isnan(detections.appearances[j, 0])
    for i in range(n):
        found = detection_of_track[i]
        if found >= 0:
            columns[found] = False
        # A track of unknown appearance cannot be re-identified.
        rows[i] = found < 0 and tracks.states[i] == _LOST and not np.isnan(tracks.appearances[i, 0])
    gain = np.zeros((n, m), np.float64)
    for i in range(n):
        if not rows[i]:
            continue
        for j in range(m):
            same_class = limits.class_agnostic or tracks.class_ids[i] == detections.class_ids[j]
            if columns[j] and same_class and appearance_similarity[i, j] >= MIN_APPEARANCE_SIMILARITY:
                gain[i, j] = appearance_similarity[i, j] * proximity(
                    tracks.mean, i, detections.boxes_xyxy[j], time_s - tracks.lost_since_s[i]
                )
    match(gain, np.ones_like(gain), rows, columns, MIN_SIMILARITY, detection_of_track)


def reidentify_reference(
    tracks: Tracks,
    appearance_similarity: Similarity,
    detections: DetectionArrays,
    detection_of_track: Indices,
    limits: MatchLimits,
    time_s: float,
) -> Indices:
    """Returns the `detection_of_track` that `reidentify` leaves, in plain numpy."""
    n, m = appearance_similarity.shape
    lost = (tracks.states[:n] == _LOST) & (detection_of_track < 0) & ~np.isnan(tracks.appearances[:n, 0])
    unmatched = ~np.isin(np.arange(m), detection_of_track)
    scored = detections.scores.astype(np.float64) >= limits.new_track_score
    new = unmatched & ~np.isnan(detections.appearances[:, 0]) & scored
    proximities = np.zeros_like(appearance_similarity)
    for row in np.flatnonzero(lost).tolist():
        lost_s = time_s - tracks.lost_since_s[row]
        proximities[row] = [proximity_reference(tracks.mean, row, box, lost_s) for box in detections.boxes_xyxy]
    same_class = limits.class_agnostic | (tracks.class_ids[:n, None] == detections.class_ids[None])
    similar = same_class & (appearance_similarity >= MIN_APPEARANCE_SIMILARITY)
    gain = np.where(similar, appearance_similarity * proximities, 0.0)
    return np.maximum(detection_of_track, match_reference(gain, np.ones_like(gain), lost, new, MIN_SIMILARITY))
