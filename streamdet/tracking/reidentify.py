"""What looks say about who is who, and lost objects found again: beyond ByteTrack, which knows only where objects are.

Who comes out from behind somebody is often not where the filter expects: people stop, and boxes of the half hidden are
smaller. A new object that looks like a lost one, and is no farther than that could have gone, is taken for it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.tracking.appearance import APPEARANCE_FLOOR, Appearances
from streamdet.tracking.associate import match, match_reference
from streamdet.tracking.kalman import Mean
from streamdet.tracking.matching import Boxes, Indices, Similarity
from streamdet.tracking.tracks import Tracks, TrackState

_LOST = int(TrackState.LOST)

MIN_APPEARANCE_SIMILARITY = 0.7
"""Least likeness."""
SEARCH_STD = 0.5
"""Standard deviation of where a lost object is found, in longer sides of its box, when it was just lost."""
SEARCH_GROWTH_HZ = 1.0
"""It grows by so many times itself per second."""
MAX_LOG_HEIGHT_CHANGE = 0.4
"""Most difference of the logarithms of the heights: by a third smaller, by a half larger."""
MIN_SIMILARITY = 0.3
"""Least product of likeness and nearness."""
DISSIMILAR = 0.25
"""Below this likeness somebody is less alike even where nobody else wants him."""


@kernel
def weigh_by_appearance(
    similarity: Similarity,
    appearance_similarity: Similarity,
    lost_since_s: NDArray[np.float64],
    time_s: float,
    max_lost_s: float,
) -> Similarity:
    """Lowers the similarity of what looks different, in place, and returns the weights of pairs, see `associate.match`.

    Of an object that the last update saw, the look decides between rivals, and hardly ever against the place alone:
    people turn, and walk into shade. Of a lost one it counts as the place does. One that is lost for longer than
    `max_lost_s` is like nothing: only `reidentify` brings it back.

    Args:
        similarity: (N, M) float64, by place; written.
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
    """Returns what `weigh_by_appearance` makes of `similarity`, and the weights, in plain numpy."""
    lost_s = time_s - lost_since_s[: len(similarity), None]
    weight = APPEARANCE_FLOOR + (1 - APPEARANCE_FLOOR) * appearance_similarity
    strange = APPEARANCE_FLOOR + (1 - APPEARANCE_FLOOR) * np.minimum(1, appearance_similarity / DISSIMILAR)
    weighed = np.select(
        [lost_s > max_lost_s, lost_s > 0], [np.zeros_like(similarity), similarity * weight], similarity * strange
    )
    return weighed, np.where(lost_s > 0, 1.0, weight)


@kernel
def proximity(mean: Mean, row: int, box_xyxy: NDArray[np.float32], lost_s: float) -> float:
    """Returns how likely it is by place and size, 0 to 1, that the object of a row is in a box.

    Args:
        mean: (N, 4, 2) float64, see `kalman`, moved to now.
        row: of the object.
        box_xyxy: (4,) float32.
        lost_s: for how long it has not been seen.
    """
    left, top, right, bottom = box_xyxy
    width, height = mean[row, 2, 0], mean[row, 3, 0]
    if abs(math.log(max(height, 1.0) / max(bottom - top, 1.0))) >= MAX_LOG_HEIGHT_CHANGE:
        return 0.0
    reach = max(SEARCH_STD * max(width, height) * (1.0 + SEARCH_GROWTH_HZ * lost_s), 1e-3)
    off_x, off_y = 0.5 * (left + right) - mean[row, 0, 0], 0.5 * (top + bottom) - mean[row, 1, 0]
    return math.exp(-0.5 * (off_x * off_x + off_y * off_y) / (reach * reach))


