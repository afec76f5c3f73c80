"""Camera motion between two pictures: shift, zoom and roll, estimated from points that belong to no object."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel


class CameraMotion(NamedTuple):
    """A similarity: a point x, y is shifted by ``move_x + zoom * x - roll * y, move_y + roll * x + zoom * y``.

    Attributes:
        move_x: pixels.
        move_y: pixels.
        zoom: share by which distances grow.
        roll: radians, clockwise as seen.
    """

    move_x: float
    move_y: float
    zoom: float
    roll: float


NO_CAMERA_MOTION = CameraMotion(0.0, 0.0, 0.0, 0.0)
MIN_POINTS = 16
"""Minimum number of points for an estimate."""
MIN_INLIERS = 0.6
"""Minimum share of points that agree within 2 px."""
MIN_SPREAD = 0.1
"""Minimum standard deviation of these points in x and in y, as a share of the picture's size."""
MAX_CHANGE = 0.1
"""Maximum zoom (as a share) and roll (in radians) of a camera from one frame to the next."""


@kernel
def shift_at(camera: CameraMotion, x: float, y: float) -> tuple[float, float]:
    """Returns by how much the camera's motion shifts the picture at a point."""
    return (
        camera.move_x + camera.zoom * x - camera.roll * y,
        camera.move_y + camera.roll * x + camera.zoom * y,
    )


