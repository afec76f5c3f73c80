"""ByteTrack's association: high-score detections first, then low-score ones for tracks that would otherwise be lost.

Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022, algorithm 1.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.tracking.detection_arrays import DetectionArrays
from streamdet.tracking.kalman import (
    Boxes,
    Covariance,
    Mean,
    MotionModel,
    predict_boxes,
    squared_mahalanobis,
    squared_mahalanobis_reference,
    to_matrices,
)
from streamdet.tracking.matching import (
    Indices,
    Mask,
    Similarity,
    assign,
    assign_reference,
    iou_matrix,
    iou_matrix_reference,
)
from streamdet.tracking.tracks import Tracks, TrackState

_TENTATIVE, _CONFIRMED, _LOST = int(TrackState.TENTATIVE), int(TrackState.CONFIRMED), int(TrackState.LOST)

# How these values were chosen: IDF1 on TUD-Campus, as the mean over 25 to 2 detections per second and over 16 copies
# (boxes moved by 1 %, 2 % of them dropped, because single runs differ at random), and on ten scenes of `scenes/street`
# with simulated detections at 30 and at 3 per second.
#
#   as it is                               0.680   0.867 0.856
#   IoU alone, LIKELIHOOD_SHARE 0          0.592   0.868 0.696   objects move by more than their size
#   likelihood alone, LIKELIHOOD_SHARE 1   0.599   0.825 0.789   the filter does not model turns and stops
#   WIDENING_HZ 0                          0.680   0.867 0.860   MOTA 0.560 instead of 0.565, streets at 3: 0.883, 0.890
#   without `measure_ambiguity`            0.672   0.865 0.856   on TUD-Campus at 25: 0.712 instead of 0.754
#   LOST_HANDICAP 0                        0.679   0.872 0.857   ID switches on the streets 112, 147 instead of 104, 143
#
# Tried without LOST_HANDICAP:
#
#   lost tracks only after all seen ones   0.655   0.863 0.855
#   a last match at the last seen places   0.670   0.848 0.830   as in OC-SORT
#   a likelihood with its determinant      0.669   0.872 0.839
#   halved for every 2 s of being lost     0.675   0.865 0.858
LIKELIHOOD_SHARE = 0.3
LIKELIHOOD_WIDTH = 16.0
"""The likelihood's part of the similarity is exp(-distance / width), with the squared Mahalanobis distance and this
width right after an update."""
WIDENING_HZ = 3.0
"""The width grows by this factor of itself per second since the last update. The filter does not model turns and stops,
so the longer the step, the less its own certainty can be trusted."""
MAX_DISTANCE = 10.0
"""A squared distance of more than this many widths has a likelihood of 0."""
CROWDED_S = 0.16
"""See `measure_ambiguity`."""
LOST_HANDICAP = 0.06
"""The similarity of a lost track must exceed that of a seen track by this much to win a detection. Without a competing
seen track it wins as before. So of two tracks on one person of a crowd, the seen one continues."""


class MatchLimits(NamedTuple):
    """Limits for assigning detections to tracks; see `TrackerOptions`.

    Attributes:
        class_agnostic: let classes match each other.
        high_score: minimum score of a high-score detection.
        match_high: minimum weighted similarity of a high-score detection and a confirmed or lost track.
        match_low: minimum similarity of a low-score detection and a track that the last update saw.
        match_new: minimum weighted similarity of a high-score detection and a tentative track.
        new_track_score: minimum score of a detection that re-identifies a lost track.
        max_lost_s: lost for longer than this, a track can only be re-identified.
    """

    class_agnostic: bool
    high_score: float
    match_high: float
    match_low: float
    match_new: float
    new_track_score: float
    max_lost_s: float


@kernel
def compare_positions(
    mean: Mean, covariance: Covariance, count: int, boxes_xyxy: Boxes, elapsed_s: float, motion: MotionModel
) -> Similarity:
    """Returns how well (M, 4) detections fit the predicted boxes of the first `count` tracks, (count, M) in [0, 1].

    `elapsed_s` are the seconds since the last update.
    """
    out = iou_matrix(predict_boxes(mean, np.arange(count), 0.0, motion), boxes_xyxy)
    distance2 = squared_mahalanobis(mean, covariance, count, boxes_xyxy, motion)
    width = LIKELIHOOD_WIDTH * (1.0 + WIDENING_HZ * elapsed_s)
    for i in range(count):
        for j in range(len(boxes_xyxy)):
            out[i, j] *= 1.0 - LIKELIHOOD_SHARE
        # A separate loop with an early exit: with a choice between two values LLVM computes the exponential of every
        # pair, and exponentials that underflow are the slowest: 585 us for 200 tracks instead of 16 us.
        for j in range(len(boxes_xyxy)):
            if distance2[i, j] >= MAX_DISTANCE * width:
                continue
            out[i, j] += LIKELIHOOD_SHARE * math.exp(-distance2[i, j] / width)
    return out


def compare_positions_reference(
    mean: Mean, covariance: Covariance, boxes_xyxy: Boxes, elapsed_s: float, motion: MotionModel
) -> Similarity:
    """The same as `compare_positions` for all tracks in plain numpy."""
    center, half = mean[:, :2, 0], mean[:, 2:, 0] / 2
    iou = iou_matrix_reference(np.hstack([center - half, center + half]).astype(np.float32), boxes_xyxy)
    tracks = [to_matrices(*one) for one in zip(mean, covariance, strict=True)]
    distance2 = np.array(
        [[squared_mahalanobis_reference(*track, box, motion) for box in boxes_xyxy] for track in tracks]
    )
    width = LIKELIHOOD_WIDTH * (1 + WIDENING_HZ * elapsed_s)
    distance2 = distance2.reshape(iou.shape)
    likelihood = np.where(distance2 < MAX_DISTANCE * width, np.exp(-distance2 / width), 0.0)
    return (1 - LIKELIHOOD_SHARE) * iou + LIKELIHOOD_SHARE * likelihood


@kernel
def match(
    gain: Similarity, weight: Similarity, rows: Mask, columns: Mask, min_gain: float, detection_of_track: Indices
) -> None:
    """Pairs the masked rows with the masked columns of `gain` (N, M) where it is more than `min_gain`.

    Where several pairs exclude each other, the pairs with the largest sum of `weight` (N, M) times the gain over
    `min_gain` win. Writes `detection_of_track` (N,), and clears the paired rows and columns in both masks.
    """
    row_list, column_list = np.flatnonzero(rows), np.flatnonzero(columns)
    if len(row_list) == 0 or len(column_list) == 0:
        return
    part = np.empty((len(row_list), len(column_list)), np.float64)
    for i in range(len(row_list)):
        for j in range(len(column_list)):
            value = gain[row_list[i], column_list[j]]
            # The gain over the limit, like the cost limit of ByteTrack: two bad pairs do not outbid one good pair.
            part[i, j] = weight[row_list[i], column_list[j]] * (value - min_gain) if value > min_gain else 0.0
    column_of_row = assign(part)
    for i in range(len(row_list)):
        if column_of_row[i] >= 0:
            row, column = row_list[i], column_list[column_of_row[i]]
            detection_of_track[row] = column
            rows[row] = False
            columns[column] = False


def match_reference(gain: Similarity, weight: Similarity, rows: Mask, columns: Mask, min_gain: float) -> Indices:
    """Returns (N,) int64, the column that `match` pairs each row with, or -1, in plain numpy."""
    over = np.where(rows[:, None] & columns[None] & (gain > min_gain), weight * (gain - min_gain), 0.0)
    return assign_reference(over)


@kernel
def associate(
    similarity: Similarity, pair_weight: Similarity, tracks: Tracks, detections: DetectionArrays, limits: MatchLimits
) -> Indices:
    """Returns for each track the detection that continues it, or -1.

    Args:
        similarity: (N, M) float64 from `compare_positions`; set to 0 in place where classes differ.
        pair_weight: (N, M) float64, see `match`.
        tracks: the first N of them are used.
        detections: M detections.
        limits: see `MatchLimits`.
    """
    n, m = similarity.shape
    scores = detections.scores
    # ByteTrack multiplies the overlap by the score; its high scores are at least 0.5. To keep the products large enough
    # with a lower threshold, [high_score, 1] is first stretched to [0.5, 1]: no change at 0.5.
    weight = np.empty(m, np.float64)
    for j in range(m):
        weight[j] = 0.5 + 0.5 * (scores[j] - limits.high_score) / max(1.0 - limits.high_score, 1e-6)
    fused = np.empty((n, m), np.float64)
    for i in range(n):
        for j in range(m):
            if not limits.class_agnostic and tracks.class_ids[i] != detections.class_ids[j]:
                similarity[i, j] = 0.0
            fused[i, j] = similarity[i, j] * weight[j]
            if tracks.states[i] == _LOST and fused[i, j] > limits.match_high:
                fused[i, j] = max(fused[i, j] - LOST_HANDICAP, limits.match_high + 1e-6)
    high = np.empty(m, np.bool_)
    low = np.empty(m, np.bool_)
    for j in range(m):
        high[j] = scores[j] >= limits.high_score
        low[j] = not high[j]
    established = np.empty(n, np.bool_)  # confirmed or lost
    tentative = np.empty(n, np.bool_)
    for i in range(n):
        tentative[i] = tracks.states[i] == _TENTATIVE
        established[i] = not tentative[i]
    detection_of_track = np.full(n, -1, np.int64)
    match(fused, pair_weight, established, high, limits.match_high, detection_of_track)
    for i in range(n):
        established[i] = established[i] and tracks.states[i] == _CONFIRMED
    match(similarity, pair_weight, established, low, limits.match_low, detection_of_track)
    match(fused, pair_weight, tentative, high, limits.match_new, detection_of_track)
    # Not in ByteTrack: without this, a new object whose score varies around `high_score` is never confirmed.
    match(similarity, pair_weight, tentative, low, limits.match_low, detection_of_track)
    return detection_of_track


def associate_reference(
    similarity: Similarity, pair_weight: Similarity, tracks: Tracks, detections: DetectionArrays, limits: MatchLimits
) -> tuple[Indices, Similarity]:
    """Returns the result of `associate`, and the `similarity` that it leaves, in plain numpy."""
    n, m = similarity.shape
    states, track_classes, scores = tracks.states[:n], tracks.class_ids[:n], detections.scores.astype(np.float64)
    same_class = limits.class_agnostic | (track_classes[:, None] == detections.class_ids[None])
    similarity = np.where(same_class, similarity, 0.0)
    fused = similarity * (0.5 + 0.5 * (scores - limits.high_score) / max(1.0 - limits.high_score, 1e-6))
    handicapped = np.maximum(fused - LOST_HANDICAP, limits.match_high + 1e-6)
    fused = np.where((states[:, None] == _LOST) & (fused > limits.match_high), handicapped, fused)
    high, tentative = scores >= limits.high_score, states == _TENTATIVE
    found = np.full(n, -1, np.int64)
    for gain, rows, columns, min_gain in (
        (fused, ~tentative, high, limits.match_high),
        (similarity, states == _CONFIRMED, ~high, limits.match_low),
        (fused, tentative, high, limits.match_new),
        (similarity, tentative, ~high, limits.match_low),
    ):
        unmatched = ~np.isin(np.arange(m), found)
        pairs = match_reference(gain, pair_weight, rows & (found < 0), columns & unmatched, min_gain)
        found = np.maximum(found, pairs)
    return found, similarity


@kernel
def measure_ambiguity(
    similarity: Similarity, states: NDArray[np.int8], detection_of_track: Indices, elapsed_s: float
) -> NDArray[np.float64]:
    """Returns how likely each track's detection also shows another object, (N,) float64 for `kalman.correct`.

    Where two people cross, a detector gives one box for both, or a box of one that includes part of the other. A filter
    that learns its velocity from such boxes swaps the two when they part. So the ambiguity is the similarity of the
    detection to the other confirmed or lost track that it fits best. Such errors last for a while, so many detections
    in a short time carry no more information than a few: the ambiguity is proportional to `CROWDED_S` over the time of
    a step. (If the box learned less too, and not the velocity alone, a track would lag behind its object: IDF1 on the
    streets 0.863 instead of 0.872, without LOST_HANDICAP.)

    Args:
        similarity: (N, M) float64, 0 where classes differ.
        states: (>= N,) int8, `TrackState`.
        detection_of_track: (N,) int64, -1 for none.
        elapsed_s: seconds since the last update.
    """
    n = len(detection_of_track)
    out = np.zeros(n, np.float64)
    scale = CROWDED_S / max(elapsed_s, 0.02)
    for other in range(n):
        if states[other] == _TENTATIVE:
            continue
        for row in range(n):
            found = detection_of_track[row]
            if found >= 0 and row != other:
                out[row] = max(out[row], scale * similarity[other, found])
    return out


def measure_ambiguity_reference(
    similarity: Similarity, states: NDArray[np.int8], detection_of_track: Indices, elapsed_s: float
) -> NDArray[np.float64]:
    """The same as `measure_ambiguity` in plain numpy."""
    n = len(detection_of_track)
    seen = detection_of_track >= 0
    of_track = np.where(seen, similarity[:, detection_of_track], 0.0) if similarity.size else np.zeros((n, n))
    of_track[states[:n] == _TENTATIVE] = 0.0
    np.fill_diagonal(of_track, 0.0)
    worst: NDArray[np.float64] = of_track.max(axis=0, initial=0.0)
    return CROWDED_S / max(elapsed_s, 0.02) * worst
