"""What decoders of network outputs hand to non-maximum suppression."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import Boxes
from streamdet.kernels import kernel

FAR_PX = np.float32(1e6)
"""A corner farther out than this is garbage of a broken network: such a box is dropped, and no arithmetic after it
can overflow."""

SCORE_CEILING = np.float32(1.01)
"""Scores above this are garbage. Just above 1 is not: an INT8 network's certainty may dequantise to 1.0000001."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Boxes that may become detections. One box may stand for several classes.

    Attributes:
        boxes_xyxy: (B, 4) float32 in pixels of the network's input, all finite.
        box_ids: (K,) int32, the row of `boxes_xyxy` of each candidate.
        scores: (K,) float32 in (threshold, 1].
        class_ids: (K,) int32, from 0.
    """

    boxes_xyxy: Boxes
    box_ids: NDArray[np.int32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.scores)


@kernel
def is_usable(left: float, top: float, right: float, bottom: float) -> bool:
    """Whether all four corners are finite and near enough to be a box at all."""
    near = abs(left) <= FAR_PX and abs(top) <= FAR_PX and abs(right) <= FAR_PX and abs(bottom) <= FAR_PX
    return bool(near)


def are_usable(boxes_xyxy: Boxes) -> NDArray[np.bool_]:
    """The same as `is_usable` for each of (N, 4) boxes, in plain numpy."""
    with np.errstate(invalid="ignore"):
        near = np.abs(boxes_xyxy) <= FAR_PX
    result: NDArray[np.bool_] = np.all(near, axis=1)
    return result
