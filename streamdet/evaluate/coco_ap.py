"""COCO's average precision, computed by pycocotools."""

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
"""Where COCO reads the precision."""

MAX_DETECTIONS = 100
"""Of each class in each picture, the best so many count. A detector's own limit is for all classes together."""


@dataclass(frozen=True, slots=True)
class ClassAp:
    """How well one class is found. What cannot be said, because there is no such object, is NaN.

    Attributes:
        category_id: of the annotations file.
        name: of the category.
        ap: mean over IoU 0.50 to 0.95.
        ap50: at IoU 0.50.
        ap75: at IoU 0.75.
        objects: in the pictures, crowds not counted.
        detections: that were made.
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
    """The twelve numbers of COCO, in pycocotools' order; 0 to 1, and -1 where there is nothing to measure.

    Attributes:
        ap: average precision: mean over IoU 0.50 to 0.95 and over classes.
        ap50: at IoU 0.50.
        ap75: at IoU 0.75.
        ap_small: of objects under 32x32 pixels.
        ap_medium: of 32x32 to 96x96.
        ap_large: over 96x96.
        ar1: average recall with the best detection of each class in a picture.
        ar10: with the best ten.
        ar100: with the best hundred.
        ar_small: `ar100` of small objects.
        ar_medium: of medium ones.
        ar_large: of large ones.
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
        numbers: the twelve of its table.
        classes: each category of the file.
        precision: (10 IoU thresholds, 101 recalls, classes) float64, of objects of all sizes; NaN where there is none.
    """

    numbers: CocoNumbers
    classes: tuple[ClassAp, ...]
    precision: NDArray[np.float64]


def require_pycocotools() -> None:
    """Says what to install where it is missing, before anything takes long.

    Raises:
        UsageError: it cannot be imported.
    """
    try:
        import pycocotools.cocoeval  # noqa: F401
    except ImportError:
        raise UsageError("evaluation needs pycocotools: pip install pycocotools") from None


def coco_ap(truth: CocoGroundTruth, found: CocoDetections) -> CocoAp:
    """Evaluates boxes as COCO does.

    Objects are numbered anew: pycocotools takes an object with id 0 for one that was never matched, and mixes up those
    that share an id.

    Args:
        truth: of all pictures that were looked at.
        found: in them; what belongs to other pictures does not count.

    Raises:
        UsageError: pycocotools is not installed.
    """
    require_pycocotools()
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
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
    """Returns rows as pycocotools' own kind of table; its `loadRes` cannot be given an empty one."""
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
    """Returns a row for each category; they are in the order of their ids in `precision`."""
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
