"""Fills gaps: objects that detections missed for a moment are added to the frames in between, if these still wait."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from streamdet.types import Detections

MAX_GAP_S = 1.0
"""An object that was missed for no longer than this and then detected again was there all the time. On a filmed crowd
at five detections per second this raises the quality of smooth mode from 0.937 to 0.939, and the false boxes, most of
them misses of the detector too, from 14 to 17 per hundred true ones."""
_SAME_S = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Reappearance:
    """An object that detections missed and then detected again.

    Attributes:
        start_s: time of the last detection before the gap.
        end_s: time of the first detection after the gap.
        before: the object at `start_s`, alone.
        after: the object at `end_s`, alone.
    """

    start_s: float
    end_s: float
    before: Detections
    after: Detections

    def is_missed(self, time_s: float) -> bool:
        """Returns whether a time lies in the gap."""
        return self.start_s + _SAME_S < time_s < self.end_s - _SAME_S

    def at(self, time_s: float) -> Detections:
        """Returns the object at a time in the gap, on a straight line."""
        share = np.float32((time_s - self.start_s) / (self.end_s - self.start_s))
        before, after = self.before, self.after
        return replace(
            before,
            boxes_xyxy=before.boxes_xyxy + share * (after.boxes_xyxy - before.boxes_xyxy),
            scores=before.scores + share * (after.scores - before.scores),
        )


class LastSeen:
    """Remembers when and where each object was last detected."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, Detections]] = {}
        self._time_s = -np.inf

    def reappeared(self, detections: Detections, time_s: float) -> list[Reappearance]:
        """Takes the next detections; returns the objects that the previous ones missed and that were known before.

        Args:
            detections: with lasting ids; -1 for none.
            time_s: of their frame, later than that of the previous ones.
        """
        self._last = {id: last for id, last in self._last.items() if time_s - last[0] <= MAX_GAP_S}
        found = []
        for row, track_id in enumerate(detections.track_ids.tolist()):
            if track_id < 0:
                continue
            now = detections[row : row + 1]
            start_s, before = self._last.get(track_id, (time_s, now))
            if start_s < self._time_s:
                found.append(Reappearance(start_s, time_s, before, now))
            self._last[track_id] = time_s, now
        self._time_s = time_s
        return found


def with_gaps_filled(shown: Detections, time_s: float, reappeared: list[Reappearance]) -> Detections:
    """Returns the shown detections at a time, with the objects that had a gap then in their interpolated place."""
    added = [one.at(time_s) for one in reappeared if one.is_missed(time_s)]
    if not added:
        return shown
    ids = [int(one.track_ids[0]) for one in added]
    parts = [shown[~np.isin(shown.track_ids, ids)], *added]
    return Detections(
        np.concatenate([part.boxes_xyxy for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.class_ids for part in parts]),
        np.concatenate([part.track_ids for part in parts]),
        shown.labels,
    )
