"""Motion of the content of a box, from the points that were tracked in it.

A box moves by the weighted median of its points. Points near its middle count more, points in a box in front of it
hardly at all. Camera motion is subtracted first and added last, so points that move with the camera, the background
around an object, can count less.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.tracking.camera_motion import shift_at, shift_at_reference
from streamdet.tracking.frame_motion import FrameMotion

Boxes = NDArray[np.float64]
"""(N, 4) float64: left, top, right, bottom in pixels of the picture."""


class PointWeights(NamedTuple):
    """Weights of the points of a box. Lengths are in half sizes of the box unless stated otherwise.

    Attributes:
        spread_x: standard deviation of the weight around the middle.
        spread_y: likewise.
        middle_y: where the middle is: above the center of the box, because legs swing.
        front_share: a box is in front of another one if its lower edge is lower by this share of the other's height.
        hidden: weight of a point in a box in front.
        still: weight of a point that moves with the camera.
        still_px: maximum deviation of such a point, in pixels, plus the same for each 300 px of height.
        inlier_px: points within this many pixels of the median, per 100 px of height but at least this many, measure
            growth.
        growth_prior: weight of the prior "the box does not grow", relative to all its points.
        min_total: minimum sum of weights for a measurement.
        unexpected: weight of a point that moves quite unlike what the box is expected to do; one that does so has
            1 more.
        expected_std_px: standard deviation of what is expected, in pixels, plus the same for each 300 px of height.
    """

    spread_x: float = 0.5
    spread_y: float = 0.6
    middle_y: float = -0.2
    front_share: float = 0.1
    hidden: float = 0.05
    still: float = 0.5
    still_px: float = 0.8
    inlier_px: float = 1.0
    growth_prior: float = 0.5
    min_total: float = 1.0
    unexpected: float = 0.1
    expected_std_px: float = 1.5


POINT_WEIGHTS = PointWeights()
HIDDEN_SUPPORT = 1e-9
"""Support of a box with hidden points only: more than nothing."""


@kernel
def weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Returns the value that half of the weight does not exceed; `values` (N,) not empty, `weights` (N,) positive."""
    order = np.argsort(values)
    half = 0.5 * weights.sum()
    passed = 0.0
    for k in order:
        passed += weights[k]
        if passed >= half:
            return float(values[k])
    return float(values[order[-1]])


