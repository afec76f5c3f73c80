"""Boxes carried from one picture to the next by what was measured in them, and by what their detections said before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.tracking.box_motion import Boxes, PointWeights, box_motions, box_motions_reference
from streamdet.tracking.camera_motion import CameraMotion, shift_at, shift_at_reference

MEMORY_S = 0.15
"""Time constant of a box's speed: that of the last few frames."""
FADE_S = 0.8
"""Time constant with which a box comes to rest while nothing is known of it: it is hidden, or has no texture."""


@kernel
def propagate(
    boxes_xyxy: Boxes,
    velocities: NDArray[np.float64],
    weights: NDArray[np.float64],
    detected_velocities: NDArray[np.float64],
    measured_shifts: NDArray[np.float64],
    applied_shifts: NDArray[np.float64],
    solid: NDArray[np.bool_],
    points: NDArray[np.float32],
    shifts: NDArray[np.float32],
    camera: CameraMotion,
    elapsed_s: float,
    share: float,
    point_weights: PointWeights,
) -> NDArray[np.float64]:
    """Moves boxes from one picture to the next, in place.

    Args:
        boxes_xyxy: (N, 4) float64, moved.
        velocities: (N, 3) float64, shift and growth per second beyond the camera's; NaN where not known; updated.
        weights: (N, 2) float64, weights of what is measured and of `detected_velocities`.
        detected_velocities: (N, 2) float64, speed from detection to detection in pixels per second beyond the camera's.
        measured_shifts: (N, 2) float64, measured shifts in pixels are added to it.
        applied_shifts: (N, 2) float64, shifts that the boxes took beyond the camera's are added to it.
        solid: (N,) bool, see `box_motions`.
        points: (M, 2) float32, see `box_motions`.
        shifts: (M, 2) float32, see `box_motions`.
        camera: see `box_motions`.
        elapsed_s: between the pictures, more than 0.
        share: how much of the way to go, 0 to 1.
        point_weights: see `PointWeights`.

    Returns:
        (N,) float64, the support of `box_motions`.
    """
    motions, support = box_motions(boxes_xyxy, velocities * elapsed_s, solid, points, shifts, camera, point_weights)
    blend, keep = 1.0 - np.exp(-elapsed_s / MEMORY_S), np.exp(-elapsed_s / FADE_S)
    for i in range(len(boxes_xyxy)):
        for k in range(3):
            if support[i] > 0.0:
                motion = motions[i, k]
            elif np.isnan(velocities[i, k]):
                motion = 0.0
            else:
                motion = velocities[i, k] * keep * elapsed_s
            if k < 2:
                measured_shifts[i, k] += share * motion
                motion = weights[i, 0] * motion + weights[i, 1] * detected_velocities[i, k] * elapsed_s
                applied_shifts[i, k] += share * motion
            if np.isnan(velocities[i, k]):
                if support[i] > 0.0:
                    velocities[i, k] = motion / elapsed_s
            else:
                velocities[i, k] += blend * (motion / elapsed_s - velocities[i, k])
            motions[i, k] = motion
        x, y = 0.5 * (boxes_xyxy[i, 0] + boxes_xyxy[i, 2]), 0.5 * (boxes_xyxy[i, 1] + boxes_xyxy[i, 3])
        sx, sy = shift_at(camera, x, y)
        x += share * (sx + motions[i, 0])
        y += share * (sy + motions[i, 1])
        size = 0.5 * max(0.5, 1.0 + share * (motions[i, 2] + camera.zoom))
        half_width, half_height = (
            size * (boxes_xyxy[i, 2] - boxes_xyxy[i, 0]),
            size * (boxes_xyxy[i, 3] - boxes_xyxy[i, 1]),
        )
        boxes_xyxy[i, 0], boxes_xyxy[i, 1] = x - half_width, y - half_height
        boxes_xyxy[i, 2], boxes_xyxy[i, 3] = x + half_width, y + half_height
    return support


def propagate_reference(
    boxes_xyxy: Boxes,
    velocities: NDArray[np.float64],
    weights: NDArray[np.float64],
    detected_velocities: NDArray[np.float64],
    measured_shifts: NDArray[np.float64],
    applied_shifts: NDArray[np.float64],
    solid: NDArray[np.bool_],
    points: NDArray[np.float32],
    shifts: NDArray[np.float32],
    camera: CameraMotion,
    elapsed_s: float,
    share: float,
    point_weights: PointWeights,
) -> NDArray[np.float64]:
    """The same as `propagate` in plain numpy."""
    box_motion, support = box_motions_reference(
        boxes_xyxy, velocities * elapsed_s, solid, points, shifts, camera, point_weights
    )
    supported, known = (support > 0)[:, None], ~np.isnan(velocities)
    coasting = np.where(known, velocities * np.exp(-elapsed_s / FADE_S) * elapsed_s, 0.0)
    motions = np.where(supported, box_motion, coasting)
    measured_shifts += share * motions[:, :2]
    motions[:, :2] = weights[:, :1] * motions[:, :2] + weights[:, 1:] * detected_velocities * elapsed_s
    applied_shifts += share * motions[:, :2]
    blended = velocities + (1 - np.exp(-elapsed_s / MEMORY_S)) * (motions / elapsed_s - velocities)
    velocities[:] = np.where(known, blended, np.where(supported, motions / elapsed_s, np.nan))
    centre = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    half = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / 2
    half = half * np.maximum(0.5, 1 + share * (motions[:, 2:] + camera.zoom))
    centre = centre + share * (shift_at_reference(camera, centre) + motions[:, :2])
    boxes_xyxy[:] = np.hstack([centre - half, centre + half])
    return support
