"""Live mode: boxes of an older frame, moved to the newest one by the motion measured between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamdet.picture import Picture, PixelFormat
from streamdet.tracking.frame_motion import FrameMotion, MotionEstimator, MotionHistory
from streamdet.tracking.matching import iou_matrix
from streamdet.tracking.motion_options import MotionOptions
from streamdet.tracking.propagated_boxes import PropagatedBoxes
from streamdet.tracking.truncation import AspectRatios
from streamdet.types import Detections


class LiveMover:
    """Shows the newest detections on the newest frame; no frame waits. Ids are those of the detections.

    Pass every frame in order (`observe`), and detections as they arrive (`update`), also in order.
    """

    def __init__(self, options: MotionOptions | None = None) -> None:
        self.options = options or MotionOptions()
        self._estimator = MotionEstimator(self.options.flow)
        self._history = MotionHistory()
        self._now_s = -np.inf
        self._detected_s = -np.inf
        self._labels: tuple[str, ...] = ()
        self._boxes = PropagatedBoxes.of(Detections.empty(), 0.0, self.options)
        self._path: list[tuple[float, PropagatedBoxes]] = []
        self._size = (0, 0)
        self._aspect_ratios = AspectRatios()

    def observe(self, picture: Picture, time_s: float) -> None:
        """Takes the next frame: measures the motion, and moves the boxes along."""
        step = self._estimator.measure(picture, time_s, self._boxes.boxes_xyxy)
        self._now_s, self._size = time_s, (picture.width, picture.height)
        if step is None:
            self._history.clear()
            self._path.clear()
            return
        self._history.add(step)
        self._follow(step, 1.0)

    def update(self, detections: Detections, time_s: float) -> None:
        """Takes the detections of a frame that was observed before, and moves them to the newest one.

        Args:
            detections: with lasting ids, or all -1.
            time_s: of their frame; later than that of the previous detections.
        """
        self._labels = detections.labels
        old = self.at(time_s)
        self._aspect_ratios.learn(detections.boxes_xyxy.astype(np.float64), detections.class_ids, *self._size)
        new = self._learn(old, self._found(detections, time_s))
        missed = (old.ids >= 0) & ~np.isin(old.ids, new.ids)
        missed &= time_s - old.last_seen_s <= self.options.coast_s * 1.02  # frame times are not exact
        missed &= ~_overlapped(old, new, self.options.max_overlap)
        self._boxes = new.concatenated(old.selected(missed))
        self._detected_s = time_s
        self._path = [(time_s, replace(self._boxes))]
        for step, share in self._history.between(time_s, self._now_s):
            self._follow(step, share)

    def show(self, time_s: float) -> Detections:
        """Returns the boxes on the newest frame, at `time_s`."""
        return self.to_detections(self._boxes, time_s)

    def to_detections(self, boxes: PropagatedBoxes, time_s: float) -> Detections:
        """Returns boxes at their time as detections: clipped to the picture, scores decayed, lost boxes left out."""
        options = self.options
        width, height = self._size
        clipped_xyxy = np.clip(boxes.boxes_xyxy, 0.0, np.array([width, height, width, height], np.float64))
        visible = _areas(clipped_xyxy) > options.min_visible * _areas(boxes.boxes_xyxy)
        age_s = time_s - boxes.last_seen_s
        shown = visible & (age_s <= options.max_unseen_s) & (np.abs(time_s - boxes.supported_s) <= options.max_hidden_s)
        scores = boxes.scores * np.exp2(-np.maximum(age_s, 0.0) / options.score_half_life_s)
        return Detections(
            clipped_xyxy[shown].astype(np.float32),
            scores[shown].astype(np.float32),
            boxes.class_ids[shown],
            boxes.ids[shown],
            self._labels,
        )

    def camera_motion(self, start_s: float, end_s: float) -> NDArray[np.float64]:
        """Returns the camera motion from one time to a later one, (2, 3) float64; see `camera_compensation.Affine`."""
        return self._history.camera_motion(start_s, end_s)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the newest frame in pixels."""
        return self._size

    @property
    def path(self) -> Sequence[tuple[float, PropagatedBoxes]]:
        """Times and boxes of the frames since that of the last detections, oldest first; not to be modified."""
        return self._path

    def backward_path(
        self, detections: Detections, time_s: float, until_s: float
    ) -> list[tuple[float, PropagatedBoxes]]:
        """Returns times and boxes of detections moved to the frames before theirs, newest first, back to `until_s`."""
        boxes = self._found(detections, time_s)
        path = [(time_s, boxes)]
        for step, share in reversed(list(self._history.between(until_s, time_s))):
            boxes = boxes.selected(np.ones(len(boxes), np.bool_))
            boxes.move(step.reversed(), share, self.options)
            path.append((step.start_s, boxes))
        return path

    def _found(self, detections: Detections, time_s: float) -> PropagatedBoxes:
        boxes = PropagatedBoxes.of(detections, time_s, self.options)
        if self._size[0] > 0:
            boxes.boxes_xyxy = self._aspect_ratios.completed(boxes.boxes_xyxy, boxes.class_ids, *self._size)
        return boxes

    def _follow(self, step: FrameMotion, share: float) -> None:
        self._boxes = self._boxes.selected(np.ones(len(self._boxes), np.bool_))
        self._boxes.move(step, share, self.options)
        self._path.append((step.end_s, self._boxes))
        while self._path[0][0] < step.end_s - self.options.max_unseen_s:
            del self._path[0]

    def at(self, time_s: float) -> PropagatedBoxes:
        """Returns the boxes on the last frame up to a time, but at least on the frame of the last detections."""
        best = self._path[0][1] if self._path else self._boxes
        for end_s, boxes in self._path:
            if end_s > time_s + 1e-6:
                break
            best = boxes
        return best

    def _learn(self, old: PropagatedBoxes, new: PropagatedBoxes) -> PropagatedBoxes:
        """Copies the state of known ids to new rows, and compares the measured motion with the detections."""
        options = self.options
        row_of = {int(id): row for row, id in enumerate(old.ids) if id >= 0}
        pairs = [(row_of[int(id)], row) for row, id in enumerate(new.ids) if int(id) in row_of]
        if not pairs:
            return new
        a, b = np.array(pairs).T
        new.velocities[b] = old.velocities[a]
        elapsed_s = np.maximum(new.last_seen_s[b] - old.last_seen_s[a], 1e-3)[:, None]
        size = new.boxes_xyxy[b, 2:] - new.boxes_xyxy[b, :2]
        true = _centers(new.boxes_xyxy[b]) - _centers(old.boxes_xyxy[a]) + old.applied_shifts[a]
        guesses = np.stack(
            [old.measured_shifts[a], old.detected_velocities[a] * elapsed_s, np.zeros_like(true)], axis=1
        )
        errors = (np.square((guesses - true[:, None]) / size[:, None])).sum(axis=2)
        errors = errors / (1.0 + errors / options.max_error**2)
        first = np.square([options.flow_error, options.linear_error, options.still_error])
        new.errors[b] = options.error_memory * old.errors[a] + errors + (1 - options.error_memory) * first
        new.detected_velocities[b] = true / elapsed_s
        shares = 1.0 / np.square(new.errors[b])
        shares /= shares.sum(axis=1, keepdims=True)
        new.weights[b] = shares[:, :2]
        old_speed = np.nan_to_num(old.velocities[a, :2])
        new.velocities[b, :2] = shares[:, :1] * old_speed + shares[:, 1:2] * new.detected_velocities[b]
        return new


