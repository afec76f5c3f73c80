"""Camera motion compensation: tracks move with the picture before detections are compared with them."""

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.tracking.kalman import Covariance, Mean

Affine = NDArray[np.float64]
"""(2, 3): a point (x, y) of the picture of the last update is at ``affine @ (x, y, 1)`` in this one; pixels."""

_LEAST_AREA, _GREATEST_AREA = 0.1, 10.0


def validated_affine(camera: Affine) -> Affine:
    """Returns `camera` as a C-contiguous float64 matrix.

    Raises:
        ValueError: it is not a (2, 3) matrix of finite numbers, it mirrors, or it changes areas by more than a factor
            of ten: no camera does that between two frames.
    """
    affine = np.ascontiguousarray(camera, np.float64)
    if affine.shape != (2, 3) or not np.isfinite(affine).all():
        raise ValueError(f"camera must be a (2, 3) matrix of finite numbers, got shape {affine.shape}: {camera}")
    area = affine[0, 0] * affine[1, 1] - affine[0, 1] * affine[1, 0]
    if not _LEAST_AREA <= area <= _GREATEST_AREA:
        raise ValueError(f"camera must keep sizes within a factor of ten, its determinant is {area:.3g}")
    return affine


@kernel
def compensate_camera_motion(mean: Mean, covariance: Covariance, count: int, camera: Affine) -> None:
    """Moves the first `count` tracks from the picture of the last update to this one, in place.

    Centers and their velocities are transformed by the matrix. Boxes stay axis-aligned: width and height grow with
    the square root of its determinant, and so do all standard deviations, because x and y stay independent.
    """
    area = camera[0, 0] * camera[1, 1] - camera[0, 1] * camera[1, 0]
    zoom = np.sqrt(area)
    for i in range(count):
        x, y, dx, dy = mean[i, 0, 0], mean[i, 1, 0], mean[i, 0, 1], mean[i, 1, 1]
        for k in range(2):
            mean[i, k, 0] = camera[k, 0] * x + camera[k, 1] * y + camera[k, 2]
            mean[i, k, 1] = camera[k, 0] * dx + camera[k, 1] * dy
            mean[i, 2 + k, 0] *= zoom
            mean[i, 2 + k, 1] *= zoom
        for k in range(4):
            for part in range(3):
                covariance[i, k, part] *= area


def compensate_camera_motion_reference(mean: Mean, covariance: Covariance, camera: Affine) -> tuple[Mean, Covariance]:
    """The same as `compensate_camera_motion` in plain numpy; returns the result for all tracks."""
    area = np.linalg.det(camera[:, :2])
    moved = mean * np.sqrt(area)
    moved[:, :2] = np.einsum("jk,nkv->njv", camera[:, :2], mean[:, :2])
    moved[:, :2, 0] += camera[:, 2]
    return moved, covariance * area
