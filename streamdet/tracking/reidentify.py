"""What looks say about who is who, and lost objects found again: beyond ByteTrack, which knows only where objects are.

Who comes out from behind somebody is often not where the filter expects: people stop, and boxes of the half hidden are
smaller. A new object that looks like a lost one, and is no farther than that could have gone, is taken for it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.tracking.appearance import FLOOR, Looks
from streamdet.tracking.associate import match, match_reference
from streamdet.tracking.kalman import Mean
from streamdet.tracking.matching import Boxes, Indices, Similarity
from streamdet.tracking.store import Tracks, TrackState

_LOST = int(TrackState.LOST)

ALIKE = 0.7
"""Least likeness."""
REACH = 0.5
"""Standard deviation of where a lost object is found, in longer sides of its box, when it was just lost."""
REACH_GROWTH_HZ = 1.0
"""It grows by so many times itself per second."""
MOST_GROWTH = 0.4
"""Most difference of the logarithms of the heights: by a third smaller, by a half larger."""
LEAST = 0.3
"""Least product of likeness and nearness."""
STRANGE = 0.25
"""Below this likeness somebody is less alike even where nobody else wants him."""


@kernel
def weigh_by_look(
    alike: Similarity, like: Similarity, missed_s: NDArray[np.float64], time_s: float, max_lost_s: float
) -> Similarity:
    """Lowers the similarity of what looks different, in place, and returns the weights of pairs, see `associate.match`.

    Of an object that the last update saw, the look decides between rivals, and hardly ever against the place alone:
    people turn, and walk into shade. Of a lost one it counts as the place does. One that is lost for longer than
    `max_lost_s` is like nothing: only `find_again` brings it back.

    Args:
        alike: (N, M) float64, by place; written.
        like: (N, M) float64, from `appearance.likeness`.
        missed_s: (>= N,) float64, when the tracks were lost; infinite for the others.
        time_s: now.
        max_lost_s: see `TrackerOptions`.

    Returns:
        (N, M) float64, `FLOOR` to 1.
    """
    weight = np.ones_like(alike)
    for i in range(len(alike)):
        lost_s = time_s - missed_s[i]
        for j in range(alike.shape[1]):
            if lost_s > max_lost_s:
                alike[i, j] = 0.0
            elif lost_s > 0.0:
                alike[i, j] *= FLOOR + (1.0 - FLOOR) * like[i, j]
            else:
                alike[i, j] *= FLOOR + (1.0 - FLOOR) * min(1.0, like[i, j] / STRANGE)
                weight[i, j] = FLOOR + (1.0 - FLOOR) * like[i, j]
    return weight


def weigh_by_look_reference(
    alike: Similarity, like: Similarity, missed_s: NDArray[np.float64], time_s: float, max_lost_s: float
) -> tuple[Similarity, Similarity]:
    """Returns what `weigh_by_look` makes of `alike`, and the weights, in plain numpy."""
    lost_s = time_s - missed_s[: len(alike), None]
    weight = FLOOR + (1 - FLOOR) * like
    strange = FLOOR + (1 - FLOOR) * np.minimum(1, like / STRANGE)
    weighed = np.select([lost_s > max_lost_s, lost_s > 0], [np.zeros_like(alike), alike * weight], alike * strange)
    return weighed, np.where(lost_s > 0, 1.0, weight)


@kernel
def nearness(mean: Mean, row: int, box_xyxy: NDArray[np.float32], lost_s: float) -> float:
    """Returns how likely it is by place and size, 0 to 1, that the object of a row is in a box.

    Args:
        mean: (N, 4, 2) float64, see `kalman`, moved to now.
        row: of the object.
        box_xyxy: (4,) float32.
        lost_s: for how long it has not been seen.
    """
    left, top, right, bottom = box_xyxy
    width, height = mean[row, 2, 0], mean[row, 3, 0]
    if abs(math.log(max(height, 1.0) / max(bottom - top, 1.0))) >= MOST_GROWTH:
        return 0.0
    reach = max(REACH * max(width, height) * (1.0 + REACH_GROWTH_HZ * lost_s), 1e-3)
    off_x, off_y = 0.5 * (left + right) - mean[row, 0, 0], 0.5 * (top + bottom) - mean[row, 1, 0]
    return math.exp(-0.5 * (off_x * off_x + off_y * off_y) / (reach * reach))


def nearness_reference(mean: Mean, row: int, box_xyxy: NDArray[np.float32], lost_s: float) -> float:
    """The same as `nearness` in plain numpy."""
    box = box_xyxy.astype(np.float64)
    size, was = box[2:] - box[:2], mean[row, 2:, 0]
    grown = np.log(np.maximum(was[1], 1) / np.maximum(size[1], 1))
    reach = np.maximum(REACH * was.max() * (1 + REACH_GROWTH_HZ * lost_s), 1e-3)
    off = (box[:2] + box[2:]) / 2 - mean[row, :2, 0]
    return float(np.where(abs(grown) < MOST_GROWTH, np.exp(-np.square(off).sum() / reach**2 / 2), 0.0))


@kernel
def find_again(
    tracks: Tracks,
    like: Similarity,
    looks: Looks,
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
        like: (N, M) float64, from `appearance.likeness`.
        looks: (M, 6) float32, of the detections.
        detection_of_track: (N,) int64, -1 for none; written.
        boxes_xyxy: (M, 4) float32.
        scores: (M,) float32.
        class_ids: (M,) int32.
        class_agnostic: let classes mix.
        new_track_score: see `TrackerOptions`.
        time_s: now.
    """
    n, m = like.shape
    rows, columns = np.zeros(n, np.bool_), np.empty(m, np.bool_)
    for j in range(m):
        columns[j] = scores[j] >= new_track_score and not np.isnan(looks[j, 0])
    for i in range(n):
        found = detection_of_track[i]
        if found >= 0:
            columns[found] = False
        # Of a track whose look nobody knows it cannot be said that it is found again.
        rows[i] = found < 0 and tracks.states[i] == _LOST and not np.isnan(tracks.looks[i, 0])
    gain = np.zeros((n, m), np.float64)
    for i in range(n):
        if not rows[i]:
            continue
        for j in range(m):
            same = class_agnostic or tracks.class_ids[i] == class_ids[j]
            if columns[j] and same and like[i, j] >= ALIKE:
                gain[i, j] = like[i, j] * nearness(tracks.mean, i, boxes_xyxy[j], time_s - tracks.missed_s[i])
    match(gain, np.ones_like(gain), rows, columns, LEAST, detection_of_track)


def find_again_reference(
    tracks: Tracks,
    like: Similarity,
    looks: Looks,
    detection_of_track: Indices,
    boxes_xyxy: Boxes,
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int32],
    class_agnostic: bool,
    new_track_score: float,
    time_s: float,
) -> Indices:
    """What `find_again` makes of `detection_of_track`, in plain numpy."""
    n, m = like.shape
    lost = (tracks.states[:n] == _LOST) & (detection_of_track < 0) & ~np.isnan(tracks.looks[:n, 0])
    left_over = ~np.isin(np.arange(m), detection_of_track)
    new = left_over & ~np.isnan(looks[:, 0]) & (scores.astype(np.float64) >= new_track_score)
    near = np.zeros_like(like)
    for row in np.flatnonzero(lost).tolist():
        lost_s = time_s - tracks.missed_s[row]
        near[row] = [nearness_reference(tracks.mean, row, box, lost_s) for box in boxes_xyxy]
    same = class_agnostic | (tracks.class_ids[:n, None] == class_ids[None])
    gain = np.where(same & (like >= ALIKE), like * near, 0.0)
    return np.maximum(detection_of_track, match_reference(gain, np.ones_like(gain), lost, new, LEAST))
