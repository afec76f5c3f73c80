"""ByteTrack's association: strong detections first, then weak ones for tracks that would otherwise be lost.

Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022, algorithm 1.
"""

import math

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.tracking.kalman import Boxes, Covariance, Mean, Motion, boxes_after, surprise
from streamdet.tracking.matching import Indices, Mask, Similarity, assign, iou_matrix
from streamdet.tracking.store import TrackState

_TENTATIVE, _CONFIRMED = int(TrackState.TENTATIVE), int(TrackState.CONFIRMED)

# IoU alone fails when objects move by more than their size between two detections; likelihood alone trusts a filter
# that knows little of people who stop and turn. IDF1 on TUD-Campus at 25/12/8/5/3/2 detections per second, mean: IoU
# 0.573, GIoU 0.637, IoU of boxes widened by the uncertainty 0.654, likelihood 0.641, this mixture 0.680.
LIKELIHOOD_SHARE = 0.3
LIKELIHOOD_WIDTH = 16.0
"""The likelihood's part of the similarity is exp(-surprise / 16)."""
FARTHEST = 10 * LIKELIHOOD_WIDTH
"""A worse surprise counts as no likelihood at all."""


@kernel
def similarity(mean: Mean, covariance: Covariance, count: int, boxes_xyxy: Boxes, motion: Motion) -> Similarity:
    """Returns how much (M, 4) detections are like the first `count` tracks where they are now, (count, M) in [0, 1]."""
    out = iou_matrix(boxes_after(mean, np.arange(count), 0.0, motion), boxes_xyxy)
    far = surprise(mean, covariance, count, boxes_xyxy, motion)
    for i in range(count):
        for j in range(len(boxes_xyxy)):
            likelihood = math.exp(-far[i, j] / LIKELIHOOD_WIDTH) if far[i, j] < FARTHEST else 0.0
            out[i, j] = (1.0 - LIKELIHOOD_SHARE) * out[i, j] + LIKELIHOOD_SHARE * likelihood
    return out


@kernel
def match(gain: Similarity, rows: Mask, columns: Mask, least: float, detection_of_track: Indices) -> None:
    """Pairs the masked rows with the masked columns of `gain` (N, M) where it is at least `least`.

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
            part[i, j] = value - least if value > least else 0.0
    found = assign(part)
    for i in range(len(row_list)):
        if found[i] >= 0:
            row, column = row_list[i], column_list[found[i]]
            detection_of_track[row] = column
            rows[row] = False
            columns[column] = False


@kernel
def associate(
    alike: Similarity,
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
        alike: (N, M) float64 from `similarity` of N tracks and M detections; set to 0 in place where classes differ.
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
    n, m = alike.shape
    # ByteTrack multiplies overlap by score, its strong ones at least 0.5. So that a lower threshold does not leave
    # every product too small, [high_score, 1] is stretched to [0.5, 1] first: no change at 0.5.
    weight = np.empty(m, np.float64)
    for j in range(m):
        weight[j] = 0.5 + 0.5 * (scores[j] - high_score) / max(1.0 - high_score, 1e-6)
    fused = np.empty((n, m), np.float64)
    for i in range(n):
        for j in range(m):
            if not class_agnostic and track_classes[i] != class_ids[j]:
                alike[i, j] = 0.0
            fused[i, j] = alike[i, j] * weight[j]
    strong = np.empty(m, np.bool_)
    weak = np.empty(m, np.bool_)
    for j in range(m):
        strong[j] = scores[j] >= high_score
        weak[j] = not strong[j]
    believed = np.empty(n, np.bool_)
    tentative = np.empty(n, np.bool_)
    for i in range(n):
        tentative[i] = states[i] == _TENTATIVE
        believed[i] = not tentative[i]
    detection_of_track = np.full(n, -1, np.int64)
    match(fused, believed, strong, match_high, detection_of_track)
    for i in range(n):
        believed[i] = believed[i] and states[i] == _CONFIRMED
    match(alike, believed, weak, match_low, detection_of_track)
    match(fused, tentative, strong, match_new, detection_of_track)
    # Beyond ByteTrack: a new object whose score wavers around `high_score` would never be confirmed without this.
    match(alike, tentative, weak, match_low, detection_of_track)
    return detection_of_track
