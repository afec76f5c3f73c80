"""What happens to one frame between inference and the sinks: plain steps, no threads."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from streamdet.picture import Picture, PixelFormat
from streamdet.pipeline.pool import PicturePool
from streamdet.types import Detections, Frame, Result, StageTimes

Stage = Callable[[Result], Result | None]
"""A user's own step: takes a result, returns it changed or as it is, or None to drop the frame (counted)."""


class Detected(Protocol):
    """What a detector says of one picture."""

    @property
    def detections(self) -> Detections:
        """Objects in pixels of the picture."""

    @property
    def times(self) -> StageTimes:
        """What it took."""


class Tracker(Protocol):
    """What the pipeline needs of a tracker."""

    def update(self, detections: Detections, time_s: float) -> Detections:
        """Takes the detections of a later time; returns the tracks seen now."""

    def predict(self, time_s: float) -> Detections:
        """Returns the tracks as they should be at a time not before the last update; changes nothing."""


class Annotator(Protocol):
    """What the pipeline needs of a painter."""

    def draw(self, picture: Picture, detections: Detections, *, time_s: float, status: str | None = None) -> None:
        """Draws on `picture` in place."""


@dataclass(frozen=True, slots=True)
class Inferred:
    """A frame that went through the detector."""

    frame: Frame
    detected: Detected


@dataclass(frozen=True, slots=True)
class Again:
    """What was found in an earlier frame and still holds; it took no time."""

    detections: Detections
    times: StageTimes = StageTimes()  # noqa: RUF009  # frozen


class BoxesMovedToThisFrame:
    """Gives a frame its boxes. Those of its own, or those of an earlier one, carried by the tracker to its time.

    The tracker is only ever updated at the times of frames that were inferred, in order. Without a tracker the last
    boxes are held, for a second at most.
    """

    HOLD_S = 1.0

    def __init__(self, tracker: Tracker | None) -> None:
        self._tracker = tracker
        self._last: Detections = Detections.empty()
        self._last_s = -math.inf

    def __call__(self, frame: Frame, arrived: Sequence[Inferred]) -> Result:
        """Returns the result for `frame`, given the inferred frames that came in since the last call.

        None of them may be later than `frame`.
        """
        start = time.perf_counter()
        times = StageTimes()
        for inferred in arrived:
            self._last_s = inferred.frame.pts_s
            self._last = inferred.detected.detections
            times = inferred.detected.times
            if self._tracker is not None:
                self._last = self._tracker.update(self._last, self._last_s)
        age_s = frame.pts_s - self._last_s
        if age_s == 0:
            detections = self._last
        elif self._tracker is not None and math.isfinite(age_s):
            detections = self._tracker.predict(frame.pts_s)
        else:
            detections = self._last if age_s <= self.HOLD_S else self._last[:0]
        times = replace(times, track_ms=1000 * (time.perf_counter() - start))
        return Result(frame, detections, age_s, times)


def annotate(result: Result, annotator: Annotator, status: str | None, pool: PicturePool) -> Result:
    """Returns the result with boxes drawn on a copy of its picture (never on the decoder's own)."""
    start = time.perf_counter()
    source = result.frame.picture
    format = PixelFormat.BGR24 if source.format is PixelFormat.BGR24 else PixelFormat.I420
    picture = source.copy(format, pool.allocate)
    annotator.draw(picture, result.detections, time_s=result.frame.pts_s, status=status)
    times = replace(result.times, draw_ms=1000 * (time.perf_counter() - start))
    return replace(result, annotated=picture, times=times)
