"""Where each track has been lately, by true time."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from streamdet.types import Detections

_LEAST_STEP = 0.002
"""Steps shorter than this share of the picture's height are jitter of the box, not movement."""
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
        """Takes the boxes of the frame at `time_s`; time that runs backwards (a file starting over) forgets all."""
        if time_s < self._latest_s:
            self._points.clear()
        self._latest_s = time_s
        boxes = detections.boxes_xyxy
        feet = zip(
            detections.track_ids.tolist(), boxes[:, [0, 2]].mean(axis=1).tolist(), boxes[:, 3].tolist(), strict=True
        )
        for track_id, x, y in feet:
            if track_id < 0 or not np.isfinite(x + y):
                continue
            points = self._points.setdefault(track_id, deque())
            if points and abs(points[-1][1] - x) + abs(points[-1][2] - y) < _LEAST_STEP * height:
                continue
            points.append((time_s, x, y))
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
        if points is None or len(points) < 2:
            return None
        path = np.empty((len(points), 4))
        path[:, :3] = np.array(points)[:, [1, 2, 0]]
        youth = np.clip(1 - (time_s - path[:, 2]) / self.kept_s, 0, 1)
        for _ in range(_SMOOTHINGS):
            path[1:-1, :2] = (path[:-2, :2] + 2 * path[1:-1, :2] + path[2:, :2]) / 4
        path[:, 2] = radius * (0.4 + 0.6 * youth)
        path[:, 3] = np.sqrt(youth)
        return path
