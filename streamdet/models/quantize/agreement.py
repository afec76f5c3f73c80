"""How far two models agree on what they see, without labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamdet.boxes import pairwise_iou
from streamdet.detect.postprocess import Found

_IOU = 0.5
_THRESHOLDS = np.arange(0.5, 0.76, 0.05)
"""IoUs at which agreement is averaged. Higher ones, as in COCO's AP, would count shifts of a box by a few hundredths of
its size, which are smaller than a detector's own errors."""


def closeness(wanted: Sequence[Found], got: Sequence[Found]) -> float:
    """Returns how close detections are, continuously: 1 where they are the same, less for any shift.

    Twice the sum over pairs of IoU times the smaller score, over the sum of all scores of both: a Dice coefficient of
    weighted boxes. For ranking layers, whose effects are small.

    Args:
        wanted: of the reference, one item per picture.
        got: of the other model, on the same pictures.
    """
    shared = total = 0.0
    for first, second in zip(wanted, got, strict=True):
        total += float(first.scores.sum() + second.scores.sum())
        for i, j, iou in _pairs(first, second, _IOU):
            shared += 2 * iou * float(min(first.scores[i], second.scores[j]))
    return shared / total if total else 1.0


def agreement(wanted: Sequence[Found], got: Sequence[Found], conf: float) -> float | None:
    """Returns the average precision of `got` with the sure detections of `wanted` as the truth, all classes together.

    As in COCO's AP, scores matter by their order only, and the mean over several IoU thresholds is taken; unlike it,
    there is one curve for all classes, since few pictures hold few objects of each.

    Args:
        wanted: of the reference, one item per picture.
        got: of the other model, on the same pictures, down to lower scores.
        conf: detections of the reference from this score on are the truth.

    Returns:
        1 where every object is found before anything else; None where the reference is sure of nothing.
    """
    truth = [_from(found, conf) for found in wanted]
    objects = sum(len(found) for found in truth)
    if not objects:
        return None
    scores = np.concatenate([found.scores for found in got])
    order = np.argsort(-scores, kind="stable")
    precisions = []
    for threshold in _THRESHOLDS:
        hits = np.concatenate([_hits(first, second, threshold) for first, second in zip(truth, got, strict=True)])
        precisions.append(_average_precision(hits[order], objects))
    return float(np.mean(precisions))


def _average_precision(hits: np.ndarray, objects: int) -> float:
    """Returns the area under precision (made to fall) over recall."""
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(precision[hits].sum() / objects)


def _from(found: Found, conf: float) -> Found:
    sure = found.scores >= conf
    return Found(found.boxes_xyxy[sure], found.scores[sure], found.class_ids[sure])


def _hits(truth: Found, got: Found, threshold: float) -> np.ndarray:
    hits = np.zeros(len(got), bool)
    for _, j, _ in _pairs(truth, got, threshold):
        hits[j] = True
    return hits


def _pairs(first: Found, second: Found, threshold: float) -> list[tuple[int, int, float]]:
    """Pairs boxes of one class, the surest of `second` first, each with the free box it overlaps most."""
    iou = pairwise_iou(first.boxes_xyxy, second.boxes_xyxy)
    iou[first.class_ids[:, None] != second.class_ids[None]] = 0
    pairs = []
    for j in np.argsort(-second.scores, kind="stable"):
        if len(first) and iou[(i := int(iou[:, j].argmax())), j] >= threshold:
            pairs.append((i, int(j), float(iou[i, j])))
            iou[i] = 0
    return pairs
