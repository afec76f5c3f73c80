"""Decides on which frames of a stream the detector runs, and on which region of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamdet.errors import ConfigError
from streamdet.pipeline.captured_frame import CapturedFrame, Verdict
from streamdet.pipeline.region import Region, check_region, crop
from streamdet.protocols import Gate
from streamdet.types import Frame


@dataclass(frozen=True, slots=True)
class DetectOptions:
    """When and where the detector runs on one stream.

    Attributes:
        max_hz: maximum detections per second of the stream's own time; 0 for no limit.
        region: left, top, right, bottom as fractions of the picture; the detector gets only this part. None for the
            whole picture.
        priority: share of the detector where several streams wait for it: 2 gets twice as many turns as 1.
        gate: do not run the detector while the picture does not change; reuse the detections of the last inferred
            frame.
        redetect_s: with the gate, the longest time between two detections.
    """

    max_hz: float = 0.0
    region: Region | None = None
    priority: float = 1.0
    gate: bool = False
    redetect_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.max_hz < math.inf:
            raise ConfigError(f"detect.max_hz must be 0 (no limit) or more, got {self.max_hz}")
        for name, maximum in (("priority", 1000.0), ("redetect_s", 3600.0)):
            if not 0 < getattr(self, name) <= maximum:
                value = getattr(self, name)
                raise ConfigError(f"detect.{name} must be greater than 0 and at most {maximum:g}, got {value}")
        if self.region is not None:
            check_region(self.region)


class Admission:
    """Decides for the frames of one stream, in order. Used by its capture thread.

    Args:
        options: when and where the detector runs.
        gate: used if `options` ask for one.
    """

    def __init__(self, options: DetectOptions, gate: Gate | None = None) -> None:
        self._options = options
        self._gate = gate if options.gate else None
        self._interval_s = 1 / options.max_hz if options.max_hz else 0.0
        self._due_s = -math.inf
        self._last_index = -1  # of the last frame with the verdict INFER

    def admit(self, frame: Frame) -> CapturedFrame:
        """Returns the frame with its verdict."""
        verdict = self._decide(frame)
        if verdict is Verdict.INFER:
            self._last_index = frame.index
            return CapturedFrame(frame)
        return CapturedFrame(frame, verdict, self._last_index)

    def _decide(self, frame: Frame) -> Verdict:
        if not self._interval_s and self._gate is None:
            return Verdict.INFER
        now_s = frame.pts_s
        if self._interval_s and now_s < self._due_s - 1e-6:
            return Verdict.TOO_SOON
        if self._gate is not None and not self._gate.admit(crop(frame.picture, self._options.region)[0], now_s):
            return Verdict.STILL
        late = now_s - self._due_s > self._interval_s
        self._due_s = (now_s if late else self._due_s) + self._interval_s
        return Verdict.INFER
