"""Live: the boxes of an older frame, moved to the newest one by what was measured between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamdet.picture import Picture, PixelFormat
from streamdet.tracking.border import Shapes
from streamdet.tracking.carried import Carried, MotionOptions
from streamdet.tracking.matching import iou_matrix
from streamdet.tracking.steps import FlowMeter, History, Step
from streamdet.types import Detections


class LiveMover:
    """Shows the newest detections on the newest frame: no frame waits, ids are those of the detections.

    Give it every frame in order (`observe`), and detections whenever they come (`update`), also in order.
    """

    def __init__(self, options: MotionOptions | None = None) -> None:
        self.options = options or MotionOptions()
        self._meter = FlowMeter(self.options.looks)
        self._history = History()
        self._now_s = -np.inf
        self._detected_s = -np.inf
        self._labels: tuple[str, ...] = ()
        self._carried = Carried.of(Detections.empty(), 0.0, self.options)
        self._trail: list[tuple[float, Carried]] = []
        self._size = (0, 0)
        self._shapes = Shapes()

    def observe(self, picture: Picture, time_s: float) -> None:
        """Takes the next frame: measures what moved, and moves the boxes with it."""
        step = self._meter.measure(picture, time_s, self._carried.boxes_xyxy)
        self._now_s, self._size = time_s, (picture.width, picture.height)
        if step is None:
            self._history.clear()
            self._trail.clear()
            return
        self._history.add(step)
        self._follow(step, 1.0)

    def update(self, detections: Detections, time_s: float) -> None:
        """Takes the detections of a frame that was given before, and moves them to the newest.

        Args:
            detections: with ids that stay, or all -1.
            time_s: of their frame; later than that of the detections before.
        """
        self._labels = detections.labels
        old = self.at(time_s)
        self._shapes.learn(detections.boxes_xyxy.astype(np.float64), detections.class_ids, *self._size)
        new = self._learn(old, self._found(detections, time_s))
        missed = (old.ids >= 0) & ~np.isin(old.ids, new.ids)
        missed &= time_s - old.seen_s <= self.options.coast_s * 1.02  # frames do not come at round times
        missed &= ~_covered(old, new, self.options.covered)
        self._carried = new.joined(old.picked(missed))
        self._detected_s = time_s
        self._trail = [(time_s, replace(self._carried))]
        for step, share in self._history.between(time_s, self._now_s):
            self._follow(step, share)

    def show(self, time_s: float) -> Detections:
        """Returns what is to be seen on the newest frame, whose time is given."""
        return self.shown(self._carried, time_s)

    def shown(self, carried: Carried, time_s: float) -> Detections:
        """Returns what is to be seen of boxes at their time: cut to the picture, faded, without what is gone."""
        options = self.options
        width, height = self._size
        boxes = np.clip(carried.boxes_xyxy, 0.0, np.array([width, height, width, height], np.float64))
        visible = _areas(boxes) > options.visible * _areas(carried.boxes_xyxy)
        age_s = time_s - carried.seen_s
        shown = visible & (age_s <= options.gap_s) & (np.abs(time_s - carried.known_s) <= options.hidden_s)
        scores = carried.scores * np.exp2(-np.maximum(age_s, 0.0) / options.score_half_life_s)
        return Detections(
            boxes[shown].astype(np.float32),
            scores[shown].astype(np.float32),
            carried.class_ids[shown],
            carried.ids[shown],
            self._labels,
        )

    def camera(self, start_s: float, end_s: float) -> NDArray[np.float64]:
        """Returns what the camera did from one time to a later one, (2, 3) float64: see `tracking.camera.Affine`."""
        return self._history.camera(start_s, end_s)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the newest frame in pixels."""
        return self._size

    @property
    def trail(self) -> Sequence[tuple[float, Carried]]:
        """Times and boxes of the frames since the last detections, theirs first; not to be changed."""
        return self._trail

    def back(self, detections: Detections, time_s: float, until_s: float) -> list[tuple[float, Carried]]:
        """Returns the times and boxes of detections on the frames before theirs, newest first, back to `until_s`."""
        carried = self._found(detections, time_s)
        path = [(time_s, carried)]
        for step, share in reversed(list(self._history.between(until_s, time_s))):
            carried = carried.picked(np.ones(len(carried), np.bool_))
            carried.step(step.reversed(), share, self.options)
            path.append((step.start_s, carried))
        return path

    def _found(self, detections: Detections, time_s: float) -> Carried:
        carried = Carried.of(detections, time_s, self.options)
        if self._size[0] > 0:
            carried.boxes_xyxy = self._shapes.completed(carried.boxes_xyxy, carried.class_ids, *self._size)
        return carried

    def _follow(self, step: Step, share: float) -> None:
        self._carried = self._carried.picked(np.ones(len(self._carried), np.bool_))
        self._carried.step(step, share, self.options)
        self._trail.append((step.end_s, self._carried))
        while self._trail[0][0] < step.end_s - self.options.gap_s:
            del self._trail[0]

    def at(self, time_s: float) -> Carried:
        """Returns the boxes on the last frame up to a time; the first after the last detections, if that is later."""
        best = self._trail[0][1] if self._trail else self._carried
        for end_s, carried in self._trail:
            if end_s > time_s + 1e-6:
                break
            best = carried
        return best

    def _learn(self, old: Carried, new: Carried) -> Carried:
        """Gives new rows what is known of their ids, and compares what was measured with what was detected."""
        options = self.options
        row_of = {int(id): row for row, id in enumerate(old.ids) if id >= 0}
        pairs = [(row_of[int(id)], row) for row, id in enumerate(new.ids) if int(id) in row_of]
        if not pairs:
            return new
        a, b = np.array(pairs).T
        new.speeds[b] = old.speeds[a]
        elapsed_s = np.maximum(new.seen_s[b] - old.seen_s[a], 1e-3)[:, None]
        size = new.boxes_xyxy[b, 2:] - new.boxes_xyxy[b, :2]
        true = _centres(new.boxes_xyxy[b]) - _centres(old.boxes_xyxy[a]) + old.taken[a]
        guesses = np.stack([old.raw[a], old.detected[a] * elapsed_s, np.zeros_like(true)], axis=1)
        errors = (np.square((guesses - true[:, None]) / size[:, None])).sum(axis=2)
        errors = errors / (1.0 + errors / options.most_error**2)
        first = np.square([options.flow_error, options.line_error, options.rest_error])
        new.errors[b] = options.memory * old.errors[a] + errors + (1 - options.memory) * first
        new.detected[b] = true / elapsed_s
        shares = 1.0 / np.square(new.errors[b])
        shares /= shares.sum(axis=1, keepdims=True)
        new.belief[b] = shares[:, :2]
        old_speed = np.nan_to_num(old.speeds[a, :2])
        new.speeds[b, :2] = shares[:, :1] * old_speed + shares[:, 1:2] * new.detected[b]
        return new