def weighted_median_reference(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """The same as `weighted_median` in plain numpy."""
    order = np.argsort(values, kind="stable")
    passed = np.cumsum(weights[order])
    return float(values[order][min(np.searchsorted(passed, 0.5 * weights.sum()), len(values) - 1)])


@kernel
def box_motions(
    boxes_xyxy: Boxes,
    expected: NDArray[np.float64],
    solid: NDArray[np.bool_],
    motion: FrameMotion,
    point_weights: PointWeights,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the motion of the content of each box relative to the camera, and its support.

    Args:
        boxes_xyxy: (N, 4) float64 in the earlier picture.
        expected: (N, 2 or more) float64, expected shift of each box in x and y; NaN where unknown.
        solid: (N,) bool, which boxes hide what is behind them; the others may be gone.
        motion: of points and of the camera; its times are not used.
        point_weights: see `PointWeights`.

    Returns:
        (N, 3) float64: shift in x and y in pixels, growth as a share of the size; (N,) float64 the support: sum of the
        weights of points that are not hidden; 0 where nothing was measured, and the motion is 0.
    """
    points, shifts, camera = motion.points, motion.shifts, motion.camera_motion
    n, m = len(boxes_xyxy), len(points)
    motions = np.zeros((n, 3), np.float64)
    support = np.zeros(n, np.float64)
    own = np.empty((m, 2), np.float64)  # motion beyond the camera's
    for k in range(m):
        sx, sy = shift_at(camera, points[k, 0], points[k, 1])
        own[k, 0], own[k, 1] = shifts[k, 0] - sx, shifts[k, 1] - sy
    picked = np.empty(m, np.int64)
    weights = np.empty(m, np.float64)
    for i in range(n):
        left, top, right, bottom = boxes_xyxy[i, 0], boxes_xyxy[i, 1], boxes_xyxy[i, 2], boxes_xyxy[i, 3]
        half_width, half_height = 0.5 * (right - left), 0.5 * (bottom - top)
        if not (half_width > 0 and half_height > 0):
            continue
        tolerance = point_weights.still_px * (1.0 + half_height / 150.0)
        known = not np.isnan(expected[i, 0])
        slack = point_weights.expected_std_px * (1.0 + half_height / 150.0)
        found, total, in_sight = 0, 0.0, 0.0
        for k in range(m):
            x, y = points[k, 0], points[k, 1]
            if x <= left or x >= right or y <= top or y >= bottom:
                continue
            dx = ((x - left) / half_width - 1.0) / point_weights.spread_x
            dy = ((y - top) / half_height - 1.0 - point_weights.middle_y) / point_weights.spread_y
            hidden = False
            weight = np.exp(-0.5 * (dx * dx + dy * dy))
            for j in range(n):
                if j != i and solid[j] and boxes_xyxy[j, 3] > bottom + point_weights.front_share * 2 * half_height:
                    inside = boxes_xyxy[j, 0] < x < boxes_xyxy[j, 2] and boxes_xyxy[j, 1] < y < boxes_xyxy[j, 3]
                    if inside:
                        weight *= point_weights.hidden
                        hidden = True
            total += weight
            if not hidden:
                in_sight += weight
            if own[k, 0] * own[k, 0] + own[k, 1] * own[k, 1] < tolerance * tolerance:
                weight *= point_weights.still
            if known:
                off_x, off_y = own[k, 0] - expected[i, 0], own[k, 1] - expected[i, 1]
                weight *= point_weights.unexpected + np.exp(-0.5 * (off_x * off_x + off_y * off_y) / (slack * slack))
            picked[found], weights[found] = k, weight
            found += 1
        if found < 2 or total < point_weights.min_total:
            continue
        chosen, weight_of = picked[:found], weights[:found]
        ux = weighted_median(own[chosen, 0], weight_of)
        uy = weighted_median(own[chosen, 1], weight_of)
        motions[i, 0], motions[i, 1] = ux, uy
        motions[i, 2] = growth(points, own, chosen, weight_of, ux, uy, 2 * half_height, point_weights)
        support[i] = in_sight + HIDDEN_SUPPORT
    return motions, support


@kernel
def growth(
    points: NDArray[np.float32],
    own: NDArray[np.float64],
    chosen: NDArray[np.int64],
    weights: NDArray[np.float64],
    ux: float,
    uy: float,
    height: float,
    point_weights: PointWeights,
) -> float:
    """Returns the share by which the chosen points move apart: weighted least squares with a prior of 0."""
    limit = point_weights.inlier_px * max(1.0, height / 100.0)
    total, mx, my, mu, mv, used = 0.0, 0.0, 0.0, 0.0, 0.0, 0
    for n in range(len(chosen)):
        k = chosen[n]
        u, v = own[k, 0] - ux, own[k, 1] - uy
        if u * u + v * v < limit * limit:
            w = weights[n]
            total += w
            mx, my, mu, mv = mx + w * points[k, 0], my + w * points[k, 1], mu + w * u, mv + w * v
            used += 1
    if used < 4:
        return 0.0
    mx, my, mu, mv = mx / total, my / total, mu / total, mv / total
    along, spread = 0.0, 0.0
    for n in range(len(chosen)):
        k = chosen[n]
        u, v = own[k, 0] - ux, own[k, 1] - uy
        if u * u + v * v < limit * limit:
            x, y = points[k, 0] - mx, points[k, 1] - my
            along += weights[n] * (x * (u - mu) + y * (v - mv))
            spread += weights[n] * (x * x + y * y)
    return along / (spread + point_weights.growth_prior * total * height * height / 12.0)


def growth_reference(
    points: NDArray[np.float64],
    own: NDArray[np.float64],
    weights: NDArray[np.float64],
    shift: NDArray[np.float64],
    height: float,
    point_weights: PointWeights,
) -> float:
    """The same as `growth` in plain numpy, for (N, 2) points that are all chosen."""
    near = np.square(own - shift).sum(axis=1) < (point_weights.inlier_px * max(1.0, height / 100)) ** 2
    if near.sum() < 4:
        return 0.0
    weight = weights[near, None]
    at = points[near] - (weight * points[near]).sum(axis=0) / weight.sum()
    moved = own[near] - (weight * own[near]).sum(axis=0) / weight.sum()
    prior = point_weights.growth_prior * weight.sum() * height**2 / 12
    return float((weight * at * moved).sum() / ((weight * at * at).sum() + prior))


def box_motions_reference(
    boxes_xyxy: Boxes,
    expected: NDArray[np.float64],
    solid: NDArray[np.bool_],
    motion: FrameMotion,
    point_weights: PointWeights,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same as `box_motions` in plain numpy, box by box."""
    at = motion.points.astype(np.float64)
    own = motion.shifts - shift_at_reference(motion.camera_motion, at)
    after_start, before_end = at[None] > boxes_xyxy[:, None, :2], at[None] < boxes_xyxy[:, None, 2:]
    inside: NDArray[np.bool_] = np.logical_and.reduce(np.concatenate([after_start, before_end], axis=2), axis=2)
    motions, support = np.zeros((len(boxes_xyxy), 3)), np.zeros(len(boxes_xyxy))
    for i, box in enumerate(boxes_xyxy):
        half = (box[2:] - box[:2]) / 2
        if not (half > 0).all():
            continue
        roomy = 1 + half[1] / 150
        offset = (at - box[:2]) / half - 1 - (0, point_weights.middle_y)
        weights = np.exp(-0.5 * np.square(offset / (point_weights.spread_x, point_weights.spread_y)).sum(axis=1))
        in_front = (
            solid
            & (boxes_xyxy[:, 3] > box[3] + 2 * point_weights.front_share * half[1])
            & (np.arange(len(boxes_xyxy)) != i)
        )
        covers = inside[in_front].sum(axis=0)
        weights = weights * point_weights.hidden**covers
        total, in_sight = weights[inside[i]].sum(), weights[inside[i] & (covers == 0)].sum()
        if inside[i].sum() < 2 or total < point_weights.min_total:
            continue
        weights = weights * np.where(np.hypot(*own.T) < point_weights.still_px * roomy, point_weights.still, 1.0)
        if not np.isnan(expected[i, 0]):
            unexpected = np.square(own - expected[i, :2]).sum(axis=1) / (point_weights.expected_std_px * roomy) ** 2
            weights = weights * (point_weights.unexpected + np.exp(-0.5 * unexpected))
        weights, moved = weights[inside[i]], own[inside[i]]
        shift = np.array([weighted_median_reference(moved[:, k], weights) for k in range(2)])
        motions[i] = *shift, growth_reference(at[inside[i]], moved, weights, shift, 2 * half[1], point_weights)
        support[i] = in_sight + HIDDEN_SUPPORT
    return motions, support
