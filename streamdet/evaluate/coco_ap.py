"""COCO's metrics, computed by pycocotools."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdet.errors import UsageError
from streamdet.evaluate.coco_detections import CocoDetections
from streamdet.evaluate.ground_truth import CocoGroundTruth

IOU_THRESHOLDS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10)
"""COCO's ten IoU thresholds."""

RECALLS: NDArray[np.float64] = np.linspace(0.0, 1.0, 101)
"""Recalls at which COCO samples the precision."""

MAX_DETECTIONS = 100
"""Per class and image; the detections with the highest scores count. A detector's own limit is over all classes."""


@dataclass(frozen=True, slots=True)
class ClassAp:
    """Metrics of one class; NaN where there is no such object.

    Attributes:
        category_id: in the annotations file.
        name: of the category.
        ap: mean over IoU 0.50 to 0.95.
        ap50: at IoU 0.50.
        ap75: at IoU 0.75.
        objects: number in the images, crowds not counted.
        detections: number of detections of the class.
    """

    category_id: int
    name: str
    ap: float
    ap50: float
    ap75: float
    objects: int
    detections: int


@dataclass(frozen=True, slots=True)
class CocoNumbers:
    """COCO's twelve metrics, in pycocotools' order: 0 to 1, and -1 where there is no object to measure.

    Attributes:
        ap: average precision: mean over IoU 0.50 to 0.95 and over classes.
        ap50: at IoU 0.50.
        ap75: at IoU 0.75.
        ap_small: of objects under 32x32 pixels.
        ap_medium: of 32x32 to 96x96.
        ap_large: over 96x96.
        ar1: average recall with the best detection per class and image.
        ar10: with the best ten.
        ar100: with the best hundred.
        ar_small: `ar100` of small objects.
        ar_medium: `ar100` of medium objects.
        ar_large: `ar100` of large objects.
    """

    ap: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float
    ar1: float
    ar10: float
    ar100: float
    ar_small: float
    ar_medium: float
    ar_large: float


@dataclass(frozen=True, slots=True, eq=False)
class CocoAp:
    """COCO's evaluation.

    Attributes:
        numbers: the twelve metrics.
        classes: metrics of each category of the file.
        precision: (10 IoU thresholds, 101 recalls, classes) float64, of objects of all sizes; NaN without objects.
    """

    numbers: CocoNumbers
    classes: tuple[ClassAp, ...]
    precision: NDArray[np.float64]


def require_pycocotools() -> None:
    """Checks that pycocotools is installed, before anything that takes long.

    Raises:
        UsageError: it is not installed; the message says how to install it.
    """
    try:
        import pycocotools.cocoeval  # noqa: F401
    except ImportError:
        raise UsageError("evaluation needs pycocotools: pip install pycocotools") from None


def coco_ap(truth: CocoGroundTruth, found: CocoDetections) -> CocoAp:
    """Evaluates boxes as COCO does.

    Objects get new ids: pycocotools treats an object with id 0 as never matched, and confuses objects that share an id.

    Args:
        truth: of all evaluated images.
        found: detections; those in other images do not count.

    Raises:
        UsageError: pycocotools is not installed.
    """
    require_pycocotools()
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        evaluation = COCOeval(_index(truth, _truth_rows(truth)), _index(truth, _found_rows(found)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    precision = np.where(precision > -1, precision, np.nan)
    return CocoAp(CocoNumbers(*map(float, evaluation.stats)), _classes(truth, found, precision), precision)


def _truth_rows(truth: CocoGroundTruth) -> list[dict[str, Any]]:
    columns = zip(
        truth.image_ids.tolist(),
        truth.category_ids.tolist(),
        truth.boxes_xywh.tolist(),
        truth.areas.tolist(),
        truth.crowd.tolist(),
        strict=True,
    )
    return [
        {"id": i, "image_id": image, "category_id": category, "bbox": box, "area": area, "iscrowd": int(crowd)}
        for i, (image, category, box, area, crowd) in enumerate(columns, 1)
    ]


def _found_rows(found: CocoDetections) -> list[dict[str, Any]]:
    return [
        {**row, "id": i, "area": row["bbox"][2] * row["bbox"][3], "iscrowd": 0} for i, row in enumerate(found.rows(), 1)
    ]


def _index(truth: CocoGroundTruth, rows: list[dict[str, Any]]) -> Any:
    """Returns rows as a COCO object of pycocotools; its `loadRes` does not accept an empty list."""
    from pycocotools.coco import COCO

    table = COCO()
    table.dataset = {
        "images": [{"id": image.id} for image in truth.images],
        "categories": [{"id": number, "name": name} for number, name in truth.categories.items()],
        "annotations": rows,
    }
    table.createIndex()
    return table


def _classes(truth: CocoGroundTruth, found: CocoDetections, precision: NDArray[np.float64]) -> tuple[ClassAp, ...]:
    """Returns the metrics of each category. `precision` has them in the order of their ids."""
    rows = []
    for k, number in enumerate(sorted(truth.categories)):
        of_class = precision[:, :, k].mean(axis=1)
        objects = (truth.category_ids == number) & ~truth.crowd
        rows.append(
            ClassAp(
                category_id=number,
                name=truth.categories[number],
                ap=float(of_class.mean()),
                ap50=float(of_class[0]),
                ap75=float(of_class[5]),
                objects=int(objects.sum()),
                detections=int((found.category_ids == number).sum()),
            )
        )
    return tuple(rows)
