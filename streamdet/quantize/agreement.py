"""Agreement of two models' detections, measured without labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import pairwise_iou
from streamdet.detect.postprocess import RawDetections

_IOU = 0.5
_MAX_GROUPS = 32  # of images for the jackknife
_THRESHOLDS = np.arange(0.5, 0.76, 0.05)
"""IoU thresholds over which agreement is averaged. Higher ones, as in COCO's AP, would count shifts of a box by a few
hundredths of its size, which are smaller than a detector's own errors."""


def weighted_dice(reference: Sequence[RawDetections], candidate: Sequence[RawDetections]) -> float:
    """Returns a continuous similarity of detections: 1 where they are equal, less for any shift.

    It is a Dice coefficient of weighted boxes: twice the sum over pairs of IoU times the smaller score, over the sum of
    all scores of both. It ranks layers, whose effects are small.

    Args:
        reference: detections of the reference model, one item per image.
        candidate: detections of the other model on the same images.
    """
    shared = total = 0.0
    for first, second in zip(reference, candidate, strict=True):
        total += float(first.scores.sum() + second.scores.sum())
        for i, j, iou in _pairs(first, second, _IOU):
            shared += 2 * iou * float(min(first.scores[i], second.scores[j]))
    return shared / total if total else 1.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of two models.

    Attributes:
        value: see `agreement`; 1 where the detections are equal.
        uncertainty: standard error of `value`, from its variation between images.
    """

    value: float
    uncertainty: float = 0.0


def agreement_with_uncertainty(reference: Sequence[RawDetections], candidate: Sequence[RawDetections]) -> Agreement:
    """Returns the agreement and its standard error, by leaving out one group of images at a time (jackknife)."""
    groups = min(len(reference), _MAX_GROUPS)
    values = []
    for left_out in range(groups if groups > 1 else 0):
        kept = [i for i in range(len(reference)) if i % groups != left_out]
        values.append(agreement([reference[i] for i in kept], [candidate[i] for i in kept]))
    error = np.sqrt((groups - 1) * np.var(values)) if values else 0.0
    return Agreement(agreement(reference, candidate), float(error))


def agreement(reference: Sequence[RawDetections], candidate: Sequence[RawDetections]) -> float:
    """Returns the average precision of `candidate` with `reference` as ground truth.

    Each box is weighted by its score squared. As in COCO's AP, boxes are taken by falling score, and the result is the
    mean over several IoU thresholds. Unlike there, all classes share one curve, since few images hold few objects of
    each. The weights replace a score threshold on the reference: with a threshold, whether a single box just above it
    was found changed the result by 0.02 on 16 photos.

    Args:
        reference: detections of the reference model, one item per image.
        candidate: detections of the other model on the same images.

    Returns:
        1 where all of `reference` is found before anything else, or where `reference` is empty.
    """
    total = float(sum(_weights(found).sum() for found in reference))
    if not total:
        return 1.0
    weights = np.concatenate([_weights(found) for found in candidate])
    order = np.argsort(-weights, kind="stable")
    areas = []
    for threshold in _THRESHOLDS:
        matched = [_matched_weights(*pair, threshold) for pair in zip(reference, candidate, strict=True)]
        areas.append(_average_precision(np.concatenate(matched)[order], weights[order], total))
    return float(np.mean(areas))


def _average_precision(matched: NDArray[np.float64], weights: NDArray[np.float64], total: float) -> float:
    """Returns the area under the falling envelope of precision over recall.

    Args:
        matched: (N,) weight of the reference box that each detection matches, 0 for none.
        weights: (N,) of the detections, counted for those without a match.
        total: weight of all reference boxes.
    """
    if not len(matched):
        return 0.0
    precision = np.cumsum(matched) / np.cumsum(np.where(matched > 0, matched, weights))
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float((precision * matched).sum() / total)


def _matched_weights(reference: RawDetections, candidate: RawDetections, threshold: float) -> NDArray[np.float64]:
    matched, weights = np.zeros(len(candidate)), _weights(reference)
    for i, j, _ in _pairs(reference, candidate, threshold):
        matched[j] = weights[i]
    return matched


def _weights(found: RawDetections) -> NDArray[np.float64]:
    return np.square(found.scores, dtype=np.float64)


def _pairs(first: RawDetections, second: RawDetections, threshold: float) -> list[tuple[int, int, float]]:
    """Returns pairs of boxes of one class: by falling score of `second`, each with the free box of the highest IoU."""
    iou = pairwise_iou(first.boxes_xyxy, second.boxes_xyxy)
    iou[first.class_ids[:, None] != second.class_ids[None]] = 0
    pairs = []
    for j in np.argsort(-second.scores, kind="stable"):
        if len(first) and iou[(i := int(iou[:, j].argmax())), j] >= threshold:
            pairs.append((i, int(j), float(iou[i, j])))
            iou[i] = 0
    return pairs
