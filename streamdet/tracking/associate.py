"""ByteTrack's association: strong detections first, then weak ones for tracks that would otherwise be lost.

Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022, algorithm 1.
"""

import math

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
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
from streamdet.tracking.tracks import TrackState

_TENTATIVE, _CONFIRMED, _LOST = int(TrackState.TENTATIVE), int(TrackState.CONFIRMED), int(TrackState.LOST)

# How it was chosen: IDF1 on TUD-Campus, the mean over 25 to 2 detections per second and over 16 copies (boxes moved by
# 1 %, 2 % of them dropped, since one run more or less is chance), and on ten streets of `sources/street` with simulated
# detections at 30 and at 3 per second.
#
#   as it is                               0.680   0.867 0.856
#   IoU alone, LIKELIHOOD_SHARE 0          0.592   0.868 0.696   objects move by more than their size
#   likelihood alone, LIKELIHOOD_SHARE 1   0.599   0.825 0.789   the filter knows little of turns and halts
#   WIDENING_HZ 0                          0.680   0.867 0.860   MOTA 0.560 for 0.565, streets at 3 0.883 for 0.890
#   without `measure_ambiguity`                       0.672   0.865 0.856   on TUD-Campus at 25 0.712 for 0.754
#   LOST_HANDICAP 0                        0.679   0.872 0.857   switches on the streets 112 and 147 for 104 and 143
#
# Tried without LOST_HANDICAP:
#
#   lost objects only after all seen ones  0.655   0.863 0.855
#   a last look where objects were seen    0.670   0.848 0.830   as OC-SORT does
#   a likelihood with its determinant      0.669   0.872 0.839
#   halved with every 2 s of being lost    0.675   0.865 0.858
LIKELIHOOD_SHARE = 0.3
LIKELIHOOD_WIDTH = 16.0
"""The likelihood's part of the similarity is exp(-surprise / width) with this width after no time at all."""
WIDENING_HZ = 3.0
"""The width grows by so many times itself per second since the last update: the longer a step, the less a filter that
knows nothing of turns and halts can be trusted in how sure it is."""
MAX_DISTANCE = 10.0
"""A surprise of more than so many widths counts as no likelihood at all."""
CROWDED_S = 0.16
"""See `measure_ambiguity`."""
LOST_HANDICAP = 0.06
"""By so much a lost track has to be more like a detection than a seen one to get it, but where no seen one wants it, it
gets it as before: of two tracks on one person of a crowd, the one that is seen goes on."""


@kernel
def compare_positions(
    mean: Mean, covariance: Covariance, count: int, boxes_xyxy: Boxes, elapsed_s: float, motion: MotionModel
) -> Similarity:
    """Returns how much (M, 4) detections are like the first `count` tracks where they are now, (count, M) in [0, 1].

    `elapsed_s` are the seconds since the last update.
    """
    out = iou_matrix(predict_boxes(mean, np.arange(count), 0.0, motion), boxes_xyxy)
    distance2 = squared_mahalanobis(mean, covariance, count, boxes_xyxy, motion)
    width = LIKELIHOOD_WIDTH * (1.0 + WIDENING_HZ * elapsed_s)
    for i in range(count):
        for j in range(len(boxes_xyxy)):
            out[i, j] *= 1.0 - LIKELIHOOD_SHARE
        # A loop of its own, left early: as a choice between two values LLVM takes the exponential of every pair, and
        # those that come to nothing are its slowest: 585 us for 200 tracks instead of 16 us.
        for j in range(len(boxes_xyxy)):
            if distance2[i, j] >= MAX_DISTANCE * width:
                continue
            out[i, j] += LIKELIHOOD_SHARE * math.exp(-distance2[i, j] / width)
    return out


