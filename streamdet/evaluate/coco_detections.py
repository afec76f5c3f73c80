"""Detections of a set of images in COCO's terms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdet.types import Detections, StageTimes

_BOX_DECIMALS = 3  # of a pixel
_SCORE_DECIMALS = 9  # float32 has 7 digits: different scores stay different


@dataclass(frozen=True, slots=True)
class ImageDetections:
    """The detections of one image: one line of a detections file.

    Attributes:
        image_id: in the annotations file.
        category_ids: in the annotations file.
        scores: 0 to 1, falling.
        boxes_xywh: left, top, width, height in pixels of the image.
        times_ms: preprocess, infer, postprocess.
    """

    image_id: int
    category_ids: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    boxes_xywh: tuple[tuple[float, float, float, float], ...] = ()
    times_ms: tuple[float, float, float] = (0.0, 0.0, 0.0)


def image_detections(
    image_id: int, detections: Detections, categories: NDArray[np.int64], times: StageTimes
) -> ImageDetections:
    """Returns the detections of one image in COCO's terms, rounded as in a detections file.

    Args:
        image_id: of the image.
        detections: of the image; classes without a category are left out.
        categories: (classes,) the category id of each class, -1 for none.
        times: of the stages.
    """
    numbers = categories[detections.class_ids]
    known = numbers >= 0
    boxes = detections.boxes_xyxy[known].astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    return ImageDetections(
        image_id,
        tuple(numbers[known].tolist()),
        tuple(detections.scores[known].astype(np.float64).round(_SCORE_DECIMALS).tolist()),
        tuple(tuple(box) for box in boxes.round(_BOX_DECIMALS).tolist()),
        (round(times.preprocess_ms, 3), round(times.infer_ms, 3), round(times.postprocess_ms, 3)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class CocoDetections:
    """All detections of a run as parallel arrays, image after image.

    Attributes:
        image_ids: (N,) int64.
        category_ids: (N,) int64.
        scores: (N,) float64.
        boxes_xywh: (N, 4) float64: left, top, width, height in pixels.
        times_ms: (images, 3) float64: preprocess, infer, postprocess.
    """

    image_ids: NDArray[np.int64]
    category_ids: NDArray[np.int64]
    scores: NDArray[np.float64]
    boxes_xywh: NDArray[np.float64]
    times_ms: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3)))

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def of(cls, records: Iterable[ImageDetections]) -> CocoDetections:
        """Returns the detections of all images as arrays."""
        records = list(records)
        return cls(
            np.array([record.image_id for record in records for _ in record.scores], np.int64),
            np.array([number for record in records for number in record.category_ids], np.int64),
            np.array([score for record in records for score in record.scores], np.float64),
            np.array([box for record in records for box in record.boxes_xywh], np.float64).reshape(-1, 4),
            np.array([record.times_ms for record in records], np.float64).reshape(-1, 3),
        )

    def rows(self) -> list[dict[str, Any]]:
        """Returns the detections in COCO's results format, which `pycocotools` loads."""
        columns = zip(
            self.image_ids.tolist(),
            self.category_ids.tolist(),
            self.boxes_xywh.tolist(),
            self.scores.tolist(),
            strict=True,
        )
        return [
            {"image_id": image, "category_id": category, "bbox": box, "score": score}
            for image, category, box, score in columns
        ]
