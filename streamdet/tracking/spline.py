"""Objects whose velocity or size changes between three detections move on a spline instead of on two lines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import area, clip
from streamdet.types import Detections

MAX_INTERVAL_S = 0.4
"""Maximum time between two detections for a spline. At five per second a spline raises the quality of smooth mode by
0.0005 to 0.002, on a synthetic street with exact ground truth and on a filmed crowd; at two, it lowers it as much."""
MAX_SHRINK = 0.5
"""Minimum width and height of a box on the spline, as a share of those on the lines: where a truncated box suddenly
grows, the spline overshoots so far before it that the box would turn inside out."""
_SAME_S = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class SplineCorrection:
    """The difference between a spline through three successive detections and the two straight lines.

    Attributes:
        times_s: (3,) of the detections.
        ids: (N,) int64, of the objects in all three.
        before: (N, 4) float64, by how much the slope at the middle detection differs from that of the line before it,
            in pixels over the length of that line.
        after: (N, 4) float64, the same for the line after it.
    """

    times_s: tuple[float, float, float]
    ids: NDArray[np.int64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]

    @classmethod
    def fit(cls, times_s: tuple[float, float, float], detections: tuple[Detections, Detections, Detections]) -> Self:
        """Computes the difference. Ids of -1 match none; the others occur once in each of the detections."""
        first, middle, last = (found.track_ids for found in detections)
        ids = np.intersect1d(np.intersect1d(first, middle), last)
        ids = ids[ids >= 0]
        boxes = [found.boxes_xyxy[_rows(found.track_ids, ids)].astype(np.float64) for found in detections]
        until_s, since_s = times_s[1] - times_s[0], times_s[2] - times_s[1]
        slope_before, slope_after = (boxes[1] - boxes[0]) / until_s, (boxes[2] - boxes[1]) / since_s
        slope = (slope_before * since_s + slope_after * until_s) / (until_s + since_s)
        return cls(times_s, ids, until_s * (slope - slope_before), since_s * (slope - slope_after))

    def apply(self, shown: Detections, time_s: float, size: tuple[int, int]) -> Detections:
        """Returns the shown detections at a time, with these objects moved from the lines to the spline.

        The spline is a cubic through the detections; its slope at the middle one is that of the parabola through all
        three (Catmull-Rom for uneven times). The slopes at its ends are corrected by the neighboring triples.

        Args:
            shown: boxes at `time_s`.
            time_s: any; only times between the detections change anything.
            size: width and height of the picture, which no box leaves.
        """
        start_s, middle_s, end_s = self.times_s
        if start_s + _SAME_S < time_s < middle_s - _SAME_S:
            share = (time_s - start_s) / (middle_s - start_s)
            off = -(share**2) * (1 - share) * self.before
        elif middle_s + _SAME_S < time_s < end_s - _SAME_S:
            share = (time_s - middle_s) / (end_s - middle_s)
            off = share * (1 - share) ** 2 * self.after
        else:
            return shown
        turning = np.isin(shown.track_ids, self.ids)
        if not turning.any():
            return shown
        boxes = shown.boxes_xyxy.copy()
        boxes[turning] += _limited(off[np.searchsorted(self.ids, shown.track_ids[turning])], boxes[turning])
        boxes = clip(boxes, *size)
        gone = area(boxes) <= 0  # beyond the border, where the lines do not lead
        boxes[gone] = shown.boxes_xyxy[gone]
        return replace(shown, boxes_xyxy=boxes)


class SplineFitter:
    """Fits a spline to the latest three detections."""

    def __init__(self) -> None:
        self._latest: list[tuple[float, Detections]] = []

    def add(self, detections: Detections, time_s: float) -> SplineCorrection | None:
        """Takes the next detections; returns the correction for them and the two before, if these are close enough."""
        self._latest = [*self._latest[-2:], (time_s, detections)]
        if len(self._latest) < 3:
            return None
        (first_s, first), (middle_s, middle), (last_s, last) = self._latest
        if max(middle_s - first_s, last_s - middle_s) > MAX_INTERVAL_S + _SAME_S:
            return None
        return SplineCorrection.fit((first_s, middle_s, last_s), (first, middle, last))


def _limited(off: NDArray[np.float64], line_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns (N, 4) how far boxes move off the lines, less where they would shrink too much."""
    shrunk = (off[:, :2] - off[:, 2:]) / np.maximum(line_xyxy[:, 2:] - line_xyxy[:, :2], 1e-6)
    limited: NDArray[np.float64] = off / np.maximum(1.0, shrunk.max(axis=1, keepdims=True) / MAX_SHRINK)
    return limited.astype(np.float32)


def _rows(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.intp]:
    """Returns the row of each wanted id."""
    order = np.argsort(ids, kind="stable")
    rows: NDArray[np.intp] = order[np.searchsorted(ids, wanted, sorter=order)]
    return rows
