"""Objects that change their pace or their size between three detections: put on a curve rather than on two lines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import area, clip
from streamdet.types import Detections

MAX_INTERVAL_S = 0.4
"""Detections further apart say nothing of how an object moved in between. At five per second a curve lifts the quality
of smooth mode by 0.0005 to 0.002 on a street with its exact truth and on a filmed crowd; at two, it costs as much."""
MAX_SHRINK = 0.5
"""A box is no narrower and no lower on the curve than this share of what it is on the lines: where one that was cut off
grows at once, the curve swings out so far before that the box would turn inside out."""
_SAME_S = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class SplineCorrection:
    """What three successive detections of the same objects say of the way through the middle one.

    Attributes:
        times_s: (3,) of the detections.
        ids: (N,) int64, of the objects that all three have.
        before: (N, 4) float64, by how much the slope at the middle one differs from that of the line before it, in
            pixels over the whole of that line.
        after: (N, 4) float64, the same for the line after it.
    """

    times_s: tuple[float, float, float]
    ids: NDArray[np.int64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]

    @classmethod
    def fit(cls, times_s: tuple[float, float, float], detections: tuple[Detections, Detections, Detections]) -> Self:
        """Works it out; ids of -1 are nobody's, others occur once in each."""
        first, middle, last = (found.track_ids for found in detections)
        ids = np.intersect1d(np.intersect1d(first, middle), last)
        ids = ids[ids >= 0]
        boxes = [found.boxes_xyxy[_rows(found.track_ids, ids)].astype(np.float64) for found in detections]
        until_s, since_s = times_s[1] - times_s[0], times_s[2] - times_s[1]
        slope_before, slope_after = (boxes[1] - boxes[0]) / until_s, (boxes[2] - boxes[1]) / since_s
        slope = (slope_before * since_s + slope_after * until_s) / (until_s + since_s)
        return cls(times_s, ids, until_s * (slope - slope_before), since_s * (slope - slope_after))

    def apply(self, shown: Detections, time_s: float, size: tuple[int, int]) -> Detections:
        """Returns what is shown at a time with the objects that turn moved from the lines to the curve.

        The curve is the cubic that passes through the detections with the slope of the parabola through three at the
        middle one (Catmull-Rom for uneven times); what the others at its ends say of theirs is added when they come.

        Args:
            shown: boxes at `time_s`.
            time_s: any; only what lies between the detections changes.
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
        gone = area(boxes) <= 0  # beyond the border, where no line leads
        boxes[gone] = shown.boxes_xyxy[gone]
        return replace(shown, boxes_xyxy=boxes)


class SplineFitter:
    """Remembers the latest detections."""

    def __init__(self) -> None:
        self._latest: list[tuple[float, Detections]] = []

    def add(self, detections: Detections, time_s: float) -> SplineCorrection | None:
        """Takes the next detections; returns what they and the two before them say, if they are close enough."""
        self._latest = [*self._latest[-2:], (time_s, detections)]
        if len(self._latest) < 3:
            return None
        (first_s, first), (middle_s, middle), (last_s, last) = self._latest
        if max(middle_s - first_s, last_s - middle_s) > MAX_INTERVAL_S + _SAME_S:
            return None
        return SplineCorrection.fit((first_s, middle_s, last_s), (first, middle, last))


def _limited(off: NDArray[np.float64], line_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns (N, 4) how far boxes are to move off the lines, less where they would shrink too much."""
    shrunk = (off[:, :2] - off[:, 2:]) / np.maximum(line_xyxy[:, 2:] - line_xyxy[:, :2], 1e-6)
    limited: NDArray[np.float64] = off / np.maximum(1.0, shrunk.max(axis=1, keepdims=True) / MAX_SHRINK)
    return limited.astype(np.float32)


def _rows(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.intp]:
    """Returns where each of the wanted ids is."""
    order = np.argsort(ids, kind="stable")
    rows: NDArray[np.intp] = order[np.searchsorted(ids, wanted, sorter=order)]
    return rows