def _overlapped(old: PropagatedBoxes, new: PropagatedBoxes, most: float) -> NDArray[np.bool_]:
    """Returns (N,) bool: which old boxes overlap a new one of their class by more than `most`: the same object."""
    overlap = iou_matrix(old.boxes_xyxy.astype(np.float32), new.boxes_xyxy.astype(np.float32))
    overlap[old.class_ids[:, None] != new.class_ids[None]] = 0.0
    overlapped: NDArray[np.bool_] = np.logical_or.reduce(overlap > most, axis=1)
    return overlapped


def _areas(boxes_xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    return (boxes_xyxy[:, 2] - boxes_xyxy[:, 0]) * (boxes_xyxy[:, 3] - boxes_xyxy[:, 1])


def _centers(boxes_xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:])


def warm_up() -> None:
    """Compiles (or loads from the cache) every kernel of the movers, so that no later frame waits for that."""
    generator = np.random.default_rng(0)
    box = np.array([[100, 20, 180, 120]], np.float32)
    one = Detections(box, np.ones(1, np.float32), np.zeros(1, np.int32), np.ones(1, np.int64))
    for channels in (1, 3):
        mover = LiveMover()
        for k in range(3):
            gray = generator.integers(0, 255, (160, 320 * channels), np.uint8)
            if channels == 3:
                mover.observe(Picture.from_bgr(gray.reshape(160, 320, 3)), k / 10)
            else:
                mover.observe(Picture(320, 160, PixelFormat.NV12, (gray, gray[:80])), k / 10)
            mover.update(one, k / 10)
        mover.show(0.2)
        mover.backward_path(one, 0.2, 0.0)
