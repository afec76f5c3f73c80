"""What the camera did between two pictures: shift, zoom and roll, told by the points that belong to no object."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel


class Camera(NamedTuple):
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


STILL = Camera(0.0, 0.0, 0.0, 0.0)
LEAST_POINTS = 16
"""Fewer points than this tell nothing of the camera."""
LEAST_AGREED = 0.6
"""Nor do points of which less than this share agree to 2 px."""


@kernel
def shift_at(camera: Camera, x: float, y: float) -> tuple[float, float]:
    """Returns by how much the camera's motion shifts the picture at a point."""
    return (
        camera.move_x + camera.zoom * x - camera.roll * y,
        camera.move_y + camera.roll * x + camera.zoom * y,
    )


@kernel
def camera_motion(points: NDArray[np.float32], shifts: NDArray[np.float32], outside: NDArray[np.bool_]) -> Camera:
    """Fits the camera's motion to the points that are `outside` all objects, robustly.

    Least squares that are repeated with weights 1 / (1 + (residual / scale)^2)^2 (Geman and McClure), from the median
    shift on, while the scale falls to 1 px: objects that nobody knows of are outvoted while they are the minority.

    Args:
        points: (M, 2) float32 x, y in pixels.
        shifts: (M, 2) float32 in pixels.
        outside: (M,) bool.

    Returns:
        The motion; none at all where fewer than `LEAST_POINTS` points are outside.
    """
    count = 0
    for k in range(len(points)):
        count += outside[k]
    if count < LEAST_POINTS:
        return Camera(0.0, 0.0, 0.0, 0.0)
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
        # A handful of points close together tells a shift, but no zoom.
        spread += total * 1e3
        zoom, roll = along / spread, around / spread
        move_x, move_y = su - zoom * sx + roll * sy, sv - roll * sx - zoom * sy
    agreed = 0
    for k in range(count):
        du, dv = u[k] - (move_x + zoom * x[k] - roll * y[k]), v[k] - (move_y + roll * x[k] + zoom * y[k])
        agreed += du * du + dv * dv < 4.0
    if agreed < LEAST_POINTS or agreed < LEAST_AGREED * count:
        return Camera(0.0, 0.0, 0.0, 0.0)
    return Camera(move_x - zoom * middle_x + roll * middle_y, move_y - roll * middle_x - zoom * middle_y, zoom, roll)


@kernel
def _weight(u: float, v: float, scale: float) -> float:
    share = 1.0 / (1.0 + (u * u + v * v) / (scale * scale))
    return share * share


@kernel
def outside_all(points: NDArray[np.float32], boxes_xyxy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Returns (M,) bool: which points (M, 2) are in none of the boxes (N, 4)."""
    out = np.ones(len(points), np.bool_)
    for k in range(len(points)):
        x, y = points[k, 0], points[k, 1]
        for n in range(len(boxes_xyxy)):
            if boxes_xyxy[n, 0] < x < boxes_xyxy[n, 2] and boxes_xyxy[n, 1] < y < boxes_xyxy[n, 3]:
                out[k] = False
                break
    return out


def outside_all_reference(points: NDArray[np.float32], boxes_xyxy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The same as `outside_all` in plain numpy."""
    x, y = points[:, :1], points[:, 1:]
    left, top, right, bottom = boxes_xyxy.T
    inside = (left < x) & (x < right) & (top < y) & (y < bottom)
    outside: NDArray[np.bool_] = np.logical_not(inside.any(axis=1))
    return outside
