"""Where each track has been lately, by true time."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.types import Detections

_LEAST_STEP = 0.006
"""Distance between the points of a trail as a share of the picture's height; less is jitter of the box."""

_SMOOTHINGS = 4
"""Passes of a (1, 2, 1) / 4 filter over a trail: boxes jitter from frame to frame, feet do not."""


class Trails:
    """Remembers the foot (middle of the bottom edge) of every track's box for a while.

    Attributes:
        kept_s: how long a point is remembered, in seconds of stream time.
    """

    def __init__(self, kept_s: float) -> None:
        self.kept_s = kept_s
        self._points: dict[int, deque[tuple[float, float, float]]] = {}
        self._latest_s = float("-inf")

    def __len__(self) -> int:
        return len(self._points)

    def update(self, detections: Detections, time_s: float, height: int) -> None:
        """Takes the boxes of the frame at `time_s`; time that runs backwards (a file starting over) forgets all.

        Boxes are finite. `height` is that of the picture, in pixels.
        """
        if time_s < self._latest_s:
            self._points.clear()
        self._latest_s = time_s
        least_step = _LEAST_STEP * height
        for track_id, (left, _, right, bottom) in zip(
            detections.track_ids.tolist(), detections.boxes_xyxy.tolist(), strict=True
        ):
            if track_id < 0:
                continue
            points = self._points.setdefault(track_id, deque())
            x = (left + right) / 2
            if len(points) > 1 and abs(points[-2][1] - x) + abs(points[-2][2] - bottom) < least_step:
                points.pop()  # the newest point is always where the object is now
            points.append((time_s, x, bottom))
        oldest_s = time_s - self.kept_s
        for track_id in list(self._points):
            points = self._points[track_id]
            while points and points[0][0] < oldest_s:
                points.popleft()
            if not points:
                del self._points[track_id]

    def path(self, track_id: int, time_s: float, radius: float) -> NDArray[np.float64] | None:
        """Returns the trail as (N, 4) x, y, radius, opacity, oldest first; None where it is too short.

        It is `radius` thick and opaque at the object, thin and faint at its other end.
        """
        points = self._points.get(track_id)
        if points is None or len(points) < 3:  # two: it stands still
            return None
        path = np.empty((len(points), 4))
        path[:, :3] = points
        taper(path, time_s, self.kept_s, radius)
        return path


@kernel
def taper(path: NDArray[np.float64], time_s: float, kept_s: float, radius: float) -> None:
    """Turns (N, 4) time, x, y, - in place into x, y, radius, opacity, and smooths x and y between the ends."""
    count = len(path)
    for k in range(count):
        youth = min(max(1.0 - (time_s - path[k, 0]) / kept_s, 0.0), 1.0)
        path[k, 0], path[k, 1] = path[k, 1], path[k, 2]
        path[k, 2], path[k, 3] = radius * (0.4 + 0.6 * youth), np.sqrt(youth)
    for _ in range(_SMOOTHINGS):
        for axis in range(2):
            before = path[0, axis]
            for k in range(1, count - 1):
                here = path[k, axis]
                path[k, axis] = (before + 2 * here + path[k + 1, axis]) / 4
                before = here


def taper_reference(path: NDArray[np.float64], time_s: float, kept_s: float, radius: float) -> NDArray[np.float64]:
    """The same as `taper` in plain numpy; returns a new path."""
    youth = np.clip(1 - (time_s - path[:, 0]) / kept_s, 0, 1)
    points = path[:, 1:3].copy()
    for _ in range(_SMOOTHINGS):
        points[1:-1] = (points[:-2] + 2 * points[1:-1] + points[2:]) / 4
    return np.column_stack([points, radius * (0.4 + 0.6 * youth), np.sqrt(youth)])
