"""Boxes that are propagated from the frame of their detection to other frames, with the state of each."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from streamdet.tracking.frame_motion import FrameMotion
from streamdet.tracking.motion_options import MotionOptions
from streamdet.tracking.propagate import BoxStates, propagate
from streamdet.types import Detections


@dataclass(slots=True, eq=False)
class PropagatedBoxes:
    """Propagated boxes as parallel arrays.

    Attributes:
        ids: (N,) int64; -1 for none.
        class_ids: (N,) int32.
        scores: (N,) float32, of the last detection.
        last_seen_s: (N,) float64, time of the last detection.
        boxes_xyxy: (N, 4) float64 in pixels, may reach beyond the picture.
        velocities: (N, 3) float64, see `BoxStates`; NaN where not known yet.
        weights: (N, 2) float64, see `BoxStates`.
        detected_velocities: (N, 2) float64, see `BoxStates`.
        errors: (N, 3) float64, squared errors so far of flow, line and rest, in box sizes.
        measured_shifts: (N, 2) float64, shifts measured since the last detection, in pixels.
        applied_shifts: (N, 2) float64, shifts taken since the last detection, in pixels, beyond the camera's.
        support: (N,) float64, most that was ever known of its motion since the last detection.
        supported_s: (N,) float64, when it was last supported by what is in the picture.
    """

    ids: NDArray[np.int64]
    class_ids: NDArray[np.int32]
    scores: NDArray[np.float32]
    last_seen_s: NDArray[np.float64]
    boxes_xyxy: NDArray[np.float64]
    velocities: NDArray[np.float64]
    weights: NDArray[np.float64]
    detected_velocities: NDArray[np.float64]
    errors: NDArray[np.float64]
    measured_shifts: NDArray[np.float64]
    applied_shifts: NDArray[np.float64]
    support: NDArray[np.float64]
    supported_s: NDArray[np.float64]

    @classmethod
    def of(cls, detections: Detections, time_s: float, options: MotionOptions) -> Self:
        """Returns the detections of a frame, with unknown motion."""
        n = len(detections)
        return cls(
            ids=detections.track_ids.copy(),
            class_ids=detections.class_ids.copy(),
            scores=detections.scores.copy(),
            last_seen_s=np.full(n, time_s),
            boxes_xyxy=detections.boxes_xyxy.astype(np.float64),
            velocities=np.full((n, 3), np.nan),
            weights=np.tile([1.0, 0.0], (n, 1)),
            detected_velocities=np.zeros((n, 2)),
            errors=np.tile(np.square([options.flow_error, options.linear_error, options.still_error]), (n, 1)),
            measured_shifts=np.zeros((n, 2)),
            applied_shifts=np.zeros((n, 2)),
            support=np.zeros(n),
            supported_s=np.full(n, time_s),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def selected(self, which: NDArray[np.bool_]) -> PropagatedBoxes:
        """Returns copies of the rows where `which` (N,) is True."""
        return PropagatedBoxes(*(getattr(self, field.name)[which] for field in fields(self)))

    def concatenated(self, other: PropagatedBoxes) -> PropagatedBoxes:
        """Returns these rows, then those of `other`."""
        return PropagatedBoxes(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))

    def move(self, motion: FrameMotion, share: float, options: MotionOptions) -> None:
        """Moves all boxes along a share, 0 to 1, of one motion, in place."""
        if len(self) == 0:
            return
        states = BoxStates(*(getattr(self, name) for name in BoxStates._fields))
        solid = self.last_seen_s == self.last_seen_s.max()
        support = propagate(states, solid, motion, share, options.point_weights)
        np.maximum(self.support, support, out=self.support)
        supported = support >= options.min_support * self.support
        self.supported_s[supported] = motion.end_s
