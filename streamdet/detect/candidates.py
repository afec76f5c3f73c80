"""Candidate boxes: what decoders of network outputs pass to non-maximum suppression."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import Boxes
from streamdet.kernels import kernel

FAR_PX = np.float32(1e6)
"""A corner farther out than this is garbage from a broken network. Such boxes are dropped, so later arithmetic cannot
overflow."""

SCORE_CEILING = np.float32(1.01)
"""Scores above this are garbage. Scores just above 1 are not: an INT8 network's 1 may dequantize to 1.0000001."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Boxes that may become detections. One box may be a candidate for several classes.

    Attributes:
        boxes_xyxy: (B, 4) float32 in pixels of the network input, all finite.
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
    """Returns whether all four coordinates are finite and within `FAR_PX`."""
    near = abs(left) <= FAR_PX and abs(top) <= FAR_PX and abs(right) <= FAR_PX and abs(bottom) <= FAR_PX
    return bool(near)


def are_usable(boxes_xyxy: Boxes) -> NDArray[np.bool_]:
    """Returns `is_usable` of each of (N, 4) boxes, in plain numpy."""
    with np.errstate(invalid="ignore"):
        near = np.abs(boxes_xyxy) <= FAR_PX
    result: NDArray[np.bool_] = np.all(near, axis=1)
    return result
