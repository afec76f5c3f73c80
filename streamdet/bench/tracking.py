"""Benchmark: one tracker update with 20 and 200 objects, compared with the same steps in plain numpy."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamdet.bench.timing import Timing, time_interleaved
from streamdet.tracking.matching import assign_reference, iou_matrix_reference
from streamdet.tracking.tracker import ByteTracker, warm_up
from streamdet.types import Detections

FRAMES = 30
RATE_HZ = 30.0


def walkers(objects: int, seed: int = 0) -> list[Detections]:
    """Returns `FRAMES` frames of walkers in 1080p, with jitter, missed detections and scores from 0.2 to 1."""
    generator = np.random.default_rng(seed)
    center = generator.uniform((100, 100), (1820, 980), (objects, 2))
    velocity = generator.normal(0, 40, (objects, 2))
    size = generator.uniform(40, 120, (objects, 1)) * (0.4, 1.0)
    frames = []
    for k in range(FRAMES):
        now = center + velocity * (k / RATE_HZ)
        boxes = np.hstack([now - size / 2, now + size / 2]) + generator.normal(0, 1.5, (objects, 4))
        seen = generator.uniform(size=objects) < 0.95
        scores = generator.uniform(0.2, 1, objects).astype(np.float32)
        frames.append(
            Detections(boxes[seen].astype(np.float32), scores[seen], np.zeros(int(seen.sum()), np.int32)),
        )
    return frames


@dataclass
class NumpyTracker:
    """A baseline: what trackers in plain numpy do per frame. Batched 8x8 Kalman steps, overlaps, assignment.

    It has no scores, classes or second stage, which is in its favor.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    ids: NDArray[np.int64]
    next_id: int = 1

    @classmethod
    def empty(cls) -> "NumpyTracker":
        """Returns a tracker without tracks."""
        return cls(np.empty((0, 8)), np.empty((0, 8, 8)), np.empty(0, np.int64))

    def update(self, detections: Detections, dt_s: float) -> NDArray[np.int64]:
        """Updates with the detections of one frame; returns (M,) int64, the track id of each detection."""
        boxes = detections.boxes_xyxy.astype(np.float64)
        measured = np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])
        f, observe = np.eye(8) + dt_s * np.eye(8, k=4), np.eye(4, 8)
        height = self.mean[:, 3, None, None]
        self.mean = self.mean @ f.T
        self.covariance = f @ self.covariance @ f.T + height**2 * np.diag([1e-4] * 4 + [1e-2] * 4)
        half = self.mean[:, 2:4] / 2
        expected = np.hstack([self.mean[:, :2] - half, self.mean[:, :2] + half]).astype(np.float32)
        iou = iou_matrix_reference(expected, detections.boxes_xyxy)
        column_of_row = assign_reference(np.where(iou > 0.2, iou, 0.0))
        rows = np.flatnonzero(column_of_row >= 0)
        columns = column_of_row[rows]
        total = observe @ self.covariance[rows] @ observe.T + height[rows] ** 2 * 2.5e-3 * np.eye(4)
        gain = self.covariance[rows] @ observe.T @ np.linalg.inv(total)
        difference = measured[columns] - self.mean[rows, :4]
        self.mean[rows] += (gain @ difference[..., None])[..., 0]
        self.covariance[rows] = (np.eye(8) - gain @ observe) @ self.covariance[rows]
        ids = np.full(len(boxes), -1, np.int64)
        ids[columns] = self.ids[rows]
        new = np.flatnonzero(ids < 0)
        ids[new] = np.arange(self.next_id, self.next_id + len(new))
        self.next_id += len(new)
        self.mean = np.vstack([self.mean, np.hstack([measured[new], np.zeros((len(new), 4))])])
        start = measured[new, 3, None, None] ** 2 * np.diag([2.5e-3] * 4 + [0.5] * 4)
        self.covariance = np.concatenate([self.covariance, start])
        self.ids = np.concatenate([self.ids, ids[new]])
        return ids


def run(rounds: int) -> tuple[str, list[Timing], list[str]]:
    """Returns a title, times per frame (ratios within each object count) and notes."""
    warm_up()
    timings: list[Timing] = []
    for objects in (20, 200):
        frames = walkers(objects)

        def ours(frames: list[Detections] = frames) -> None:
            tracker = ByteTracker()
            for k, detections in enumerate(frames):
                tracker.update(detections, k / RATE_HZ)

        def plain(frames: list[Detections] = frames) -> None:
            tracker = NumpyTracker.empty()
            for detections in frames:
                tracker.update(detections, 1 / RATE_HZ)

        names = f"streamdet, {objects} objects", f"plain numpy, {objects} objects"
        timings += [
            replace(t, median_ms=t.median_ms / FRAMES, best_ms=t.best_ms / FRAMES)
            for t in time_interleaved({names[0]: ours, names[1]: plain}, rounds)
        ]
    return (
        "Tracking, one update",
        timings,
        [f"milliseconds per frame, over {FRAMES} frames each round; aim: 0.1 ms at 20 objects, 1 ms at 200"],
    )