def shift_at_reference(camera: CameraMotion, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """The same as `shift_at` in plain numpy, for (N, 2) points: (N, 2)."""
    turn = np.array([[camera.zoom, -camera.roll], [camera.roll, camera.zoom]])
    shifts: NDArray[np.float64] = points @ turn.T + np.array([camera.move_x, camera.move_y])
    return shifts


@kernel
def estimate_camera_motion(
    points: NDArray[np.float32], shifts: NDArray[np.float32], outside: NDArray[np.bool_], width: int, height: int
) -> CameraMotion:
    """Fits the camera's motion to the points that are `outside` all objects, robustly.

    Iteratively reweighted least squares with the weights 1 / (1 + (residual / scale)^2)^2 (Geman and McClure), starting
    from the median shift, while the scale falls to 1 px: unknown objects are outvoted while they are the minority.

    Args:
        points: (M, 2) float32 x, y in pixels.
        shifts: (M, 2) float32 in pixels.
        outside: (M,) bool.
        width: of the picture in pixels.
        height: of the picture in pixels.

    Returns:
        The motion; no motion if the points outside are too few, contradict each other, or lie close together.
    """
    count = 0
    for k in range(len(points)):
        count += outside[k]
    if count < MIN_POINTS:
        return CameraMotion(0.0, 0.0, 0.0, 0.0)
    x, y = np.empty(count, np.float64), np.empty(count, np.float64)
    u, v = np.empty(count, np.float64), np.empty(count, np.float64)
    n = 0
    for k in range(len(points)):
        if outside[k]:
            x[n], y[n], u[n], v[n] = points[k, 0], points[k, 1], shifts[k, 0], shifts[k, 1]
            n += 1
    middle_x, middle_y = x.mean(), y.mean()
    x -= middle_x
    y -= middle_y
    move_x, move_y, zoom, roll = float(np.median(u)), float(np.median(v)), 0.0, 0.0
    for scale in (8.0, 4.0, 2.0, 1.0, 1.0):
        total, sx, sy, su, sv = 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(count):
            w = _weight(u[k] - (move_x + zoom * x[k] - roll * y[k]), v[k] - (move_y + roll * x[k] + zoom * y[k]), scale)
            total += w
            sx, sy, su, sv = sx + w * x[k], sy + w * y[k], su + w * u[k], sv + w * v[k]
        if total < 0.1:
            break
        sx, sy, su, sv = sx / total, sy / total, su / total, sv / total
        spread, along, around = 0.0, 0.0, 0.0
        for k in range(count):
            w = _weight(u[k] - (move_x + zoom * x[k] - roll * y[k]), v[k] - (move_y + roll * x[k] + zoom * y[k]), scale)
            dx, dy, du, dv = x[k] - sx, y[k] - sy, u[k] - su, v[k] - sv
            spread += w * (dx * dx + dy * dy)
            along += w * (dx * du + dy * dv)
            around += w * (dx * dv - dy * du)
        # A few points close together determine a shift, but no zoom.
        spread += total * 1e3
        zoom, roll = along / spread, around / spread
        move_x, move_y = su - zoom * sx + roll * sy, sv - roll * sx - zoom * sy
    agreed, sum_x, sum_y, sum_xx, sum_yy = 0, 0.0, 0.0, 0.0, 0.0
    for k in range(count):
        du, dv = u[k] - (move_x + zoom * x[k] - roll * y[k]), v[k] - (move_y + roll * x[k] + zoom * y[k])
        if du * du + dv * dv < 4.0:
            agreed += 1
            sum_x, sum_y, sum_xx, sum_yy = sum_x + x[k], sum_y + y[k], sum_xx + x[k] * x[k], sum_yy + y[k] * y[k]
    if agreed < MIN_POINTS or agreed < MIN_INLIERS * count or abs(zoom) > MAX_CHANGE or abs(roll) > MAX_CHANGE:
        return CameraMotion(0.0, 0.0, 0.0, 0.0)
    least_x, least_y = MIN_SPREAD * width, MIN_SPREAD * height
    if sum_xx / agreed - (sum_x / agreed) ** 2 < least_x**2 or sum_yy / agreed - (sum_y / agreed) ** 2 < least_y**2:
        return CameraMotion(0.0, 0.0, 0.0, 0.0)  # a large object that is not detected yet
    return CameraMotion(
        move_x - zoom * middle_x + roll * middle_y, move_y - roll * middle_x - zoom * middle_y, zoom, roll
    )


@kernel
def _weight(u: float, v: float, scale: float) -> float:
    share = 1.0 / (1.0 + (u * u + v * v) / (scale * scale))
    return share * share


def estimate_camera_motion_reference(
    points: NDArray[np.float32], shifts: NDArray[np.float32], outside: NDArray[np.bool_], width: int, height: int
) -> CameraMotion:
    """The same as `estimate_camera_motion` in plain numpy."""
    if outside.sum() < MIN_POINTS:
        return NO_CAMERA_MOTION
    middle = points[outside].astype(np.float64).mean(axis=0)
    at, moved = points[outside] - middle, shifts[outside].astype(np.float64)
    turned = np.stack([-at[:, 1], at[:, 0]], axis=1)
    move, zoom, roll = np.median(moved, axis=0), 0.0, 0.0
    for scale in (8.0, 4.0, 2.0, 1.0, 1.0):
        off = np.square(moved - move - zoom * at - roll * turned).sum(axis=1)
        weights = (1 / (1 + off / scale**2)) ** 2
        if weights.sum() < 0.1:
            break
        center, shift = np.average(at, axis=0, weights=weights), np.average(moved, axis=0, weights=weights)
        around, rest = at - center, moved - shift
        spread = (weights * np.square(around).sum(axis=1)).sum() + 1e3 * weights.sum()
        zoom = float((weights * (around * rest).sum(axis=1)).sum() / spread)
        roll = float((weights * (around[:, 0] * rest[:, 1] - around[:, 1] * rest[:, 0])).sum() / spread)
        move = shift - zoom * center - roll * np.array([-center[1], center[0]])
    agreed = np.square(moved - move - zoom * at - roll * turned).sum(axis=1) < 4.0
    if agreed.sum() < max(MIN_POINTS, MIN_INLIERS * len(at)) or max(abs(zoom), abs(roll)) > MAX_CHANGE:
        return NO_CAMERA_MOTION
    if (at[agreed].std(axis=0) < MIN_SPREAD * np.array([width, height])).any():
        return NO_CAMERA_MOTION
    move = move - zoom * middle - roll * np.array([-middle[1], middle[0]])
    return CameraMotion(float(move[0]), float(move[1]), zoom, roll)


@kernel
def points_outside(points: NDArray[np.float32], boxes_xyxy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Returns (M,) bool: which points (M, 2) are in none of the boxes (N, 4)."""
    out = np.ones(len(points), np.bool_)
    for k in range(len(points)):
        x, y = points[k, 0], points[k, 1]
        for n in range(len(boxes_xyxy)):
            if boxes_xyxy[n, 0] < x < boxes_xyxy[n, 2] and boxes_xyxy[n, 1] < y < boxes_xyxy[n, 3]:
                out[k] = False
                break
    return out


def points_outside_reference(points: NDArray[np.float32], boxes_xyxy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The same as `points_outside` in plain numpy."""
    x, y = points[:, :1], points[:, 1:]
    left, top, right, bottom = boxes_xyxy.T
    inside = (left < x) & (x < right) & (top < y) & (y < bottom)
    outside: NDArray[np.bool_] = np.logical_not(inside.any(axis=1))
    return outside
