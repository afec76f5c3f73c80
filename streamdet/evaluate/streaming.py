"""Quality of the *shown* boxes at each frame's own time, for detectors slower than the camera.

A simulation without a clock. At a detection rate r, detection runs on the first frame at or after each multiple of
1/r; its detections, the ground truth of that frame, arrive a latency later. The boxes shown on each frame come from
the code that the pipeline runs. Association is not tested: detections have the ground truth ids.

The measure is *streaming quality*: over all ground truth boxes of all frames, the mean IoU with the box shown under the
same id on that frame, 0 where there is none. (Li, Wang and Ramanan, "Towards Streaming Perception", ECCV 2020, evaluate
a complete system in the same way, by its output at each frame's time.) Shown boxes without ground truth do not lower
it; they are counted separately.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamdet.picture import Picture
from streamdet.pipeline.stages import BoxSynchronizer, Inferred
from streamdet.tracking.live_mover import LiveMover
from streamdet.tracking.motion_options import MotionOptions
from streamdet.tracking.smoother import Smoother
from streamdet.types import Detected, Detections, Frame

HOLD_LAST, LIVE, SMOOTH, EVERY_FRAME = "hold-last", "live", "smooth", "every-frame"
MODES = (HOLD_LAST, LIVE, SMOOTH, EVERY_FRAME)
"""The baseline that keeps the newest boxes in place, and the three modes of the pipeline."""
_TIME_TOLERANCE_S = 1e-6


@dataclass(frozen=True, slots=True)
class Setting:
    """The timing of a detector.

    Attributes:
        rate_hz: detections per second.
        latency_s: from a frame to the arrival of its detections.
        delay_s: delay of smooth mode.
    """

    rate_hz: float
    latency_s: float
    delay_s: float = 1.0


@dataclass(frozen=True, slots=True)
class StreamingScore:
    """The result of one mode at one setting.

    Attributes:
        mode: one of `MODES`.
        setting: timing of the detector.
        quality: mean IoU over all ground truth boxes, 0 to 1; NaN without any.
        shown_iou: the same over the ground truth boxes whose id is shown.
        missing: share of ground truth boxes whose id is not shown.
        extra: shown boxes whose id is not in the frame's ground truth, per ground truth box.
        true_boxes: number of ground truth boxes.
        frames: number of frames, from the arrival of the first detections.
        between_detections: share of the frames that had detections before and after them.
        detection_age_s: median time distance to the nearest detections that had arrived.
        motion_ms: median processor time per frame in this thread, for motion and boxes; 0 where not measured.
        delay_s: time from the arrival of a frame to its display.
    """

    mode: str
    setting: Setting
    quality: float
    shown_iou: float
    missing: float
    extra: float
    true_boxes: int
    frames: int
    between_detections: float
    detection_age_s: float
    motion_ms: float
    delay_s: float


class HoldLast:
    """The newest boxes, kept in place: what most programs show."""

    def __init__(self) -> None:
        self._last = Detections.empty()

    def observe(self, picture: Picture, time_s: float) -> None:
        """Ignores the frame."""

    def update(self, detections: Detections, time_s: float) -> None:
        """Stores the newest detections."""
        self._last = detections

    def camera_motion(self, start_s: float, end_s: float) -> NDArray[np.float64]:
        """Returns no motion: the identity."""
        return np.eye(2, 3)

    def show(self, time_s: float) -> Detections:
        """Returns the newest detections."""
        return self._last


class ModeSimulation:
    """Simulates one mode at one setting: `frame` for each frame, then `finish`, then `score`."""

    def __init__(self, mode: str, setting: Setting, options: MotionOptions | None = None) -> None:
        self.mode = mode
        self.setting = setting
        self.delay_s = setting.delay_s if mode == SMOOTH else 0.0
        self._boxes = BoxSynchronizer(None, _mover(mode, options))
        self._start_s: float | None = None
        self._detections = 0
        self._arriving: deque[tuple[float, Inferred]] = deque()
        self._waiting: deque[tuple[Frame, Detections]] = deque()
        self._arrived_s: float | None = None
        self._tally = _Tally()
        self._busy_s = 0.0

    def frame(self, frame: Frame, truth: Detections) -> None:
        """Adds the next frame and its ground truth, and shows the frames that are due."""
        now_s = frame.pts_s
        if self._start_s is None:
            self._start_s = now_s
        if now_s - self._start_s >= self._detections / self.setting.rate_hz - _TIME_TOLERANCE_S:
            self._detections = int((now_s - self._start_s) * self.setting.rate_hz + _TIME_TOLERANCE_S) + 1
            self._arriving.append((now_s + self.setting.latency_s, Inferred(frame, Detected(truth))))
        self._waiting.append((frame, truth))
        start = time.thread_time()
        self._boxes.observe(frame)
        self._busy_s += time.thread_time() - start
        self._show_until(now_s)
        self._tally.busy_ms.append(1000 * self._busy_s)
        self._busy_s = 0.0

    def finish(self) -> None:
        """Advances time until every frame is shown."""
        while self._waiting:
            self._show_until(self._waiting[0][0].pts_s + self.delay_s)

    def _show_until(self, now_s: float) -> None:
        while self._waiting and self._waiting[0][0].pts_s + self.delay_s <= now_s + _TIME_TOLERANCE_S:
            frame, truth = self._waiting.popleft()
            due_s = frame.pts_s + self.delay_s
            start = time.thread_time()
            while self._arriving and self._arriving[0][0] <= due_s + _TIME_TOLERANCE_S:
                arrival_s, inferred = self._arriving.popleft()
                self._arrived_s = arrival_s if self._arrived_s is None else self._arrived_s
                self._boxes.take([inferred])
            result = self._boxes.show(frame)
            self._busy_s += time.thread_time() - start
            # Before the first arrival live modes cannot show boxes. Smooth mode could, but is compared on the same
            # frames.
            if self._arrived_s is not None and frame.pts_s >= self._arrived_s - _TIME_TOLERANCE_S:
                self._tally.add(result.detections, truth, self._boxes.is_between(frame), result.detection_age_s)

    def score(self) -> StreamingScore:
        """Returns the result."""
        tally = self._tally
        return StreamingScore(
            mode=self.mode,
            setting=self.setting,
            quality=tally.overlap / tally.true if tally.true else float("nan"),
            shown_iou=tally.overlap / tally.found if tally.found else float("nan"),
            missing=1 - tally.found / tally.true if tally.true else float("nan"),
            extra=tally.extra / tally.true if tally.true else float("nan"),
            true_boxes=tally.true,
            frames=tally.frames,
            between_detections=tally.between / tally.frames if tally.frames else 0.0,
            detection_age_s=float(np.median(tally.ages_s)) if tally.ages_s else float("nan"),
            motion_ms=0.0 if self.mode == HOLD_LAST else float(np.median(tally.busy_ms or [0.0])),
            delay_s=self.delay_s,
        )


def _mover(mode: str, options: MotionOptions | None) -> HoldLast | LiveMover | Smoother:
    if mode == HOLD_LAST:
        return HoldLast()
    return LiveMover(options) if mode == LIVE else Smoother(options)


@dataclass(slots=True)
class _Tally:
    """Sums over frames."""

    overlap: float = 0.0
    true: int = 0
    found: int = 0
    extra: int = 0
    frames: int = 0
    between: int = 0
    ages_s: list[float] = field(default_factory=list)
    busy_ms: list[float] = field(default_factory=list)

    def add(self, shown: Detections, truth: Detections, between: bool, age_s: float) -> None:
        overlaps = overlaps_by_id(shown, truth)
        self.overlap += float(overlaps[overlaps >= 0].sum())
        self.true += len(truth)
        self.found += int((overlaps >= 0).sum())
        self.extra += len(shown) - int((overlaps >= 0).sum())
        self.frames += 1
        self.between += between
        self.ages_s.append(age_s)


def overlaps_by_id(shown: Detections, truth: Detections) -> NDArray[np.float64]:
    """Returns for each ground truth box the IoU with the shown box of the same id, (N,); -1 where none is shown."""
    row_of = {id: row for row, id in enumerate(shown.track_ids.tolist())}
    rows = np.array([row_of.get(id, -1) for id in truth.track_ids.tolist()], np.int64)
    found = rows >= 0
    a, b = shown.boxes_xyxy[rows[found]].astype(np.float64), truth.boxes_xyxy[found].astype(np.float64)
    size = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0.0)
    shared = size.prod(axis=1)
    union = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1) - shared
    out = np.full(len(rows), -1.0)
    out[found] = np.where(union > 0, shared / np.maximum(union, 1e-9), 0.0)
    return out


def every_frame(setting: Setting, like: StreamingScore, frame_rate: float) -> StreamingScore:
    """Returns the result of every-frame mode, by definition: each frame waits for its own detections.

    This costs time, not quality: the detector processes `rate_hz` frames per second, so processing takes `frame_rate /
    rate_hz` times as long as a live source delivers, and the delay grows without limit. `delay_s` is the delay of the
    first minute.
    """
    behind = max(0.0, frame_rate / setting.rate_hz - 1.0)
    return StreamingScore(
        EVERY_FRAME,
        setting,
        1.0,
        1.0,
        0.0,
        0.0,
        like.true_boxes,
        like.frames,
        1.0,
        0.0,
        0.0,
        setting.latency_s + 60 * behind,
    )


def evaluate_streaming(
    frames: Iterable[tuple[Frame, Detections]], settings: Sequence[Setting], options: MotionOptions | None = None
) -> list[StreamingScore]:
    """Plays a video once, and simulates all modes at all settings.

    Args:
        frames: each frame with its ground truth: boxes with ids.
        settings: timings to simulate.
        options: of the modes.

    Returns:
        A score for each setting and mode, in the order of `settings` and `MODES`.
    """
    simulations = [ModeSimulation(mode, setting, options) for setting in settings for mode in (HOLD_LAST, LIVE, SMOOTH)]
    times_s = []
    for frame, truth in frames:
        times_s.append(frame.pts_s)
        for simulation in simulations:
            simulation.frame(frame, truth)
    for simulation in simulations:
        simulation.finish()
    rate = 1 / float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
    scores: list[StreamingScore] = []
    for number, simulation in enumerate(simulations):
        scores.append(simulation.score())
        if number % 3 == 2:
            scores.append(every_frame(simulation.setting, scores[-1], rate))
    return scores
