"""How far two models agree on what they see, without labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import pairwise_iou
from streamdet.detect.postprocess import RawDetections

_IOU = 0.5
_GROUPS = 32  # of pictures, at most, that are left out in turn
_THRESHOLDS = np.arange(0.5, 0.76, 0.05)
"""IoUs at which agreement is averaged. Higher ones, as in COCO's AP, would count shifts of a box by a few hundredths of
its size, which are smaller than a detector's own errors."""


def closeness(wanted: Sequence[RawDetections], got: Sequence[RawDetections]) -> float:
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


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two models agree.

    Attributes:
        value: 1 where they find the same, see `agreement`.
        uncertainty: standard error of `value`, from how it varies between pictures.
    """

    value: float
    uncertainty: float = 0.0


def agreement_with_error(wanted: Sequence[RawDetections], got: Sequence[RawDetections]) -> Agreement:
    """Returns the agreement and its standard error, found by leaving out groups of pictures in turn (jackknife)."""
    count = min(len(wanted), _GROUPS)
    parts = []
    for left_out in range(count if count > 1 else 0):
        kept = [i for i in range(len(wanted)) if i % count != left_out]
        parts.append(agreement([wanted[i] for i in kept], [got[i] for i in kept]))
    error = np.sqrt((count - 1) * np.var(parts)) if parts else 0.0
    return Agreement(agreement(wanted, got), float(error))


def agreement(wanted: Sequence[RawDetections], got: Sequence[RawDetections]) -> float:
    """Returns the average precision of `got` with `wanted` as the truth, where each box counts by its score squared.

    As in COCO's AP, boxes are taken by falling score and the mean over several IoU thresholds is taken. Unlike there,
    all classes share one curve, since few pictures hold few objects of each; and weights stand in for a threshold on
    the truth's scores: with one, whether the single box just above it was found moved the result by 0.02 on 16 photos.

    Args:
        wanted: of the reference, one item per picture.
        got: of the other model, on the same pictures.

    Returns:
        1 where all of `wanted` is found before anything else, or where there is nothing to be found.
    """
    everything = float(sum(_weights(found).sum() for found in wanted))
    if not everything:
        return 1.0
    weights = np.concatenate([_weights(found) for found in got])
    order = np.argsort(-weights, kind="stable")
    areas = []
    for threshold in _THRESHOLDS:
        found = np.concatenate([_found(first, second, threshold) for first, second in zip(wanted, got, strict=True)])
        areas.append(_average_precision(found[order], weights[order], everything))
    return float(np.mean(areas))


def _average_precision(found: NDArray[np.float64], weights: NDArray[np.float64], everything: float) -> float:
    """Returns the area under precision (made to fall) over recall.

    Args:
        found: (N,) weight of the true box that each detection found, 0 where it found none.
        weights: (N,) of the detections, which those that found nothing take up.
        everything: weight of all true boxes.
    """
    if not len(found):
        return 0.0
    precision = np.cumsum(found) / np.cumsum(np.where(found > 0, found, weights))
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float((precision * found).sum() / everything)


def _found(wanted: RawDetections, got: RawDetections, threshold: float) -> NDArray[np.float64]:
    found, weights = np.zeros(len(got)), _weights(wanted)
    for i, j, _ in _pairs(wanted, got, threshold):
        found[j] = weights[i]
    return found


def _weights(found: RawDetections) -> NDArray[np.float64]:
    return np.square(found.scores, dtype=np.float64)


def _pairs(first: RawDetections, second: RawDetections, threshold: float) -> list[tuple[int, int, float]]:
    """Pairs boxes of one class, the surest of `second` first, each with the free box it overlaps most."""
    iou = pairwise_iou(first.boxes_xyxy, second.boxes_xyxy)
    iou[first.class_ids[:, None] != second.class_ids[None]] = 0
    pairs = []
    for j in np.argsort(-second.scores, kind="stable"):
        if len(first) and iou[(i := int(iou[:, j].argmax())), j] >= threshold:
            pairs.append((i, int(j), float(iou[i, j])))
            iou[i] = 0
    return pairs
