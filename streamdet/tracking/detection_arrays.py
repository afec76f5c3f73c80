"""The detections of one frame as the tracker's kernels take them, and which detections a tracker can use."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.picture import Picture
from streamdet.tracking.appearance import APPEARANCE_SIZE, Appearances, extract_appearances
from streamdet.tracking.matching import Boxes, Indices
from streamdet.types import Detections

MAX_COORDINATE_PX = 1e6
"""Detections beyond this are garbage; squares of smaller coordinates stay exact enough for the filter."""


class DetectionArrays(NamedTuple):
    """Detections as parallel arrays.

    Attributes:
        boxes_xyxy: (M, 4) float32 in pixels.
        scores: (M,) float32.
        class_ids: (M,) int32.
        appearances: (M, 6) float32, see `appearance`; rows of NaN where unknown.
    """

    boxes_xyxy: Boxes
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    appearances: Appearances

    @classmethod
    def of(cls, detections: Detections, low_score: float, picture: Picture | None) -> "DetectionArrays":
        """Returns the usable detections, with their appearance where the picture is given."""
        boxes_xyxy, scores, class_ids = detections.boxes_xyxy, detections.scores, detections.class_ids
        chosen = usable_detections(boxes_xyxy, scores, low_score)
        if len(chosen) < len(scores):
            boxes_xyxy, scores, class_ids = boxes_xyxy[chosen], scores[chosen], class_ids[chosen]
        if picture is None:
            appearances: Appearances = np.full((len(scores), APPEARANCE_SIZE), np.nan, np.float32)
        else:
            appearances = extract_appearances(picture, boxes_xyxy)
        return cls(boxes_xyxy, scores, class_ids, appearances)


@kernel
def usable_detections(boxes_xyxy: Boxes, scores: NDArray[np.float32], low_score: float) -> Indices:
    """Returns the indices of the detections that a tracker can use.

    Their score is from `low_score` to 1, and their boxes are finite, not empty and within `MAX_COORDINATE_PX`.
    """
    out = np.empty(len(scores), np.int64)
    count = 0
    for i in range(len(scores)):
        good = low_score <= scores[i] <= 1.0  # False for NaN, as below
        for k in range(4):
            good = good and abs(boxes_xyxy[i, k]) <= MAX_COORDINATE_PX
        if good and boxes_xyxy[i, 2] > boxes_xyxy[i, 0] and boxes_xyxy[i, 3] > boxes_xyxy[i, 1]:
            out[count] = i
            count += 1
    return out[:count]


def usable_detections_reference(boxes_xyxy: Boxes, scores: NDArray[np.float32], low_score: float) -> Indices:
    """The same as `usable_detections` in plain numpy."""
    scored = (scores.astype(np.float64) >= low_score) & (scores <= 1)
    near = (np.abs(boxes_xyxy) <= MAX_COORDINATE_PX).all(axis=1)
    return np.flatnonzero(scored & near & (boxes_xyxy[:, 2:] > boxes_xyxy[:, :2]).all(axis=1))
