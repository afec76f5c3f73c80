"""Moves boxes from one picture to the next, by the motion measured there and by the velocity between detections."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.tracking.box_motion import Boxes, PointWeights, box_motions, box_motions_reference
from streamdet.tracking.camera_motion import shift_at, shift_at_reference
from streamdet.tracking.frame_motion import FrameMotion

MEMORY_S = 0.15
"""Time constant of the velocity of a box: that of the last few frames."""
FADE_S = 0.8
"""Time constant with which a box comes to rest without a measurement: it is hidden, or has no texture."""


class BoxStates(NamedTuple):
    """What `propagate` reads and writes of each box. Velocities and shifts are relative to the camera.

    Attributes:
        boxes_xyxy: (N, 4) float64; moved.
        velocities: (N, 3) float64, shift and growth per second; NaN where unknown; updated.
        weights: (N, 2) float64, of measured motion and of `detected_velocities`.
        detected_velocities: (N, 2) float64, from detection to detection, in pixels per second.
        measured_shifts: (N, 2) float64, in pixels; the measured shift is added.
        applied_shifts: (N, 2) float64, in pixels; the shift of the box is added.
    """

    boxes_xyxy: Boxes
    velocities: NDArray[np.float64]
    weights: NDArray[np.float64]
    detected_velocities: NDArray[np.float64]
    measured_shifts: NDArray[np.float64]
    applied_shifts: NDArray[np.float64]


@kernel
def propagate(
    boxes: BoxStates, solid: NDArray[np.bool_], motion: FrameMotion, share: float, point_weights: PointWeights
) -> NDArray[np.float64]:
    """Moves boxes from one picture to the next, in place.

    Args:
        boxes: see `BoxStates`.
        solid: (N,) bool, see `box_motions`.
        motion: from the one picture to the other, at different times.
        share: of the motion to apply, 0 to 1.
        point_weights: see `PointWeights`.

    Returns:
        (N,) float64, the support of `box_motions`.
    """
    boxes_xyxy, velocities = boxes.boxes_xyxy, boxes.velocities
    elapsed_s = abs(motion.end_s - motion.start_s)
    motions, support = box_motions(boxes_xyxy, velocities * elapsed_s, solid, motion, point_weights)
    blend, keep = 1.0 - np.exp(-elapsed_s / MEMORY_S), np.exp(-elapsed_s / FADE_S)
    for i in range(len(boxes_xyxy)):
        for k in range(3):
            if support[i] > 0.0:
                moved = motions[i, k]
            elif np.isnan(velocities[i, k]):
                moved = 0.0
            else:
                moved = velocities[i, k] * keep * elapsed_s
            if k < 2:
                boxes.measured_shifts[i, k] += share * moved
                moved = boxes.weights[i, 0] * moved + boxes.weights[i, 1] * boxes.detected_velocities[i, k] * elapsed_s
                boxes.applied_shifts[i, k] += share * moved
            if np.isnan(velocities[i, k]):
                if support[i] > 0.0:
                    velocities[i, k] = moved / elapsed_s
            else:
                velocities[i, k] += blend * (moved / elapsed_s - velocities[i, k])
            motions[i, k] = moved
        x, y = 0.5 * (boxes_xyxy[i, 0] + boxes_xyxy[i, 2]), 0.5 * (boxes_xyxy[i, 1] + boxes_xyxy[i, 3])
        shift_x, shift_y = shift_at(motion.camera_motion, x, y)
        x += share * (shift_x + motions[i, 0])
        y += share * (shift_y + motions[i, 1])
        size = 0.5 * max(0.5, 1.0 + share * (motions[i, 2] + motion.camera_motion.zoom))
        half_width, half_height = (
            size * (boxes_xyxy[i, 2] - boxes_xyxy[i, 0]),
            size * (boxes_xyxy[i, 3] - boxes_xyxy[i, 1]),
        )
        boxes_xyxy[i, 0], boxes_xyxy[i, 1] = x - half_width, y - half_height
        boxes_xyxy[i, 2], boxes_xyxy[i, 3] = x + half_width, y + half_height
    return support


def propagate_reference(
    boxes: BoxStates, solid: NDArray[np.bool_], motion: FrameMotion, share: float, point_weights: PointWeights
) -> NDArray[np.float64]:
    """The same as `propagate` in plain numpy."""
    boxes_xyxy, velocities, camera = boxes.boxes_xyxy, boxes.velocities, motion.camera_motion
    elapsed_s = abs(motion.end_s - motion.start_s)
    measured, support = box_motions_reference(boxes_xyxy, velocities * elapsed_s, solid, motion, point_weights)
    supported, known = (support > 0)[:, None], ~np.isnan(velocities)
    coasting = np.where(known, velocities * np.exp(-elapsed_s / FADE_S) * elapsed_s, 0.0)
    motions = np.where(supported, measured, coasting)
    boxes.measured_shifts[:] += share * motions[:, :2]
    motions[:, :2] = (
        boxes.weights[:, :1] * motions[:, :2] + boxes.weights[:, 1:] * boxes.detected_velocities * elapsed_s
    )
    boxes.applied_shifts[:] += share * motions[:, :2]
    blended = velocities + (1 - np.exp(-elapsed_s / MEMORY_S)) * (motions / elapsed_s - velocities)
    velocities[:] = np.where(known, blended, np.where(supported, motions / elapsed_s, np.nan))
    center = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    half = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / 2
    half = half * np.maximum(0.5, 1 + share * (motions[:, 2:] + camera.zoom))
    center = center + share * (shift_at_reference(camera, center) + motions[:, :2])
    boxes_xyxy[:] = np.hstack([center - half, center + half])
    return support
