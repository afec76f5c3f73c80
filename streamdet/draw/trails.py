"""The recent path of each track, by true time."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel
from streamdet.types import Detections

_LEAST_STEP = 0.006
"""Minimum distance between points of a trail, as a share of the picture's height; less is jitter of the box."""

_SMOOTHINGS = 4
"""Passes of a (1, 2, 1) / 4 filter over a trail: boxes jitter from frame to frame, feet do not."""


class Trails:
    """Remembers the foot (middle of the bottom edge) of the box of every track for `kept_s`.

    Attributes:
        kept_s: how long a point is remembered, in seconds of stream time.
    """

    def __init__(self, kept_s: float) -> None:
        self.kept_s = kept_s
        self._points: dict[int, _TrailPoints] = {}
        self._latest_s = float("-inf")

    def __len__(self) -> int:
        return len(self._points)

    def update(self, detections: Detections, time_s: float, height: int) -> None:
        """Takes the boxes of the frame at `time_s`; if time goes back (a file that restarts), all trails are removed.

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
            points = self._points.get(track_id)
            if points is None:
                points = self._points[track_id] = _TrailPoints()
            points.add(time_s, (left + right) / 2, bottom, least_step)
        oldest_s = time_s - self.kept_s
        for track_id in [number for number, points in self._points.items() if not points.forget(oldest_s)]:
            del self._points[track_id]

    def path(self, track_id: int, time_s: float, radius: float) -> NDArray[np.float64] | None:
        """Returns the trail as (N, 4) x, y, radius, opacity, oldest first; None if it is too short.

        It is `radius` thick and opaque at the object, thin and faint at its other end.
        """
        points = self._points.get(track_id)
        if points is None or len(points) < 3:  # two points: it stands still
            return None
        path = points.copy()
        taper(path, time_s, self.kept_s, radius)
        return path


class _TrailPoints:
    """The points of one track in contiguous memory, so that a trail is copied as one block."""

    def __init__(self) -> None:
        self._rows = np.empty((64, 4))  # time, x, y, and a spare column for the opacity
        self._times: list[float] = []
        self._first = 0
        self._last_x = self._last_y = self._before_x = self._before_y = 0.0

    def __len__(self) -> int:
        return len(self._times)

    def add(self, time_s: float, x: float, y: float, least_step: float) -> None:
        """Adds the newest point. It replaces the previous one if that one is close to the point before it."""
        if len(self._times) > 1 and abs(self._before_x - x) + abs(self._before_y - y) < least_step:
            self._times.pop()  # the newest point is always the current position
        else:
            self._before_x, self._before_y = self._last_x, self._last_y
        end = self._first + len(self._times)
        if end == len(self._rows):
            kept = self._rows[self._first : end]
            self._rows = np.concatenate([kept, np.empty((max(64, len(kept)), 4))])
            self._first, end = 0, len(self._times)
        self._rows[end] = time_s, x, y, 0.0
        self._times.append(time_s)
        self._last_x, self._last_y = x, y

    def forget(self, oldest_s: float) -> int:
        """Removes points older than `oldest_s` and returns the number of the others."""
        gone = bisect_left(self._times, oldest_s)
        if gone:
            del self._times[:gone]
            self._first += gone
        return len(self._times)

    def copy(self) -> NDArray[np.float64]:
        """Returns (N, 4) time, x, y, -."""
        return self._rows[self._first : self._first + len(self._times)].copy()


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
