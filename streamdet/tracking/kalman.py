"""Motion of boxes: a Kalman filter over (cx, cy, w, h) and their velocities, in seconds.

The eight states form four independent pairs (position, velocity), because nothing in the model couples two
coordinates. So a covariance is three numbers per coordinate instead of 64 per track, and a step is a few scalar
operations instead of 8x8 matrix products. `predict_reference` and `correct_reference` do the same with full matrices.
(The aspect ratio instead of the width would couple two coordinates and predicts no better: mean IoU 0.7244 against
0.7242.)

Velocities decay with a time constant while noise changes them (an Ornstein-Uhlenbeck process). This damps the
prediction over long gaps. Its closed form is exact for any time step: two steps of 0.1 s equal one of 0.2 s, so a
variable frame rate changes nothing.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel

Mean = NDArray[np.float64]
"""(N, 4, 2): for cx, cy, w, h in pixels the value and its velocity in pixels per second."""
Covariance = NDArray[np.float64]
"""(N, 4, 3): for each pair var(value), cov(value, velocity), var(velocity)."""
Boxes = NDArray[np.float32]

MIN_SIZE_PX = 1e-3
"""A predicted width or height never falls below this, and stops shrinking there."""
MIN_VARIANCE = 1e-12
"""Rounding must not make a variance zero or negative."""


class MotionModel(NamedTuple):
    """Parameters of the filter.

    Lengths are in longer sides of the box, so the same values fit near and far objects, cars and people: a car seen
    from the side drives four of its heights in a second.

    Attributes:
        measurement_std: standard deviation of a measured coordinate.
        position_noise: random walk of the value itself, per square root of a second.
        velocity_noise: random change of the velocity, per second and square root of a second.
        initial_velocity_std: standard deviation of the unknown initial velocity, per second.
        center_decay_s: time constant with which the velocity of the center decays.
        size_decay_s: the same for width and height.
    """

    measurement_std: float
    position_noise: float
    velocity_noise: float
    initial_velocity_std: float
    center_decay_s: float
    size_decay_s: float


@kernel
def transition(dt_s: float, memory_s: float) -> tuple[float, float, float, float, float]:
    """Returns the effect of a step of `dt_s` seconds on a (value, velocity) pair whose velocity decays with `memory_s`.

    Returns:
        reach, keep: ``value += reach * velocity; velocity *= keep``.
        q_value, q_cross, q_velocity: covariance added for velocity noise of unit strength.
    """
    a = dt_s / memory_s
    lost = -math.expm1(-a)  # 1 - exp(-a), exact for small a
    lost2 = -math.expm1(-2.0 * a)
    if a < 1e-3:  # the closed form below cancels to nothing; its series is exact to 1e-10 here
        q_value = dt_s**3 * (1.0 / 3.0 - a / 4.0 + 7.0 / 60.0 * a * a)
    else:
        q_value = memory_s**3 * (a - 2.0 * lost + 0.5 * lost2)
    q_cross = 0.5 * (memory_s * lost) ** 2
    q_velocity = 0.5 * memory_s * lost2
    return memory_s * lost, 1.0 - lost, q_value, q_cross, q_velocity


@kernel
def initiate(mean: Mean, covariance: Covariance, row: int, box_xyxy: Boxes, motion: MotionModel) -> None:
    """Starts the track in `row` at a detection (4,) float32, at rest and with unknown velocity; writes the row."""
    left, top, right, bottom = box_xyxy[0], box_xyxy[1], box_xyxy[2], box_xyxy[3]
    height = np.float64(bottom) - np.float64(top)
    mean[row, 0, 0] = 0.5 * (np.float64(left) + np.float64(right))
    mean[row, 1, 0] = 0.5 * (np.float64(top) + np.float64(bottom))
    mean[row, 2, 0] = np.float64(right) - np.float64(left)
    mean[row, 3, 0] = height
    side = max(mean[row, 2, 0], height)
    for k in range(4):
        mean[row, k, 1] = 0.0
        covariance[row, k, 0] = (motion.measurement_std * side) ** 2
        covariance[row, k, 1] = 0.0
        covariance[row, k, 2] = (motion.initial_velocity_std * side) ** 2


@kernel
def predict(mean: Mean, covariance: Covariance, count: int, dt_s: float, motion: MotionModel) -> None:
    """Predicts the first `count` tracks `dt_s` >= 0 seconds ahead, in place."""
    moves, grows = transition(dt_s, motion.center_decay_s), transition(dt_s, motion.size_decay_s)
    for i in range(count):
        side2 = max(mean[i, 2, 0], mean[i, 3, 0]) ** 2
        strength = motion.velocity_noise**2 * side2
        for k in range(4):
            reach, decay, q_value, q_cross, q_velocity = moves if k < 2 else grows
            c0, c1, c2 = covariance[i, k, 0], covariance[i, k, 1], covariance[i, k, 2]
            covariance[i, k, 0] = (
                c0
                + 2.0 * reach * c1
                + reach * reach * c2
                + strength * q_value
                + motion.position_noise**2 * side2 * dt_s
            )
            covariance[i, k, 1] = decay * (c1 + reach * c2) + strength * q_cross
            covariance[i, k, 2] = decay * decay * c2 + strength * q_velocity
            mean[i, k, 0] += reach * mean[i, k, 1]
            mean[i, k, 1] *= decay
            if k >= 2 and mean[i, k, 0] < MIN_SIZE_PX:
                mean[i, k, 0] = MIN_SIZE_PX
                mean[i, k, 1] = 0.0


@kernel
def correct(
    mean: Mean, covariance: Covariance, row: int, box_xyxy: Boxes, ambiguity: float, motion: MotionModel
) -> None:
    """Corrects the track in `row` with a detection (4,) float32, in place.

    Args:
        mean: of all tracks.
        covariance: of all tracks.
        row: which track.
        box_xyxy: the detection.
        ambiguity: >= 0, how likely the detection also shows another object: velocities learn from it as if its noise
            were 1 + `ambiguity` times as large. The box follows it as usual.
        motion: see `MotionModel`.
    """
    left, top = np.float64(box_xyxy[0]), np.float64(box_xyxy[1])
    right, bottom = np.float64(box_xyxy[2]), np.float64(box_xyxy[3])
    noise = (motion.measurement_std * max(mean[row, 2, 0], mean[row, 3, 0])) ** 2
    for k in range(4):
        if k == 0:
            measured = 0.5 * (left + right)
        elif k == 1:
            measured = 0.5 * (top + bottom)
        elif k == 2:
            measured = right - left
        else:
            measured = bottom - top
        c0, c1, c2 = covariance[row, k, 0], covariance[row, k, 1], covariance[row, k, 2]
        gain_value, gain_velocity = c0 / (c0 + noise), c1 / (c0 + noise * (1.0 + ambiguity) ** 2)
        innovation = measured - mean[row, k, 0]
        mean[row, k, 0] += gain_value * innovation
        mean[row, k, 1] += gain_velocity * innovation
        # Joseph's form, which holds for any gain.
        covariance[row, k, 0] = max((1.0 - gain_value) ** 2 * c0 + gain_value**2 * noise, MIN_VARIANCE)
        covariance[row, k, 1] = (1.0 - gain_value) * (c1 - gain_velocity * c0) + gain_value * gain_velocity * noise
        covariance[row, k, 2] = max(
            c2 - 2.0 * gain_velocity * c1 + gain_velocity**2 * (c0 + noise),
            MIN_VARIANCE,
        )


@kernel
def squared_mahalanobis(
    mean: Mean, covariance: Covariance, count: int, boxes_xyxy: Boxes, motion: MotionModel
) -> NDArray[np.float64]:
    """Returns the squared Mahalanobis distance of (M, 4) detections from the first `count` tracks, (count, M).

    4 on average for an object that moves as the filter expects; larger is worse. Unlike the IoU it takes into account
    how uncertain a track is: a distance that is large after 1/30 s may be small after a second.
    """
    m = len(boxes_xyxy)
    measured = np.empty((4, m), np.float64)
    for j in range(m):
        left, top = np.float64(boxes_xyxy[j, 0]), np.float64(boxes_xyxy[j, 1])
        right, bottom = np.float64(boxes_xyxy[j, 2]), np.float64(boxes_xyxy[j, 3])
        measured[0, j] = 0.5 * (left + right)
        measured[1, j] = 0.5 * (top + bottom)
        measured[2, j] = right - left
        measured[3, j] = bottom - top
    out = np.zeros((count, m), np.float64)
    for i in range(count):
        noise = (motion.measurement_std * max(mean[i, 2, 0], mean[i, 3, 0])) ** 2
        for k in range(4):
            weight = 1.0 / (covariance[i, k, 0] + noise)
            for j in range(m):
                out[i, j] += weight * (measured[k, j] - mean[i, k, 0]) ** 2
    return out


@kernel
def predict_boxes(mean: Mean, rows: NDArray[np.int64], dt_s: float, motion: MotionModel) -> Boxes:
    """Returns the boxes (len(rows), 4) float32 that the tracks in `rows` will have in `dt_s` >= 0 seconds."""
    move = transition(dt_s, motion.center_decay_s)[0]
    grow = transition(dt_s, motion.size_decay_s)[0]
    boxes = np.empty((len(rows), 4), np.float32)
    for i in range(len(rows)):
        track = mean[rows[i]]
        x, y = track[0, 0] + move * track[0, 1], track[1, 0] + move * track[1, 1]
        half_width = 0.5 * max(track[2, 0] + grow * track[2, 1], MIN_SIZE_PX)
        half_height = 0.5 * max(track[3, 0] + grow * track[3, 1], MIN_SIZE_PX)
        boxes[i, 0] = x - half_width
        boxes[i, 1] = y - half_height
        boxes[i, 2] = x + half_width
        boxes[i, 3] = y + half_height
    return boxes


# The same with full 8x8 matrices, the state ordered (cx, cy, w, h, then their velocities): what the kernels must equal.


def to_matrices(mean: Mean, covariance: Covariance) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the vector (8,) and matrix (8, 8) that one track's (4, 2) mean and (4, 3) covariance represent."""
    value, cross, velocity = (np.diag(covariance[:, k]) for k in range(3))
    return mean.T.ravel(), np.block([[value, cross], [cross, velocity]])