def compare_positions_reference(
    mean: Mean, covariance: Covariance, boxes_xyxy: Boxes, elapsed_s: float, motion: MotionModel
) -> Similarity:
    """The same as `compare_positions` for all tracks in plain numpy."""
    centre, half = mean[:, :2, 0], mean[:, 2:, 0] / 2
    iou = iou_matrix_reference(np.hstack([centre - half, centre + half]).astype(np.float32), boxes_xyxy)
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

    Where several pairs exclude each other, the sum of what they gain over `min_gain`, times `weight` (N, M), decides.
    Writes `detection_of_track` (N,), and clears the rows and columns that were paired from both masks.
    """
    row_list, column_list = np.flatnonzero(rows), np.flatnonzero(columns)
    if len(row_list) == 0 or len(column_list) == 0:
        return
    part = np.empty((len(row_list), len(column_list)), np.float64)
    for i in range(len(row_list)):
        for j in range(len(column_list)):
            value = gain[row_list[i], column_list[j]]
            # The gain over the limit, as a cost limit in ByteTrack: two weak pairs do not outbid one good pair.
            part[i, j] = weight[row_list[i], column_list[j]] * (value - min_gain) if value > min_gain else 0.0
    detection_columns = assign(part)
    for i in range(len(row_list)):
        if detection_columns[i] >= 0:
            row, column = row_list[i], column_list[detection_columns[i]]
            detection_of_track[row] = column
            rows[row] = False
            columns[column] = False


def match_reference(gain: Similarity, weight: Similarity, rows: Mask, columns: Mask, min_gain: float) -> Indices:
    """Returns (N,) int64, the column that `match` pairs each row with, or -1, in plain numpy."""
    over = np.where(rows[:, None] & columns[None] & (gain > min_gain), weight * (gain - min_gain), 0.0)
    return assign_reference(over)


@kernel
def associate(
    similarity: Similarity,
    weight_of_pair: Similarity,
    states: NDArray[np.int8],
    track_classes: NDArray[np.int32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int32],
    class_agnostic: bool,
    high_score: float,
    match_high: float,
    match_low: float,
    match_new: float,
) -> Indices:
    """Returns for each track the detection that continues it, or -1.

    Args:
        similarity: (N, M) float64 from `compare_positions` of N tracks and M detections; set to 0 in
            place where classes differ.
        weight_of_pair: (N, M) float64, see `match`.
        states: (>= N,) int8, `TrackState`.
        track_classes: (>= N,) int32.
        scores: (M,) float32, of the detections.
        class_ids: (M,) int32, of the detections.
        class_agnostic: let classes mix.
        high_score: least score of a strong detection.
        match_high: least weighted similarity of a strong detection and a believed track.
        match_low: least similarity of a weak detection and a track that the last update saw.
        match_new: least weighted similarity of a strong detection and a tentative track.
    """
    n, m = similarity.shape
    # ByteTrack multiplies overlap by score, its strong ones at least 0.5. So that a lower threshold does not leave
    # every product too small, [high_score, 1] is stretched to [0.5, 1] first: no change at 0.5.
    weight = np.empty(m, np.float64)
    for j in range(m):
        weight[j] = 0.5 + 0.5 * (scores[j] - high_score) / max(1.0 - high_score, 1e-6)
    fused = np.empty((n, m), np.float64)
    for i in range(n):
        for j in range(m):
            if not class_agnostic and track_classes[i] != class_ids[j]:
                similarity[i, j] = 0.0
            fused[i, j] = similarity[i, j] * weight[j]
            if states[i] == _LOST and fused[i, j] > match_high:
                fused[i, j] = max(fused[i, j] - LOST_HANDICAP, match_high + 1e-6)
    high = np.empty(m, np.bool_)
    low = np.empty(m, np.bool_)
    for j in range(m):
        high[j] = scores[j] >= high_score
        low[j] = not high[j]
    established = np.empty(n, np.bool_)
    tentative = np.empty(n, np.bool_)
    for i in range(n):
        tentative[i] = states[i] == _TENTATIVE
        established[i] = not tentative[i]
    detection_of_track = np.full(n, -1, np.int64)
    match(fused, weight_of_pair, established, high, match_high, detection_of_track)
    for i in range(n):
        established[i] = established[i] and states[i] == _CONFIRMED
    match(similarity, weight_of_pair, established, low, match_low, detection_of_track)
    match(fused, weight_of_pair, tentative, high, match_new, detection_of_track)
    # Beyond ByteTrack: a new object whose score wavers around `high_score` would never be confirmed without this.
    match(similarity, weight_of_pair, tentative, low, match_low, detection_of_track)
    return detection_of_track


def associate_reference(
    similarity: Similarity,
    weight_of_pair: Similarity,
    states: NDArray[np.int8],
    track_classes: NDArray[np.int32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int32],
    class_agnostic: bool,
    high_score: float,
    match_high: float,
    match_low: float,
    match_new: float,
) -> tuple[Indices, Similarity]:
    """What `associate` returns, and what it makes of `similarity`, in plain numpy."""
    n, m = similarity.shape
    states, track_classes, exact = states[:n], track_classes[:n], scores.astype(np.float64)
    similarity = np.where(class_agnostic | (track_classes[:, None] == class_ids[None]), similarity, 0.0)
    fused = similarity * (0.5 + 0.5 * (exact - high_score) / max(1.0 - high_score, 1e-6))
    handicapped = np.maximum(fused - LOST_HANDICAP, match_high + 1e-6)
    fused = np.where((states[:, None] == _LOST) & (fused > match_high), handicapped, fused)
    high, tentative = exact >= high_score, states == _TENTATIVE
    detection_columns = np.full(n, -1, np.int64)
    for gain, rows, columns, min_gain in (
        (fused, ~tentative, high, match_high),
        (similarity, states == _CONFIRMED, ~high, match_low),
        (fused, tentative, high, match_new),
        (similarity, tentative, ~high, match_low),
    ):
        left_over = ~np.isin(np.arange(m), detection_columns)
        pairs = match_reference(gain, weight_of_pair, rows & (detection_columns < 0), columns & left_over, min_gain)
        detection_columns = np.maximum(detection_columns, pairs)
    return detection_columns, similarity


@kernel
def measure_ambiguity(
    similarity: Similarity, states: NDArray[np.int8], detection_of_track: Indices, elapsed_s: float
) -> NDArray[np.float64]:
    """Returns how doubtful it is that each track's detection shows that object alone, (N,) float64 for `correct`.

    Where two people cross, a detector gives one box for both, or a box of either that the other shares; a filter that
    learns its velocity from that swaps them when they part. So the doubt is how alike the detection is to the other
    believed track that it is most like. Such errors last, so that many detections in a short time say no more than a
    few: the doubt goes with `CROWDED_S` over the time of a step. (In doubt of the box too, and not of its velocity
    alone, a track lags behind its object: IDF1 on the streets 0.863 for 0.872, without LOST_HANDICAP.)

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
            detection_columns = detection_of_track[row]
            if detection_columns >= 0 and row != other:
                out[row] = max(out[row], scale * similarity[other, detection_columns])
    return out


def measure_ambiguity_reference(
    similarity: Similarity, states: NDArray[np.int8], detection_of_track: Indices, elapsed_s: float
) -> NDArray[np.float64]:
    """The same as `measure_ambiguity` in plain numpy."""
    n = len(detection_of_track)
    of_track = (
        np.where(detection_of_track >= 0, similarity[:, detection_of_track], 0.0)
        if similarity.size
        else np.zeros((n, n))
    )
    of_track[states[:n] == _TENTATIVE] = 0.0
    np.fill_diagonal(of_track, 0.0)
    worst: NDArray[np.float64] = of_track.max(axis=0, initial=0.0)
    return CROWDED_S / max(elapsed_s, 0.02) * worst
