"""Options for showing boxes between detections."""

from __future__ import annotations

from dataclasses import dataclass

from streamdet.tracking.box_motion import POINT_WEIGHTS, PointWeights


@dataclass(frozen=True, slots=True)
class MotionOptions:
    """Options of `LiveMover` and `Smoother`.

    Attributes:
        flow: measure motion in the pictures; otherwise boxes move on with their velocity from detection to detection.
        coast_s: seconds for which an object that newer detections miss stays visible, from its last detection to the
            newest one. On a filmed crowd at 2 and 5 detections per second: quality 0.577 and 0.722, without coasting
            0.569, 0.707, with 1 s 0.585, 0.729; false boxes per hundred true ones: 37 and 31, 25 and 13, 42 and 46. Of
            the coasting boxes, one in five shows a real object.
        max_overlap: a missed object is hidden if its box overlaps a detected one of its class by more than this IoU.
        score_half_life_s: seconds without a detection in which the shown score halves.
        max_unseen_s: maximum time for which an object is shown after its last detection.
        min_visible: an object with less than this share of its box in the picture has left it.
        min_support: a box with less than this share of its earlier support by points is hidden behind something.
        max_hidden_s: maximum time for which a hidden box is shown.
        flow_error: initial error of measured motion from one detection to the next, in box sizes.
        linear_error: the same for constant velocity from detection to detection.
        still_error: the same for no motion.
        max_error: larger errors count as little more than this, in box sizes: a jump of a box is hardly motion.
        error_memory: factor for the weight of earlier errors at each new detection.
        point_weights: see `PointWeights`.
    """

    flow: bool = True
    coast_s: float = 0.5
    max_overlap: float = 0.7
    score_half_life_s: float = 2.0
    max_unseen_s: float = 5.0
    min_visible: float = 0.2
    min_support: float = 0.25
    max_hidden_s: float = 1.0
    flow_error: float = 0.07
    linear_error: float = 0.2
    still_error: float = 0.6
    max_error: float = 0.32
    error_memory: float = 0.5
    point_weights: PointWeights = POINT_WEIGHTS
