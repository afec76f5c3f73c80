"""What happens to one frame between inference and the sinks: plain steps, no threads."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import area, clip
from streamdet.picture import Picture, PixelFormat
from streamdet.pipeline.pool import PicturePool
from streamdet.protocols import Annotator, Mover, Tracker
from streamdet.types import Detected, Detections, Frame, Result, StageTimes


@dataclass(frozen=True, slots=True)
class Inferred:
    """A frame that went through the detector."""

    frame: Frame
    detected: Detected


class BoxSynchronizer:
    """Gives a frame its boxes: those of its own, or those of other frames, brought to its time.

    The tracker is only ever updated at the times of frames that were inferred, in order. Without a mover its prediction
    is shown; without a tracker either, the last boxes are held, for a second at most.
    """

    KEEP_S = 1.0
    REMEMBERED = 600  # times of detections, more than are made while a frame waits

    def __init__(self, tracker: Tracker | None, mover: Mover | None = None) -> None:
        self._tracker = tracker
        self._mover = mover
        self._last: Detections = Detections.empty()
        self._detected_s: deque[float] = deque(maxlen=self.REMEMBERED)
        self._times = StageTimes()
        self._track_s = 0.0  # since the last result
        self._spent_s = 0.0  # on motion, likewise

    def observe(self, frame: Frame) -> None:
        """Looks at a frame as it comes."""
        if self._mover is not None:
            start = time.perf_counter()
            self._mover.observe(frame.picture, frame.pts_s)
            self._spent_s += time.perf_counter() - start

    def take(self, arrived: Sequence[Inferred]) -> None:
        """Takes the inferred frames that came in since the last call, none of them before its frame was observed."""
        for inferred in arrived:
            start, at_s = time.perf_counter(), inferred.frame.pts_s
            self._last = inferred.detected.detections
            self._times = inferred.detected.times
            if self._tracker is not None:
                camera_motion = self._camera_motion_until(at_s)
                self._last = self._tracker.update(self._last, at_s, camera_motion, inferred.frame.picture)
            self._detected_s.append(at_s)
            tracked = time.perf_counter()
            self._track_s += tracked - start
            if self._mover is not None:
                self._mover.update(self._last, at_s)
                self._spent_s += time.perf_counter() - tracked

    def _camera_motion_until(self, time_s: float) -> NDArray[np.float64] | None:
        """Returns what the tracker is told of the camera since its last update."""
        if self._mover is None or not self._detected_s:
            return None
        return self._mover.camera_motion(self._detected_s[-1], time_s)

    def show(self, frame: Frame) -> Result:
        """Returns the result for a frame that was observed, the oldest that was not shown."""
        start, now_s = time.perf_counter(), frame.pts_s
        newest_s = self._detected_s[-1] if self._detected_s else -math.inf
        if self._mover is not None:
            detections = self._mover.show(now_s)
            self._spent_s += time.perf_counter() - start
        elif newest_s == now_s:
            detections = self._last
        elif self._tracker is not None and -math.inf < newest_s < now_s:
            detections = self._tracker.predict(now_s)
            self._track_s += time.perf_counter() - start
        else:
            detections = self._last if abs(now_s - newest_s) <= self.KEEP_S else self._last[:0]
        if self._tracker is not None:
            detections = _inside(detections, frame.picture)
        spent = {"track_ms": 1000 * self._track_s, "motion_ms": 1000 * self._spent_s}
        result = Result(frame, detections, self._age_s(now_s), replace(self._times, **spent))
        self._times, self._track_s, self._spent_s = StageTimes(), 0.0, 0.0
        return result

    def _age_s(self, now_s: float) -> float:
        """Returns the distance in time to the nearest detections."""
        nearest_s = math.inf
        for at_s in reversed(self._detected_s):  # they rise: only those after this time, and the one before, can be it
            nearest_s = min(nearest_s, abs(now_s - at_s))
            if at_s <= now_s:
                break
        return nearest_s

    def is_between(self, frame: Frame) -> bool:
        """Says whether detections of this frame or a later one have come."""
        return bool(self._detected_s) and self._detected_s[-1] >= frame.pts_s


def _inside(detections: Detections, picture: Picture) -> Detections:
    """Returns what lies within the picture, as detectors and movers give it: a tracker's boxes go on beyond it.

    Only of what is shown: the tracker itself works on whole boxes, whose centres and sizes do not jump at the border.
    """
    boxes_xyxy = clip(detections.boxes_xyxy, picture.width, picture.height)
    if np.array_equal(boxes_xyxy, detections.boxes_xyxy):
        return detections
    return replace(detections, boxes_xyxy=boxes_xyxy)[area(boxes_xyxy) > 0]


def annotate(result: Result, annotator: Annotator, status: str | None, pool: PicturePool) -> Result:
    """Returns the result with boxes drawn on a copy of its picture (never on the decoder's own)."""
    start = time.perf_counter()
    source = result.frame.picture
    format = PixelFormat.BGR24 if source.format is PixelFormat.BGR24 else PixelFormat.I420
    picture = source.copy(format, pool.allocate)
    annotator.draw(picture, result.detections, time_s=result.frame.pts_s, status=status)
    times = replace(result.times, draw_ms=1000 * (time.perf_counter() - start))
    return replace(result, annotated=picture, times=times)
