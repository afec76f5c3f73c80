"""Motion between successive frames, as one small record per frame that can be kept for seconds."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.picture import Picture
from streamdet.tracking.camera_motion import NO_CAMERA_MOTION, CameraMotion, estimate_camera_motion, points_outside
from streamdet.tracking.optical_flow import MIN_GRADIENT, find_corners, select_cells, track_points
from streamdet.tracking.pyramid import Pyramid, build_pyramid

CELL_PX = 8
"""Side of the cells, each of which gives one point, in pixels of the finest level."""
SPARSE_STRIDE = 3
"""Of cells without objects and without change, every third of each row and column is used."""
CHANGE_THRESHOLD = 4.0
"""Minimum mean difference in gray levels of a cell that changes: above the noise of a camera in the dark."""
MAX_POINTS = 800
"""Maximum number of points; bounds the cost of a frame: 2 us each on one core of an AMD EPYC."""
MAX_RESIDUAL = 8.0
"""Maximum mean difference in gray levels of a window that was found in the next picture."""

_MAX_ZOOM = 4.0  # of areas, between two detections

_NO_POINTS = np.empty((0, 2), np.float32)


class FrameMotion(NamedTuple):
    """What moved between two frames.

    Attributes:
        start_s: time of the earlier frame.
        end_s: time of the later frame.
        points: (M, 2) float32 x, y in pixels of the earlier picture.
        shifts: (M, 2) float32, how far each moved, in pixels.
        camera_motion: motion of the camera.
    """

    start_s: float
    end_s: float
    points: NDArray[np.float32]
    shifts: NDArray[np.float32]
    camera_motion: CameraMotion

    def reversed(self) -> FrameMotion:
        """Returns the motion from the later frame to the earlier one."""
        camera_motion = CameraMotion(*(-value for value in self.camera_motion))
        return FrameMotion(self.end_s, self.start_s, self.points + self.shifts, -self.shifts, camera_motion)


def thin_out(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns (N, 2) points thinned out evenly to at most `MAX_POINTS`."""
    if len(points) <= MAX_POINTS:
        return points
    return points[(np.arange(MAX_POINTS) * (len(points) / MAX_POINTS)).astype(np.int64)]


class MotionEstimator:
    """Measures the motion from each picture to the next; keeps one small pyramid, never a picture.

    Args:
        use_flow: measure in the pictures; otherwise no motion has any points.
    """

    def __init__(self, use_flow: bool = True) -> None:
        self._use_flow = use_flow
        self._before: Pyramid | None = None
        self._time_s: float | None = None
        self._camera_motion = NO_CAMERA_MOTION

    def measure(
        self,
        picture: Picture,
        time_s: float,
        boxes_xyxy: NDArray[np.float64],
    ) -> FrameMotion | None:
        """Returns the motion up to this picture; None for the first one, and where time does not advance.

        The motion between pictures that cannot be compared (too small, or of different sizes) has no points.

        Args:
            picture: the next one.
            time_s: its time, later than that of the previous one.
            boxes_xyxy: (N, 4) float64, objects in the previous picture.
        """
        time_s = float(time_s)  # an int would compile the kernels again
        start_s, self._time_s = self._time_s, time_s
        before, after = self._before, build_pyramid(picture) if self._use_flow else None
        self._before = after
        if start_s is None or not time_s > start_s:
            return None
        if before is None or after is None or (before.width, before.height) != (after.width, after.height):
            self._camera_motion = NO_CAMERA_MOTION
            return FrameMotion(start_s, time_s, _NO_POINTS, _NO_POINTS, NO_CAMERA_MOTION)
        scale = np.float64(after.scale)
        wanted = select_cells(
            before.levels[0], after.levels[0], CELL_PX, boxes_xyxy / scale - 0.5, CHANGE_THRESHOLD, SPARSE_STRIDE
        )
        points = thin_out(find_corners(before.levels[0], CELL_PX, wanted, MIN_GRADIENT))
        guesses = self._guesses(points, after.scale)
        shifts, residual = track_points(before.levels, after.levels, points, guesses)
        found = residual < MAX_RESIDUAL
        points, shifts = (points[found] + np.float32(0.5)) * np.float32(scale), shifts[found] * np.float32(scale)
        self._camera_motion = estimate_camera_motion(
            points, shifts, points_outside(points, boxes_xyxy), after.width, after.height
        )
        return FrameMotion(start_s, time_s, points, shifts, self._camera_motion)

    def _guesses(self, points: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
        """Returns the shifts of the points if the camera moves as before, in pixels of the finest level."""
        x, y = points[:, 0], points[:, 1]
        move_x, move_y, zoom, roll = self._camera_motion
        shift_x = move_x / scale + zoom * x - roll * y
        shift_y = move_y / scale + roll * x + zoom * y
        return np.stack([shift_x, shift_y], axis=1).astype(np.float32)


class MotionHistory:
    """The motions of the last seconds, oldest first.

    Args:
        keep_s: seconds that are kept: trackers bridge 5 s from detection to detection, and boxes that are moved to the
            newest frame are shown for 5 s. At 30 frames/s this takes 4 MB at most.
        most: maximum number of motions at any frame rate.
    """

    def __init__(self, keep_s: float = 10.0, most: int = 1200) -> None:
        self._keep_s = keep_s
        self._motions: deque[FrameMotion] = deque(maxlen=most)

    def __len__(self) -> int:
        return len(self._motions)

    def add(self, step: FrameMotion) -> None:
        """Adds the next motion and forgets those that are too old."""
        self._motions.append(step)
        while self._motions[0].end_s < step.end_s - self._keep_s:
            self._motions.popleft()

    def clear(self) -> None:
        """Forgets everything."""
        self._motions.clear()

    def camera_motion(self, start_s: float, end_s: float) -> NDArray[np.float64]:
        """Returns what the camera did from one time to a later one, (2, 3) float64: see `camera_compensation.Affine`.

        Before the first kept motion the camera counts as still. It counts as still throughout if small errors have
        added up to a motion that no camera makes.
        """
        total = np.eye(3)
        for step, share in self.between(start_s, end_s):
            move_x, move_y, zoom, roll = (share * value for value in step.camera_motion)
            total = np.array([[1 + zoom, -roll, move_x], [roll, 1 + zoom, move_y], [0, 0, 1]]) @ total
        area = total[0, 0] * total[1, 1] - total[0, 1] * total[1, 0]
        return total[:2] if 1 / _MAX_ZOOM <= area <= _MAX_ZOOM else np.eye(2, 3)

    def between(self, start_s: float, end_s: float) -> Iterator[tuple[FrameMotion, float]]:
        """Yields the motions from one time to a later one, each with the share of it that lies between them."""
        steps = list(self._motions)
        first = bisect_right([step.end_s for step in steps], start_s)
        for step in steps[first:]:
            inside_s = min(step.end_s, end_s) - max(step.start_s, start_s)
            if inside_s <= 0:
                return
            yield step, inside_s / (step.end_s - step.start_s)
