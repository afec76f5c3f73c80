"""From picture to picture: what moved, as one small record per frame that can be kept for seconds."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.picture import Picture
from streamdet.tracking.camera_motion import STILL, Camera, camera_motion, outside_all
from streamdet.tracking.flow import LEAST_SLOPE, corners, follow, squares
from streamdet.tracking.pyramid import Pyramid, pyramid

CELL_PX = 8
"""Side of the squares of which each gives one point, in pixels of the finest level."""
SPARSE = 3
"""Of squares where nothing is known and nothing changes, one in so many of each row and column is looked at."""
CHANGED = 4.0
"""Mean difference of grey of a square that changes: above the noise of a camera in the dark."""
MOST_POINTS = 800
"""Bounds the cost of a frame: 2 us each on one core of an AMD EPYC."""
WORST = 8.0
"""Mean difference of grey within a window beyond which it was not found again."""

_MOST_ZOOM = 4.0  # of areas, between two detections

_NO_POINTS = np.empty((0, 2), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What happened between two frames.

    Attributes:
        start_s: time of the earlier frame.
        end_s: time of the later frame.
        points: (M, 2) float32 x, y in pixels of the earlier picture.
        shifts: (M, 2) float32, where each went, in pixels.
        camera: what the camera did.
    """

    start_s: float
    end_s: float
    points: NDArray[np.float32]
    shifts: NDArray[np.float32]
    camera: Camera

    def reversed(self) -> Step:
        """Returns the same as seen by one who goes back in time."""
        camera = Camera(*(-value for value in self.camera))
        return Step(self.end_s, self.start_s, self.points + self.shifts, -self.shifts, camera)


def spread(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns (N, 2) points thinned out evenly to at most `MOST_POINTS`."""
    if len(points) <= MOST_POINTS:
        return points
    return points[(np.arange(MOST_POINTS) * (len(points) / MOST_POINTS)).astype(np.int64)]


class FlowMeter:
    """Measures the step from each picture to the next; holds one small pyramid, never a picture.

    Args:
        looks: look at the pictures; else every step is one of which nothing is known.
    """

    def __init__(self, looks: bool = True) -> None:
        self._looks = looks
        self._before: Pyramid | None = None
        self._time_s: float | None = None
        self._camera = STILL

    def measure(
        self,
        picture: Picture,
        time_s: float,
        boxes_xyxy: NDArray[np.float64],
    ) -> Step | None:
        """Returns the step that leads to this picture; None for the first, and where time does not go on.

        A step between pictures that cannot be compared (tiny ones, or of two sizes) has no points.

        Args:
            picture: the next one.
            time_s: its time, later than that of the one before.
            boxes_xyxy: (N, 4) float64, where objects were in the picture before.
        """
        start_s, self._time_s = self._time_s, time_s
        before, after = self._before, pyramid(picture) if self._looks else None
        self._before = after
        if start_s is None or not time_s > start_s:
            return None
        if before is None or after is None or (before.width, before.height) != (after.width, after.height):
            self._camera = STILL
            return Step(start_s, time_s, _NO_POINTS, _NO_POINTS, STILL)
        scale = np.float64(after.scale)
        wanted = squares(before.levels[0], after.levels[0], CELL_PX, boxes_xyxy / scale - 0.5, CHANGED, SPARSE)
        points = spread(corners(before.levels[0], CELL_PX, wanted, LEAST_SLOPE))
        guesses = self._guesses(points, after.scale)
        shifts, left_over = follow(before.levels, after.levels, points, guesses)
        found = left_over < WORST
        points, shifts = (points[found] + np.float32(0.5)) * np.float32(scale), shifts[found] * np.float32(scale)
        self._camera = camera_motion(points, shifts, outside_all(points, boxes_xyxy), after.width, after.height)
        return Step(start_s, time_s, points, shifts, self._camera)

    def _guesses(self, points: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
        """Returns where a camera that goes on as it did would shift the points, in pixels of the finest level."""
        x, y = points[:, 0], points[:, 1]
        move_x, move_y, zoom, roll = self._camera
        shift_x = move_x / scale + zoom * x - roll * y
        shift_y = move_y / scale + roll * x + zoom * y
        return np.stack([shift_x, shift_y], axis=1).astype(np.float32)


class History:
    """The steps of the last seconds, oldest first.

    Args:
        keep_s: how far back it reaches: trackers carry on over 5 s from detection to detection, and what is moved to
            the newest frame is shown for 5 s. At 30 frames/s it takes 4 MB at most.
        most: most steps, whatever the frame rate.
    """

    def __init__(self, keep_s: float = 10.0, most: int = 1200) -> None:
        self._keep_s = keep_s
        self._steps: deque[Step] = deque(maxlen=most)

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, step: Step) -> None:
        """Takes the next step and forgets what is too old."""
        self._steps.append(step)
        while self._steps[0].end_s < step.end_s - self._keep_s:
            self._steps.popleft()

    def clear(self) -> None:
        """Forgets everything."""
        self._steps.clear()

    def camera(self, start_s: float, end_s: float) -> NDArray[np.float64]:
        """Returns what the camera did from one time to a later one, (2, 3) float64: see `tracking.camera.Affine`.

        Before the first step that is kept it is said to stand still, and so it is all the way where small errors have
        added up to what no camera does.
        """
        whole = np.eye(3)
        for step, share in self.between(start_s, end_s):
            move_x, move_y, zoom, roll = (share * value for value in step.camera)
            whole = np.array([[1 + zoom, -roll, move_x], [roll, 1 + zoom, move_y], [0, 0, 1]]) @ whole
        area = whole[0, 0] * whole[1, 1] - whole[0, 1] * whole[1, 0]
        return whole[:2] if 1 / _MOST_ZOOM <= area <= _MOST_ZOOM else np.eye(2, 3)

    def between(self, start_s: float, end_s: float) -> Iterator[tuple[Step, float]]:
        """Yields the steps from one time to a later one, each with the share of it that lies between them."""
        steps = list(self._steps)
        first = bisect_right([step.end_s for step in steps], start_s)
        for step in steps[first:]:
            inside_s = min(step.end_s, end_s) - max(step.start_s, start_s)
            if inside_s <= 0:
                return
            yield step, inside_s / (step.end_s - step.start_s)