def proximity_reference(mean: Mean, row: int, box_xyxy: NDArray[np.float32], lost_s: float) -> float:
    """The same as `proximity` in plain numpy."""
    box = box_xyxy.astype(np.float64)
    size, was = box[2:] - box[:2], mean[row, 2:, 0]
    grown = np.log(np.maximum(was[1], 1) / np.maximum(size[1], 1))
    reach = np.maximum(SEARCH_STD * was.max() * (1 + SEARCH_GROWTH_HZ * lost_s), 1e-3)
    off = (box[:2] + box[2:]) / 2 - mean[row, :2, 0]
    return float(np.where(abs(grown) < MAX_LOG_HEIGHT_CHANGE, np.exp(-np.square(off).sum() / reach**2 / 2), 0.0))


@kernel
def reidentify(
    tracks: Tracks,
    appearance_similarity: Similarity,
    appearances: Appearances,
    detection_of_track: Indices,
    boxes_xyxy: Boxes,
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int32],
    class_agnostic: bool,
    new_track_score: float,
    time_s: float,
) -> None:
    """Gives lost tracks the detections that would begin new ones, where they look alike; in place.

    Args:
        tracks: moved to now; the first N of them count.
        appearance_similarity: (N, M) float64, from `appearance.compare_appearances`.
        appearances: (M, 6) float32, of the detections.
        detection_of_track: (N,) int64, -1 for none; written.
        boxes_xyxy: (M, 4) float32.
        scores: (M,) float32.
        class_ids: (M,) int32.
        class_agnostic: let classes mix.
        new_track_score: see `TrackerOptions`.
        time_s: now.
    """
    n, m = appearance_similarity.shape
    rows, columns = np.zeros(n, np.bool_), np.empty(m, np.bool_)
    for j in range(m):
        columns[j] = scores[j] >= new_track_score and not np.isnan(appearances[j, 0])
    for i in range(n):
        found = detection_of_track[i]
        if found >= 0:
            columns[found] = False
        # Of a track whose look nobody knows it cannot be said that it is found again.
        rows[i] = found < 0 and tracks.states[i] == _LOST and not np.isnan(tracks.appearances[i, 0])
    gain = np.zeros((n, m), np.float64)
    for i in range(n):
        if not rows[i]:
            continue
        for j in range(m):
            same = class_agnostic or tracks.class_ids[i] == class_ids[j]
            if columns[j] and same and appearance_similarity[i, j] >= MIN_APPEARANCE_SIMILARITY:
                gain[i, j] = appearance_similarity[i, j] * proximity(
                    tracks.mean, i, boxes_xyxy[j], time_s - tracks.lost_since_s[i]
                )
    match(gain, np.ones_like(gain), rows, columns, MIN_SIMILARITY, detection_of_track)


def reidentify_reference(
    tracks: Tracks,
    appearance_similarity: Similarity,
    appearances: Appearances,
    detection_of_track: Indices,
    boxes_xyxy: Boxes,
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int32],
    class_agnostic: bool,
    new_track_score: float,
    time_s: float,
) -> Indices:
    """What `reidentify` makes of `detection_of_track`, in plain numpy."""
    n, m = appearance_similarity.shape
    lost = (tracks.states[:n] == _LOST) & (detection_of_track < 0) & ~np.isnan(tracks.appearances[:n, 0])
    left_over = ~np.isin(np.arange(m), detection_of_track)
    new = left_over & ~np.isnan(appearances[:, 0]) & (scores.astype(np.float64) >= new_track_score)
    proximities = np.zeros_like(appearance_similarity)
    for row in np.flatnonzero(lost).tolist():
        lost_s = time_s - tracks.lost_since_s[row]
        proximities[row] = [proximity_reference(tracks.mean, row, box, lost_s) for box in boxes_xyxy]
    same = class_agnostic | (tracks.class_ids[:n, None] == class_ids[None])
    gain = np.where(
        same & (appearance_similarity >= MIN_APPEARANCE_SIMILARITY), appearance_similarity * proximities, 0.0
    )
    return np.maximum(detection_of_track, match_reference(gain, np.ones_like(gain), lost, new, MIN_SIMILARITY))