def _covered(old: Carried, new: Carried, most: float) -> NDArray[np.bool_]:
    """Says which old boxes (N,) overlap with a new one of their class by more than `most`: the same object by now."""
    alike = iou_matrix(old.boxes_xyxy.astype(np.float32), new.boxes_xyxy.astype(np.float32))
    alike[old.class_ids[:, None] != new.class_ids[None]] = 0.0
    covered: NDArray[np.bool_] = np.logical_or.reduce(alike > most, axis=1)
    return covered


def _areas(boxes_xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    return (boxes_xyxy[:, 2] - boxes_xyxy[:, 0]) * (boxes_xyxy[:, 3] - boxes_xyxy[:, 1])


def _centres(boxes_xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:])


def warm_up() -> None:
    """Compiles (or loads from the cache) every kernel of motion, so that no later frame waits for that."""
    generator = np.random.default_rng(0)
    box = np.array([[100, 20, 180, 120]], np.float32)
    one = Detections(box, np.ones(1, np.float32), np.zeros(1, np.int32), np.ones(1, np.int64))
    for channels in (1, 3):
        mover = LiveMover()
        for k in range(3):
            grey = generator.integers(0, 255, (160, 320 * channels), np.uint8)
            if channels == 3:
                mover.observe(Picture.from_bgr(grey.reshape(160, 320, 3)), k / 10)
            else:
                mover.observe(Picture(320, 160, PixelFormat.NV12, (grey, grey[:80])), k / 10)
            mover.update(one, k / 10)
        mover.show(0.2)
        mover.back(one, 0.2, 0.0)
