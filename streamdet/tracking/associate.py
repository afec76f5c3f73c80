"""ByteTrack's association: strong detections first, then weak ones for tracks that would otherwise be lost.

Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022, algorithm 1.
"""

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.tracking.matching import Indices, Mask, Similarity, assign
from streamdet.tracking.store import TrackState

_TENTATIVE, _CONFIRMED = int(TrackState.TENTATIVE), int(TrackState.CONFIRMED)


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
    iou: Similarity,
    scores: NDArray[np.float32],
    detection_classes: NDArray[np.int32],
    states: NDArray[np.int8],
    track_classes: NDArray[np.int32],
    class_agnostic: bool,
    high_score: float,
    match_high: float,
    match_low: float,
    match_new: float,
) -> Indices:
    """Returns for each track the detection that continues it, or -1.

    Args:
        iou: (N, M) float64 of N tracks and M detections.
        scores: (M,) float32.
        detection_classes: (M,) int32.
        states: (>= N,) int8, `TrackState`.
        track_classes: (>= N,) int32.
        class_agnostic: let classes mix.
        high_score: least score of a strong detection.
        match_high: least score * IoU of a strong detection and a believed track.
        match_low: least IoU of a weak detection and a track seen by the last update.
        match_new: least score * IoU of a strong detection and a tentative track.
    """
    n, m = iou.shape
    fused = np.empty((n, m), np.float64)
    for i in range(n):
        for j in range(m):
            if not class_agnostic and track_classes[i] != detection_classes[j]:
                iou[i, j] = 0.0
            fused[i, j] = iou[i, j] * scores[j]
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
    match(iou, believed, weak, match_low, detection_of_track)
    match(fused, tentative, strong, match_new, detection_of_track)
    return detection_of_track
