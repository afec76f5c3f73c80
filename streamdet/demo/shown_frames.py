"""What a run has shown, frame by frame, and how it compares with what was there."""

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

_LOOK_EVERY = 10
_CHANGED = 12
"""Steps of luma from which a pixel is taken for drawn on."""
_BESIDE_PX = 2
"""Lines lie on whole pairs of pixels, up to this far from the edge of a box."""
_POINTS = 40
"""Looked at on each edge of a box."""


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """One frame.

    Attributes:
        number: of the scene's frame.
        detections: that were shown, with track ids.
        outline_coverage: share of points on its box outlines where something was drawn; NaN where not measured.
    """

    number: int
    detections: Detections
    outline_coverage: float


class ShownFrameCollector(Sink):
    """Keeps what is shown; of every tenth picture it looks whether boxes are drawn where they should be."""

    needs_annotated = True

    def __init__(self) -> None:
        super().__init__("the measure")
        self.frames: list[ShownFrame] = []

    def open(self, info: SourceInfo) -> None:
        """Nothing to prepare."""

    def write(self, result: Result) -> None:
        """Keeps a frame's detections."""
        look = result.annotated is not None and len(self.frames) % _LOOK_EVERY == 0 and len(result.detections) > 0
        coverage = outline_coverage(result.frame.picture, result.picture, result.detections) if look else float("nan")
        self.frames.append(ShownFrame(result.frame.pts, result.detections, coverage))

    def close(self) -> None:
        """Nothing to finish."""


def outline_coverage(before: Picture, after: Picture, detections: Detections) -> float:
    """Returns at which share of points on the edges of boxes a picture differs, there or right beside, from before."""
    changed = np.abs(after.visible(0).astype(np.int16) - before.visible(0).astype(np.int16)) >= _CHANGED
    near = cv2.dilate(changed.astype(np.uint8), np.ones((2 * _BESIDE_PX + 1,) * 2, np.uint8))
    rows, columns = _edges(detections.boxes_xyxy, *near.shape)
    return float(near[rows, columns].mean()) if len(rows) else float("nan")


def _edges(boxes_xyxy: NDArray[np.float32], height: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns rows and columns of points on the edges of (N, 4) boxes; what lies outside the picture is left out."""
    along = np.linspace(0.0, 1.0, _POINTS)
    left, top, right, bottom = (boxes_xyxy[:, k : k + 1].astype(np.float64) for k in range(4))
    across, down = left + along * (right - left), top + along * (bottom - top)
    still = np.ones(_POINTS)
    columns = np.concatenate([across, across, left * still, right * still]).ravel()
    rows = np.concatenate([top * still, bottom * still, down, down]).ravel()
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return rows[inside].astype(np.int64), columns[inside].astype(np.int64)


def evaluate_tracking(scene: StreetScene, frames: list[ShownFrame]) -> MotNumbers:
    """Compares what was shown with the exact truth of each frame.

    Full boxes inside the picture count, also where something hides a part of them; what can be seen to less than a
    quarter need not be shown, and may be.
    """
    truth, ignored = mot_ground_truth([scene.full_ground_truth(frame.number) for frame in frames])
    return evaluate_mot(truth, [frame.detections for frame in frames], ignored)
