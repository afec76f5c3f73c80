"""Benchmark: motion between frames of 720p on one core, compared with OpenCV's pyramidal Lucas-Kanade.

The baseline follows the same points with the same window and levels, from the finest level of the same pyramid. It does
not choose points, or estimate camera motion or boxes. Times are processor times of this thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from streamdet.bench.timing import Timing
from streamdet.scenes.street.options import StreetOptions
from streamdet.scenes.street.scene import StreetScene
from streamdet.tracking.frame_motion import CELL_PX, CHANGE_THRESHOLD, SPARSE_STRIDE, thin_out
from streamdet.tracking.live_mover import LiveMover, warm_up
from streamdet.tracking.optical_flow import MIN_GRADIENT, WINDOW, find_corners, select_cells, track_points
from streamdet.tracking.pyramid import Pyramid, build_pyramid
from streamdet.types import Detections

FRAMES = 30
DETECTED_EVERY = 15
_FPS = 30.0


def run(rounds: int) -> tuple[str, list[Timing], list[str]]:
    """Returns a title, times per frame (ratios to all of streamdet's) and notes."""
    import cv2

    cv2.setNumThreads(1)
    warm_up()
    scene = StreetScene(StreetOptions(objects=24, seed=7))
    pictures = [scene.render(60 + k) for k in range(FRAMES)]
    truths = [scene.ground_truth(60 + k) for k in range(FRAMES)]
    pyramids = [made for made in map(build_pyramid, pictures) if made is not None]
    points = [_points(before, after, truth) for (before, after), truth in zip(pairwise(pyramids), truths, strict=False)]

    def all_motion() -> None:
        mover = LiveMover()
        for k, (picture, truth) in enumerate(zip(pictures, truths, strict=True)):
            mover.observe(picture, k / _FPS)
            if k % DETECTED_EVERY == 0:
                mover.update(truth, k / _FPS)
            elif k % DETECTED_EVERY == 7:
                mover.show(k / _FPS)

    def ours() -> None:
        for (before, after), at in zip(pairwise(pyramids), points, strict=True):
            track_points(before.levels, after.levels, at, np.zeros_like(at))

    grays = [_bytes(made) for made in pyramids]

    def baseline() -> None:
        for (before, after), at in zip(pairwise(grays), points, strict=True):
            cv2.calcOpticalFlowPyrLK(before, after, at, None, winSize=(WINDOW + 1, WINDOW + 1), maxLevel=3)

    candidates = {
        "streamdet: all of a frame's motion": (all_motion, FRAMES),
        "streamdet: pyramid": (lambda: [build_pyramid(picture) for picture in pictures], FRAMES),
        "streamdet: following points": (ours, FRAMES - 1),
        "OpenCV: following the same points": (baseline, FRAMES - 1),
        "OpenCV: farneback on the pyramid's finest level": (lambda: _farneback(grays[:4]), 3),
    }
    count = float(np.mean([len(at) for at in points]))
    return (
        f"Motion of one 720p frame with {np.mean([len(t) for t in truths]):.0f} objects, processor time",
        _take_turns(candidates, rounds),
        [
            f"{count:.0f} points a frame; {_agreement(pyramids, points, grays)}",
            f"detections every {DETECTED_EVERY} frames; aim: 3 ms a frame on one core",
        ],
    )


def _points(before: Pyramid, after: Pyramid, truth: Detections) -> NDArray[np.float32]:
    boxes = truth.boxes_xyxy.astype(np.float64) / before.scale - 0.5
    wanted = select_cells(before.levels[0], after.levels[0], CELL_PX, boxes, CHANGE_THRESHOLD, SPARSE_STRIDE)
    return thin_out(find_corners(before.levels[0], CELL_PX, wanted, MIN_GRADIENT))


def _bytes(made: Pyramid) -> NDArray[np.uint8]:
    return np.round(made.levels[0]).astype(np.uint8)


def _farneback(grays: list[NDArray[np.uint8]]) -> None:
    import cv2

    for before, after in pairwise(grays):
        cv2.calcOpticalFlowFarneback(before, after, None, 0.5, 3, 15, 3, 5, 1.2, 0)


def _agreement(pyramids: list[Pyramid], points: list[NDArray[np.float32]], grays: list[NDArray[np.uint8]]) -> str:
    """Returns how far apart the results of both implementations are, for points that both found."""
    import cv2

    apart = []
    for k, at in enumerate(points):
        shifts, residual = track_points(pyramids[k].levels, pyramids[k + 1].levels, at, np.zeros_like(at))
        found, ok, _ = cv2.calcOpticalFlowPyrLK(
            grays[k], grays[k + 1], at, None, winSize=(WINDOW + 1, WINDOW + 1), maxLevel=3
        )
        both = np.isfinite(residual) & (ok.ravel() > 0)
        apart.append(np.hypot(*(found - at - shifts)[both].T))
    middle, far = np.percentile(np.concatenate(apart), [50, 90])
    return f"ours and OpenCV's end {middle:.2f} px apart in the median, {far:.2f} px at the 90th percentile"


def _take_turns(candidates: Mapping[str, tuple[Callable[[], object], int]], rounds: int) -> list[Timing]:
    """Times each candidate once per round, in processor time per frame."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for function, _ in candidates.values():
        function()
    for _ in range(rounds):
        for name, (function, frames) in candidates.items():
            start = time.thread_time()
            function()
            times[name].append(1000 * (time.thread_time() - start) / frames)
    medians = {name: median(values) for name, values in times.items()}
    ours = next(iter(medians.values()))
    return [Timing(name, medians[name], min(times[name]), medians[name] / ours) for name in candidates]
