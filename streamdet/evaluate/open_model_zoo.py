"""The two metrics that Open Model Zoo publishes, computed like its accuracy checker.

Written from the behavior of ``tools/accuracy_checker`` in openvinotoolkit/open_model_zoo: ``metrics/coco_metrics.py``
(`coco_precision`), ``metrics/detection.py`` (`map`), ``metrics/overlap.py`` and ``annotation_converters/ms_coco.py``,
with the options that ``models/public/ssd-resnet34-1200-onnx/accuracy-check.yml`` leaves at their defaults. The
differences from COCO's own evaluation are listed below; only the same steps can reproduce a published figure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.evaluate.coco_ap import IOU_THRESHOLDS, RECALLS
from streamdet.evaluate.coco_detections import CocoDetections
from streamdet.evaluate.ground_truth import CocoGroundTruth

COCO_PRECISION_DETECTIONS = 20
"""Per class and image, the best of which count in `coco_precision`: its default of ``max_detections``."""

VOC_IOU = 0.5
"""Minimum IoU of a true positive in `voc_map`: its default of ``overlap_threshold``."""

_VOC_EDGE_PX = 1.0  # include_boundaries: a box from pixel 2 to pixel 4 is 3 pixels wide
_NONE = np.empty(0, np.int64)


def coco_precision(truth: CocoGroundTruth, found: CocoDetections, edge_px: float = 0.0) -> float:
    """Returns Open Model Zoo's ``coco_precision``, 0 to 1; NaN where there is no object.

    Like COCO's AP it is the mean over ten IoU thresholds, 101 recalls and the classes with objects, and detections that
    match a crowd do not count. It differs from COCO's AP in three ways:

    - only the best 20 detections per class and image count, not 100;
    - a crowd is matched by its plain IoU, not by the share of the detection inside it;
    - the best detection per class and image does not use up the object it matches. The checker stores for each object
      the position of the detection that matches it, and reads 0 as "no match yet". A second detection of the same
      object is a true positive too, so the figure is higher than COCO's.

    Args:
        truth: of all images.
        found: detections in these images.
        edge_px: added to widths and heights. The checker adds nothing here: it computes the overlap without
            ``include_boundaries``, for which `coco_precision` has no option. 1 includes both edge pixels.
    """
    precisions = []
    for of_truth, of_found in _by_class(truth, found):
        ordinary = sum(int((~truth.crowd[objects]).sum()) for objects in of_truth.values())
        if not ordinary:
            continue
        images = [_match(truth, found, of_truth.get(i, _NONE), of_found[i], edge_px) for i in sorted(of_found)]
        precisions.append(_mean_precision(images, ordinary))
    return float(np.mean(precisions)) if precisions else float("nan")


def voc_map(truth: CocoGroundTruth, found: CocoDetections) -> float:
    """Returns Open Model Zoo's ``map``, PASCAL VOC's mean average precision at IoU 0.5; NaN without detections.

    Each detection of a class, by falling score, is assigned to the object of its image with the highest IoU. It is a
    true positive if that is 0.5 or more and no earlier detection matched the object. The average precision is the area
    under the falling envelope of precision over recall. Box sizes include both edge pixels: widths and heights are 1
    larger.

    The checker treats COCO in three particular ways: crowds are ordinary objects; a class without detections is left
    out of the mean; a class with detections but without objects counts as 0.
    """
    precisions = []
    for of_truth, of_found in _by_class(truth, found):
        if of_found:
            hits = _voc_hits(truth, found, of_truth, of_found)
            precisions.append(_area_under_envelope(hits, sum(map(len, of_truth.values()))))
    return float(np.mean(precisions)) if precisions else float("nan")


_Indices = dict[int, NDArray[np.int64]]
"""Indices of objects or detections by image id."""


def _by_class(truth: CocoGroundTruth, found: CocoDetections) -> Iterator[tuple[_Indices, _Indices]]:
    evaluated = np.isin(found.image_ids, [image.id for image in truth.images])
    for number in sorted(truth.categories):
        yield (
            _by_image(truth.image_ids, np.flatnonzero(truth.category_ids == number)),
            _by_image(found.image_ids, np.flatnonzero(evaluated & (found.category_ids == number))),
        )


def _by_image(image_ids: NDArray[np.int64], of_class: NDArray[np.int64]) -> _Indices:
    order = of_class[np.argsort(image_ids[of_class], kind="stable")]
    images, starts = np.unique(image_ids[order], return_index=True)
    return dict(zip(images.tolist(), np.split(order, starts[1:]), strict=True)) if len(order) else {}


def _corners(boxes_xywh: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]], axis=1)


def _iou(first_xywh: NDArray[np.float64], second_xywh: NDArray[np.float64], edge_px: float) -> NDArray[np.float64]:
    """Returns the (N, M) intersection over union of boxes, with `edge_px` added to all sides.

    It is also added to the sides of the intersection, even where two boxes do not touch.
    """
    first, second = _corners(first_xywh)[:, None], _corners(second_xywh)[None]
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.maximum(np.minimum(first[..., 2:], second[..., 2:]), low)
    shared, area_first, area_second = (
        (size + edge_px).prod(axis=2)
        for size in (high - low, first[..., 2:] - first[..., :2], second[..., 2:] - second[..., :2])
    )
    union = area_first + area_second - shared
    iou: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union != 0)
    return iou


@dataclass(frozen=True, slots=True, eq=False)
class _Matched:
    """The detections of one class in one image, by falling score.

    Attributes:
        scores: (D,) float64.
        matched: (10, D) bool, by IoU threshold: it matches an object or a crowd.
        ignored: (10, D) bool: it matches a crowd, and does not count.
    """

    scores: NDArray[np.float64]
    matched: NDArray[np.bool_]
    ignored: NDArray[np.bool_]


def _match(
    truth: CocoGroundTruth,
    found: CocoDetections,
    objects: NDArray[np.int64],
    indices: NDArray[np.int64],
    edge_px: float,
) -> _Matched:
    """Assigns detections by falling score, each to the free object with the highest IoU."""
    best = indices[np.argsort(-found.scores[indices], kind="stable")][:COCO_PRECISION_DETECTIONS]
    matched = np.zeros((len(IOU_THRESHOLDS), len(best)), np.bool_)
    ignored = np.zeros_like(matched)
    crowd = truth.crowd[objects]
    # The checker stores overlaps in single precision.
    iou = _iou(found.boxes_xywh[best], truth.boxes_xywh[objects], edge_px).astype(np.float32).astype(np.float64)
    for t, threshold in enumerate(IOU_THRESHOLDS):
        taken = np.zeros(len(objects), np.bool_)
        for d in range(len(best) if len(objects) else 0):
            fits = (iou[d] >= threshold) & (crowd | ~taken)
            of_kind = fits & ~crowd
            if not of_kind.any():
                of_kind = fits
            if not of_kind.any():
                continue
            overlap = np.where(of_kind, iou[d], -1.0)
            chosen = len(overlap) - 1 - int(overlap[::-1].argmax())  # the last of several equal ones
            matched[t, d] = True
            ignored[t, d] = crowd[chosen]
            taken[chosen] = d > 0  # see `coco_precision`: position 0 reads as "no match yet"
    return _Matched(found.scores[best], matched, ignored)


def _mean_precision(images: list[_Matched], objects: int) -> float:
    """Returns the mean precision over IoU thresholds and recalls for a number of objects."""
    if not images:
        return 0.0
    order = np.argsort(-np.concatenate([image.scores for image in images]), kind="stable")
    matched = np.concatenate([image.matched for image in images], axis=1)[:, order]
    counted = ~np.concatenate([image.ignored for image in images], axis=1)[:, order]
    hits = np.cumsum(matched & counted, axis=1)
    precision = hits / np.maximum(np.cumsum(counted, axis=1), 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    sampled = [
        np.append(line, 0.0)[np.searchsorted(recall, RECALLS, side="left")]
        for line, recall in zip(envelope, hits / objects, strict=True)
    ]
    return float(np.mean(sampled))


def _voc_hits(
    truth: CocoGroundTruth, found: CocoDetections, of_truth: _Indices, of_found: _Indices
) -> NDArray[np.bool_]:
    """Returns (detections,) bool, by falling score: it is the first to match its object."""
    indices = np.concatenate([of_found[image] for image in sorted(of_found)])
    indices = indices[np.argsort(-found.scores[indices], kind="stable")]
    overlaps = {
        image: _iou(found.boxes_xywh[of_found[image]], truth.boxes_xywh[objects], _VOC_EDGE_PX)
        for image, objects in of_truth.items()
        if image in of_found
    }
    row = {int(index): i for group in of_found.values() for i, index in enumerate(group)}
    taken = {image: np.zeros(len(objects), np.bool_) for image, objects in of_truth.items()}
    hits = np.zeros(len(indices), np.bool_)
    for i, index in enumerate(indices.tolist()):
        image = int(found.image_ids[index])
        if image not in overlaps:
            continue
        overlap = overlaps[image][row[index]]
        most = overlap.max()
        where = overlap == most
        if most >= VOC_IOU and not taken[image][where].any():
            hits[i] = True
            taken[image] |= where
    return hits


def _area_under_envelope(hits: NDArray[np.bool_], objects: int) -> float:
    if not objects:
        return 0.0
    matches = np.cumsum(hits)
    precision = matches / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((hits * envelope).sum() / objects)  # recall grows by 1 / objects at each hit
