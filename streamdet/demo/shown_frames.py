"""Collects the shown frames of a run, and compares them with the ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdet.evaluate.mot import MotNumbers, evaluate_mot
from streamdet.evaluate.street import mot_ground_truth
from streamdet.picture import Picture
from streamdet.scenes.street.scene import StreetScene
from streamdet.sinks.base import Sink
from streamdet.types import Detections, Result, SourceInfo

_MEASURE_EVERY = 10
"""Frames from one measurement of drawing to the next."""
_MIN_CHANGE = 12
"""Minimum change of luma, in steps of 8 bits, of a pixel that was drawn on."""
_TOLERANCE_PX = 2
"""Lines are aligned to pairs of pixels: at most this far from the edge of a box."""
_POINTS = 40
"""Points that are tested on each edge of a box."""


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """One shown frame.

    Attributes:
        number: the scene's frame number.
        detections: shown detections, with track ids.
        outline_coverage: share of points on its box outlines where something was drawn; NaN where not measured.
    """

    number: int
    detections: Detections
    outline_coverage: float


class ShownFrameCollector(Sink):
    """Sink that keeps the shown detections; in every tenth frame it measures whether the boxes are drawn in place."""

    needs_annotated = True

    def __init__(self) -> None:
        super().__init__("demo measurements")
        self.frames: list[ShownFrame] = []

    def open(self, info: SourceInfo) -> None:
        """Nothing to prepare."""

    def write(self, result: Result) -> None:
        """Keeps a frame's detections."""
        due = result.annotated is not None and len(self.frames) % _MEASURE_EVERY == 0 and len(result.detections) > 0
        coverage = outline_coverage(result.frame.picture, result.picture, result.detections) if due else float("nan")
        self.frames.append(ShownFrame(result.frame.pts, result.detections, coverage))

    def close(self) -> None:
        """Nothing to finish."""


def outline_coverage(before: Picture, after: Picture, detections: Detections) -> float:
    """Returns the share of points on box edges where the picture changed, within `_TOLERANCE_PX`."""
    changed = np.abs(after.visible(0).astype(np.int16) - before.visible(0).astype(np.int16)) >= _MIN_CHANGE
    near = cv2.dilate(changed.astype(np.uint8), np.ones((2 * _TOLERANCE_PX + 1,) * 2, np.uint8))
    rows, columns = _edges(detections.boxes_xyxy, *near.shape)
    return float(near[rows, columns].mean()) if len(rows) else float("nan")


def _edges(boxes_xyxy: NDArray[np.float32], height: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns rows and columns of points on the edges of (N, 4) boxes, without points outside the picture."""
    along = np.linspace(0.0, 1.0, _POINTS)
    left, top, right, bottom = (boxes_xyxy[:, k : k + 1].astype(np.float64) for k in range(4))
    across, down = left + along * (right - left), top + along * (bottom - top)
    ones = np.ones(_POINTS)
    columns = np.concatenate([across, across, left * ones, right * ones]).ravel()
    rows = np.concatenate([top * ones, bottom * ones, down, down]).ravel()
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return rows[inside].astype(np.int64), columns[inside].astype(np.int64)


def evaluate_tracking(scene: StreetScene, frames: list[ShownFrame]) -> MotNumbers:
    """Compares the shown boxes with the ground truth of each frame.

    The ground truth is full boxes inside the picture, including hidden parts. Objects of which less than a quarter is
    visible are ignored: showing them is neither right nor wrong.
    """
    truth, ignored = mot_ground_truth([scene.full_ground_truth(frame.number) for frame in frames])
    return evaluate_mot(truth, [frame.detections for frame in frames], ignored)
