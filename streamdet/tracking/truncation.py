"""Completes boxes that the border of the picture truncates, from the usual aspect ratio of their class.

A detector sees only the part of such an object that is inside the picture. The visible box does not move like the
object: the edge at the border stays there while the other edge comes in. So the complete box is moved, and its part
inside the picture is shown.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MARGIN = 0.004
"""An edge nearer to the border than this share of the picture's longer side is truncated: 5 px of 1280."""
MAX_WIDENING = 3.0
"""A box becomes at most this many times as wide as its visible part: more would be a guess."""
_LEARNING_RATE = 0.05
"""Weight of one more object in the mean of its class."""


class AspectRatios:
    """Learns the usual ratio of width to height of each class."""

    def __init__(self) -> None:
        self._log_ratio: dict[int, float] = {}

    def learn(self, boxes_xyxy: NDArray[np.float64], class_ids: NDArray[np.int32], width: int, height: int) -> None:
        """Learns from boxes (N, 4) of classes (N,); truncated boxes are ignored."""
        left, top, right, bottom = touched_borders(boxes_xyxy, width, height)
        size = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
        complete = ~(left | top | right | bottom) & np.logical_and(size[:, 0] > 0, size[:, 1] > 0)
        for class_id, (wide, high) in zip(class_ids[complete].tolist(), size[complete].tolist(), strict=True):
            log_ratio = float(np.log(wide / high))
            self._log_ratio[class_id] = (1 - _LEARNING_RATE) * self._log_ratio.get(
                class_id, log_ratio
            ) + _LEARNING_RATE * log_ratio

    def completed(
        self, boxes_xyxy: NDArray[np.float64], class_ids: NDArray[np.int32], width: int, height: int
    ) -> NDArray[np.float64]:
        """Returns the boxes (N, 4); those that the left or right border truncates are widened beyond it.

        A box that touches both borders, or whose class has no complete box yet, stays as it is.

        Example:
            >>> ratios, person = AspectRatios(), np.zeros(1, np.int32)
            >>> ratios.learn(np.array([[100.0, 100.0, 150.0, 200.0]]), person, 640, 480)
            >>> ratios.completed(np.array([[610.0, 100.0, 640.0, 200.0]]), person, 640, 480).round(3).tolist()
            [[610.0, 100.0, 660.0, 200.0]]
        """
        left, _, right, _ = touched_borders(boxes_xyxy, width, height)
        size = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
        ratio = np.exp([self._log_ratio.get(class_id, -np.inf) for class_id in class_ids.tolist()])
        missing = np.maximum(np.minimum(ratio * size[:, 1], MAX_WIDENING * size[:, 0]) - size[:, 0], 0.0)
        out = boxes_xyxy.copy()
        out[:, 0] -= np.where(left & ~right, missing, 0.0)
        out[:, 2] += np.where(right & ~left, missing, 0.0)
        return out


def touched_borders(boxes_xyxy: NDArray[np.float64], width: int, height: int) -> NDArray[np.bool_]:
    """Returns (4, N) bool: which boxes touch the left, top, right and bottom border of a picture."""
    near = MARGIN * max(width, height)
    before = boxes_xyxy[:, :2] <= near
    after = boxes_xyxy[:, 2:] >= np.array([width, height]) - near
    reached: NDArray[np.bool_] = np.concatenate([before, after], axis=1).T
    return reached
