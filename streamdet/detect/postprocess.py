"""Post-processing: from candidates to detections in pixels of the network input."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import Boxes
from streamdet.detect.candidates import SCORE_CEILING, Candidates, are_usable
from streamdet.detect.nms import nms


@dataclass(frozen=True, slots=True, eq=False)
class PostprocessRules:
    """Which detections of a network are kept.

    Attributes:
        conf: only greater scores are kept.
        iou: IoU threshold of non-maximum suppression.
        wanted: (classes,) bool, the requested classes.
        max_detections: maximum number of detections of a picture; the best are kept.
        class_agnostic: boxes of different classes suppress each other too.
    """

    conf: float
    iou: float
    wanted: NDArray[np.bool_]
    max_detections: int = 200
    class_agnostic: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RawDetections:
    """Detections of one picture in network input pixels, by descending score.

    Attributes:
        boxes_xyxy: (D, 4) float32 in pixels of the network input, not clipped.
        scores: (D,) float32.
        class_ids: (D,) int32, from 0.
    """

    boxes_xyxy: Boxes
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.scores)


def apply_nms(candidates: Candidates, rules: PostprocessRules) -> RawDetections:
    """Selects the best candidates by non-maximum suppression within each class.

    MLPerf keeps the best 200 of each class, then the best 200 of all. That equals the best 200 of all: no class can
    hold more.
    """
    groups = np.zeros_like(candidates.class_ids) if rules.class_agnostic else candidates.class_ids
    kept = nms(
        candidates.boxes_xyxy,
        candidates.box_ids,
        candidates.scores,
        groups,
        np.float32(rules.iou),
        rules.max_detections,
        rules.max_detections,
    )
    boxes = candidates.boxes_xyxy[candidates.box_ids[kept]]
    return RawDetections(boxes, candidates.scores[kept], candidates.class_ids[kept])


def select_detections(
    boxes_xyxy: Boxes, scores: NDArray[np.floating], class_ids: NDArray[np.integer], rules: PostprocessRules
) -> RawDetections:
    """Selects from the detections of a network that runs its own non-maximum suppression.

    Args:
        boxes_xyxy: (N, 4) in pixels of the network input.
        scores: (N,).
        class_ids: (N,) from 0; ids beyond the labels are dropped, since they have no name.
        rules: what to keep; `iou` and `class_agnostic` are ignored.
    """
    with np.errstate(invalid="ignore"):
        keep = (scores > rules.conf) & (scores <= SCORE_CEILING) & are_usable(boxes_xyxy)
        keep &= (class_ids >= 0) & (class_ids < len(rules.wanted))
    kept = np.flatnonzero(keep)
    kept = kept[rules.wanted[class_ids[kept].astype(np.int64)]]
    kept = kept[np.argsort(-scores[kept], kind="stable")][: rules.max_detections]
    best = np.minimum(scores[kept], 1).astype(np.float32)
    return RawDetections(boxes_xyxy[kept].astype(np.float32), best, class_ids[kept].astype(np.int32))
