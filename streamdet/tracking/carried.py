"""Boxes on their way from the frame of their detection to another one: what is known of each, and a step."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from streamdet.tracking.box_motion import WAYS, Ways
from streamdet.tracking.carry import carry
from streamdet.tracking.steps import Step
from streamdet.types import Detections


@dataclass(frozen=True, slots=True)
class MotionOptions:
    """How boxes are shown between detections.

    Attributes:
        looks: measure motion in the pictures; else boxes only go on as from detection to detection.
        coast_s: an object that newer detections missed is shown until they are so much newer than the last that saw it.
            On a filmed crowd at 2 and 5 detections per second: quality 0.577 and 0.722, without coasting 0.569, 0.707,
            with 1 s 0.585, 0.729; boxes that nothing true stands behind: 37 and 31 of a hundred true ones, 25 and 13,
            42 and 46. Of the boxes that coast, one in five is that of a true object.
        covered: a missed object whose box overlaps with a detected one of its class by more than this is not shown on.
        score_half_life_s: the shown score halves with every so many seconds since the last detection.
        gap_s: nothing is shown for longer than this after its last detection.
        visible: an object of whose box less than this share is within the picture has left it.
        still_supported: a box whose points are gone, but for this share, is hidden.
        hidden_s: a hidden box is shown for so long.
        flow_error: error of measured motion over an interval between detections before anything is known, in box sizes.
        line_error: the same of motion in a straight line from detection to detection.
        rest_error: the same of an object that is believed not to move.
        most_error: an error counts as hardly more than this, in box sizes: a detector that jumps says little of motion.
        memory: how much errors so far count with every new detection.
        ways: see `Ways`.
    """

    looks: bool = True
    coast_s: float = 0.5
    covered: float = 0.7
    score_half_life_s: float = 2.0
    gap_s: float = 5.0
    visible: float = 0.2
    still_supported: float = 0.25
    hidden_s: float = 1.0
    flow_error: float = 0.07
    line_error: float = 0.2
    rest_error: float = 0.6
    most_error: float = 0.32
    memory: float = 0.5
    ways: Ways = WAYS


@dataclass(slots=True, eq=False)
class Carried:
    """Boxes on their way, as parallel arrays.

    Attributes:
        ids: (N,) int64; -1 where nobody gives ids.
        class_ids: (N,) int32.
        scores: (N,) float32, of the last detection.
        seen_s: (N,) float64, time of the last detection.
        boxes_xyxy: (N, 4) float64 in pixels, may reach beyond the picture.
        speeds: (N, 3) float64, see `carry`; NaN where not known yet.
        belief: (N, 2) float64, see `carry`.
        detected: (N, 2) float64, see `carry`.
        errors: (N, 3) float64, squared errors so far of flow, line and rest, in box sizes.
        raw: (N, 2) float64, shifts measured since the last detection, in pixels.
        taken: (N, 2) float64, shifts taken since the last detection, in pixels, beyond the camera's.
        support: (N,) float64, most that was ever known of its motion since the last detection.
        known_s: (N,) float64, when it was last supported by what is in the picture.
    """

    ids: NDArray[np.int64]
    class_ids: NDArray[np.int32]
    scores: NDArray[np.float32]
    seen_s: NDArray[np.float64]
    boxes_xyxy: NDArray[np.float64]
    speeds: NDArray[np.float64]
    belief: NDArray[np.float64]
    detected: NDArray[np.float64]
    errors: NDArray[np.float64]
    raw: NDArray[np.float64]
    taken: NDArray[np.float64]
    support: NDArray[np.float64]
    known_s: NDArray[np.float64]

    @classmethod
    def of(cls, detections: Detections, time_s: float, options: MotionOptions) -> Self:
        """Returns the detections of a frame, of whose motion nothing is known."""
        n = len(detections)
        return cls(
            ids=detections.track_ids.copy(),
            class_ids=detections.class_ids.copy(),
            scores=detections.scores.copy(),
            seen_s=np.full(n, time_s),
            boxes_xyxy=detections.boxes_xyxy.astype(np.float64),
            speeds=np.full((n, 3), np.nan),
            belief=np.tile([1.0, 0.0], (n, 1)),
            detected=np.zeros((n, 2)),
            errors=np.tile(np.square([options.flow_error, options.line_error, options.rest_error]), (n, 1)),
            raw=np.zeros((n, 2)),
            taken=np.zeros((n, 2)),
            support=np.zeros(n),
            known_s=np.full(n, time_s),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def picked(self, which: NDArray[np.bool_]) -> Carried:
        """Returns copies of the rows where `which` (N,) is True."""
        return Carried(*(getattr(self, field.name)[which] for field in fields(self)))

    def joined(self, other: Carried) -> Carried:
        """Returns these rows, then those of `other`."""
        return Carried(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))

    def step(self, step: Step, share: float, options: MotionOptions) -> None:
        """Moves all boxes along one step, in place."""
        if len(self) == 0:
            return
        elapsed_s = abs(step.end_s - step.start_s)
        support = carry(
            self.boxes_xyxy,
            self.speeds,
            self.belief,
            self.detected,
            self.raw,
            self.taken,
            self.seen_s == self.seen_s.max(),
            step.points,
            step.shifts,
            step.camera,
            elapsed_s,
            share,
            options.ways,
        )
        np.maximum(self.support, support, out=self.support)
        supported = support >= options.still_supported * self.support
        self.known_s[supported] = step.end_s
