"""The steps of one frame between inference and the sinks; plain functions of the render thread."""

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
    """A frame that the detector ran on, and its detections."""

    frame: Frame
    detected: Detected


class BoxSynchronizer:
    """Gives a frame its boxes: its own detections, or those of other frames, moved to its time.

    The tracker is updated only at the times of frames that the detector ran on, in order. Without a mover, the
    tracker's prediction is shown; without a tracker too, the last boxes are kept for `KEEP_S`.
    """

    KEEP_S = 1.0
    MAX_DETECTION_TIMES = 600  # more than the detections that arrive while a frame waits

    def __init__(self, tracker: Tracker | None, mover: Mover | None = None) -> None:
        self._tracker = tracker
        self._mover = mover
        self._last: Detections = Detections.empty()
        self._detected_s: deque[float] = deque(maxlen=self.MAX_DETECTION_TIMES)
        self._times = StageTimes()
        self._track_s = 0.0  # spent on tracking since the last result
        self._motion_s = 0.0  # spent on motion, likewise

    def observe(self, frame: Frame) -> None:
        """Measures the motion in a frame as it arrives."""
        if self._mover is not None:
            start = time.perf_counter()
            self._mover.observe(frame.picture, frame.pts_s)
            self._motion_s += time.perf_counter() - start

    def take(self, arrived: Sequence[Inferred]) -> None:
        """Takes the detections that arrived since the last call. Their frames must have been observed before."""
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
                self._motion_s += time.perf_counter() - tracked

    def _camera_motion_until(self, time_s: float) -> NDArray[np.float64] | None:
        """Returns the camera motion since the last update of the tracker."""
        if self._mover is None or not self._detected_s:
            return None
        return self._mover.camera_motion(self._detected_s[-1], time_s)

    def show(self, frame: Frame) -> Result:
        """Returns the result for the oldest observed frame that was not shown yet."""
        start, now_s = time.perf_counter(), frame.pts_s
        newest_s = self._detected_s[-1] if self._detected_s else -math.inf
        if self._mover is not None:
            detections = self._mover.show(now_s)
            self._motion_s += time.perf_counter() - start
        elif newest_s == now_s:
            detections = self._last
        elif self._tracker is not None and -math.inf < newest_s < now_s:
            detections = self._tracker.predict(now_s)
            self._track_s += time.perf_counter() - start
        else:
            detections = self._last if abs(now_s - newest_s) <= self.KEEP_S else self._last[:0]
        if self._tracker is not None:
            detections = _inside(detections, frame.picture)
        times = replace(self._times, track_ms=1000 * self._track_s, motion_ms=1000 * self._motion_s)
        result = Result(frame, detections, self._age_s(now_s), times)
        self._times, self._track_s, self._motion_s = StageTimes(), 0.0, 0.0
        return result

    def _age_s(self, now_s: float) -> float:
        """Returns the time to the nearest detections."""
        nearest_s = math.inf
        for at_s in reversed(self._detected_s):  # ascending: only those after `now_s` and the last one before it count
            nearest_s = min(nearest_s, abs(now_s - at_s))
            if at_s <= now_s:
                break
        return nearest_s

    def is_between(self, frame: Frame) -> bool:
        """Returns whether detections of this frame or a later one have arrived."""
        return bool(self._detected_s) and self._detected_s[-1] >= frame.pts_s


def _inside(detections: Detections, picture: Picture) -> Detections:
    """Returns the boxes clipped to the picture, without those outside: a tracker's boxes may extend beyond it.

    Only for showing: the tracker itself needs complete boxes, whose centers and sizes do not jump at the border.
    """
    boxes_xyxy = clip(detections.boxes_xyxy, picture.width, picture.height)
    if np.array_equal(boxes_xyxy, detections.boxes_xyxy):
        return detections
    return replace(detections, boxes_xyxy=boxes_xyxy)[area(boxes_xyxy) > 0]


def annotate(result: Result, annotator: Annotator, status: str | None, pool: PicturePool) -> Result:
    """Returns the result with boxes drawn on a copy of its picture, never on the decoder's own."""
    start = time.perf_counter()
    source = result.frame.picture
    format = PixelFormat.BGR24 if source.format is PixelFormat.BGR24 else PixelFormat.I420
    picture = source.copy(format, pool.allocate)
    annotator.draw(picture, result.detections, time_s=result.frame.pts_s, status=status)
    times = replace(result.times, draw_ms=1000 * (time.perf_counter() - start))
    return replace(result, annotated=picture, times=times)