def from_matrices(
    state: NDArray[np.float64], matrix: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the (4, 2) mean and (4, 3) covariance that a vector (8,) and a matrix (8, 8) represent."""
    parts = matrix[:4, :4], matrix[:4, 4:], matrix[4:, 4:]
    return state.reshape(2, 4).T, np.stack([np.diag(part) for part in parts], axis=1)


def _measured(box_xyxy: Boxes) -> NDArray[np.float64]:
    """Returns cx, cy, w, h of a box (4,)."""
    left, top, right, bottom = box_xyxy.astype(np.float64)
    return np.array([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top])


def initiate_reference(box_xyxy: Boxes, motion: MotionModel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the state (8,), (8, 8) of a track that starts at a detection (4,)."""
    measured = _measured(box_xyxy)
    std = np.repeat([motion.measurement_std, motion.initial_velocity_std], 4) * measured[2:].max()
    return np.concatenate([measured, np.zeros(4)]), np.diag(std**2)


def predict_reference(
    state: NDArray[np.float64], matrix: NDArray[np.float64], dt_s: float, motion: MotionModel
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Predicts one track (8,), (8, 8) by matrix products; the noise is the textbook integral, summed numerically."""
    memory_s = np.array([motion.center_decay_s] * 2 + [motion.size_decay_s] * 2)

    def transition_matrix(seconds: float) -> NDArray[np.float64]:
        decay = np.exp(-seconds / memory_s)
        reach = memory_s * (1 - decay)
        return np.block([[np.eye(4), np.diag(reach)], [np.zeros((4, 4)), np.diag(decay)]])

    side2 = state[2:4].max() ** 2
    strength = np.diag([0.0] * 4 + [motion.velocity_noise**2 * side2] * 4)
    # Gauss-Legendre over the step: exact to rounding for these smooth exponentials.
    nodes, weights = np.polynomial.legendre.leggauss(40)
    noise = np.diag([motion.position_noise**2 * side2 * dt_s] * 4 + [0.0] * 4)
    for node, weight in zip(nodes, weights, strict=True):
        f = transition_matrix(0.5 * dt_s * (1 + node))
        noise += 0.5 * dt_s * weight * f @ strength @ f.T
    f = transition_matrix(dt_s)
    moved = f @ state
    for k in (2, 3):
        if moved[k] < MIN_SIZE_PX:
            moved[k], moved[4 + k] = MIN_SIZE_PX, 0.0
    return moved, f @ matrix @ f.T + noise


def correct_reference(
    state: NDArray[np.float64], matrix: NDArray[np.float64], box_xyxy: Boxes, ambiguity: float, motion: MotionModel
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corrects one track (8,), (8, 8) with a detection (4,) by matrix products."""
    observe = np.eye(4, 8)
    noise = np.eye(4) * (motion.measurement_std * state[2:4].max()) ** 2
    spread = observe @ matrix @ observe.T
    gain = matrix @ observe.T @ np.linalg.inv(spread + noise)
    gain[4:] = (matrix @ observe.T @ np.linalg.inv(spread + noise * (1 + ambiguity) ** 2))[4:]
    left_over = np.eye(8) - gain @ observe
    moved = state + gain @ (_measured(box_xyxy) - observe @ state)
    return moved, left_over @ matrix @ left_over.T + gain @ noise @ gain.T


def squared_mahalanobis_reference(
    state: NDArray[np.float64], matrix: NDArray[np.float64], box_xyxy: Boxes, motion: MotionModel
) -> float:
    """Returns the squared Mahalanobis distance of one detection (4,) from one track (8,), (8, 8)."""
    observe = np.eye(4, 8)
    total = observe @ matrix @ observe.T + np.eye(4) * (motion.measurement_std * state[2:4].max()) ** 2
    difference = _measured(box_xyxy) - observe @ state
    return float(difference @ np.linalg.solve(total, difference))


def predict_boxes_reference(mean: Mean, rows: NDArray[np.int64], dt_s: float, motion: MotionModel) -> Boxes:
    """The same as `predict_boxes` in plain numpy, with velocities that decay."""
    memory_s = np.array([motion.center_decay_s] * 2 + [motion.size_decay_s] * 2)
    value = mean[rows, :, 0] - memory_s * np.expm1(-dt_s / memory_s) * mean[rows, :, 1]
    center, half = value[:, :2], np.maximum(value[:, 2:], MIN_SIZE_PX) / 2
    return np.hstack([center - half, center + half]).astype(np.float32)
