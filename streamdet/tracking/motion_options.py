"""Options for showing boxes between detections."""

from __future__ import annotations

from dataclasses import dataclass

from streamdet.tracking.box_motion import POINT_WEIGHTS, PointWeights


@dataclass(frozen=True, slots=True)
class MotionOptions:
    """How boxes are shown between detections.

    Attributes:
        flow: measure motion in the pictures; else boxes only go on as from detection to detection.
        coast_s: an object that newer detections missed is shown until they are so much newer than the last that saw it.
            On a filmed crowd at 2 and 5 detections per second: quality 0.577 and 0.722, without coasting 0.569, 0.707,
            with 1 s 0.585, 0.729; boxes that nothing true stands behind: 37 and 31 of a hundred true ones, 25 and 13,
            42 and 46. Of the boxes that coast, one in five is that of a true object.
        max_overlap: a missed object whose box overlaps with a detected one of its class by more than this is not shown.
        score_half_life_s: the shown score halves with every so many seconds since the last detection.
        max_unseen_s: nothing is shown for longer than this after its last detection.
        min_visible: an object of whose box less than this share is within the picture has left it.
        min_support: a box whose points are gone, but for this share, is hidden.
        max_hidden_s: a hidden box is shown for so long.
        flow_error: error of measured motion over an interval between detections before anything is known, in box sizes.
        linear_error: the same of motion in a straight line from detection to detection.
        still_error: the same of an object that is believed not to move.
        max_error: an error counts as hardly more than this, in box sizes: a detector that jumps says little of motion.
        error_memory: how much errors so far count with every new detection.
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
