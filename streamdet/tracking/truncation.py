"""Boxes that the picture's border cuts off, made whole again: who walks in is as wide as others of that height.

A detector sees of such an object only what is inside. Its visible box does not move as the object does: the edge at the
border stays there while the other one comes in. The whole box moves, and what is shown of it is what is inside.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MARGIN = 0.004
"""An edge as near to the border as this share of the picture's longer side is cut off: 5 px of 1280."""
MAX_WIDENING = 3.0
"""No box is made wider than so many times what is seen of it: the rest is a guess."""
_LEARNING_RATE = 0.05
"""Weight of another object in what is known of its class."""


class AspectRatios:
    """Remembers how wide objects of each class are in proportion to their height."""

    def __init__(self) -> None:
        self._log_ratio: dict[int, float] = {}

    def learn(self, boxes_xyxy: NDArray[np.float64], class_ids: NDArray[np.int32], width: int, height: int) -> None:
        """Takes boxes (N, 4) of classes (N,); those that the border cuts off tell nothing."""
        left, top, right, bottom = touched_borders(boxes_xyxy, width, height)
        size = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
        whole = ~(left | top | right | bottom) & np.logical_and(size[:, 0] > 0, size[:, 1] > 0)
        for class_id, (wide, high) in zip(class_ids[whole].tolist(), size[whole].tolist(), strict=True):
            log_ratio = float(np.log(wide / high))
            self._log_ratio[class_id] = (1 - _LEARNING_RATE) * self._log_ratio.get(
                class_id, log_ratio
            ) + _LEARNING_RATE * log_ratio

    def completed(
        self, boxes_xyxy: NDArray[np.float64], class_ids: NDArray[np.int32], width: int, height: int
    ) -> NDArray[np.float64]:
        """Returns the boxes (N, 4), those that the left or the right border cuts off widened beyond it.

        One that touches both, or of whose class no whole one has been seen, stays as it is.

        Example:
            >>> shapes, person = Shapes(), np.zeros(1, np.int32)
            >>> shapes.learn(np.array([[100.0, 100.0, 150.0, 200.0]]), person, 640, 480)
            >>> shapes.completed(np.array([[610.0, 100.0, 640.0, 200.0]]), person, 640, 480).round(3).tolist()
            [[610.0, 100.0, 660.0, 200.0]]
        """
        left, _, right, _ = touched_borders(boxes_xyxy, width, height)
        size = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
        log_ratio = np.exp([self._log_ratio.get(class_id, -np.inf) for class_id in class_ids.tolist()])
        missing = np.maximum(np.minimum(log_ratio * size[:, 1], MAX_WIDENING * size[:, 0]) - size[:, 0], 0.0)
        out = boxes_xyxy.copy()
        out[:, 0] -= np.where(left & ~right, missing, 0.0)
        out[:, 2] += np.where(right & ~left, missing, 0.0)
        return out


def touched_borders(boxes_xyxy: NDArray[np.float64], width: int, height: int) -> NDArray[np.bool_]:
    """Returns (4, N) bool: which boxes reach the left, the top, the right, the bottom border of a picture."""
    near = MARGIN * max(width, height)
    before = boxes_xyxy[:, :2] <= near
    after = boxes_xyxy[:, 2:] >= np.array([width, height]) - near
    reached: NDArray[np.bool_] = np.concatenate([before, after], axis=1).T
    return reached
