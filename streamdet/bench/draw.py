"""Benchmark: drawing 20 labeled, tracked boxes on a 1080p frame in the decoder's format (I420)."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdet.bench.timing import Timing, time_interleaved
from streamdet.color import ColorSpace, Matrix
from streamdet.draw.annotate import AnnotateOptions, BoxAnnotator
from streamdet.draw.palette import color_of
from streamdet.picture import Picture, PixelFormat
from streamdet.types import Detections

_WIDTH, _HEIGHT, _OBJECTS = 1920, 1080, 20
_OURS = "streamdet, I420"


def run(rounds: int) -> tuple[str, list[Timing], list[str]]:
    """Times drawing on a frame from I420 to I420; returns title, timings and notes.

    The baselines draw on BGR and convert to it and back with OpenCV, which is their fastest way. Scores and boxes
    change from frame to frame. Every candidate includes the copy that it draws on.
    """
    frame = _frame()
    frames = [_objects(step) for step in range(64)]
    options = AnnotateOptions(trails=False, status=False)
    candidates: dict[str, Callable[[], object]] = {
        _OURS: _ours(frame, frames, options),
        "streamdet, I420, with 2 s trails": _ours(frame, frames, AnnotateOptions(status=False)),
        "OpenCV on BGR, converting both ways": _opencv(frame, frames),
    }
    notes = [f"{_OBJECTS} boxes with name, id and score on {_WIDTH}x{_HEIGHT}; copy or conversion included"]
    supervision = _supervision(frame, frames)
    if supervision is None:
        notes.append("supervision is not installed: its annotators are not measured")
    else:
        candidates["supervision on BGR, converting both ways"] = supervision
    timings = time_interleaved(candidates, rounds, warm_up=70)  # afterwards every word of the labels has been drawn
    picture = frame.copy()
    annotator = BoxAnnotator(options)
    alone = time_interleaved(
        {"draw": lambda: annotator.draw(picture, frames[0], time_s=0.0), "copy": frame.copy}, rounds, warm_up=2
    )
    notes.append(f"streamdet: drawing alone takes {alone[0].median_ms:.2f} ms, the copy {alone[1].median_ms:.2f} ms")
    return "draw 20 labeled boxes on 1080p I420", timings, notes


def _frame() -> Picture:
    rng = np.random.default_rng(1)
    small = rng.integers(40, 220, (27, 48, 3), np.uint8)
    bgr = np.asarray(cv2.resize(small, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)
    return Picture.from_bgr(bgr, ColorSpace(Matrix.BT601)).copy(PixelFormat.I420)


def _objects(step: int) -> Detections:
    rng = np.random.default_rng(2)
    lows = rng.uniform((0, 40), (_WIDTH - 300, _HEIGHT - 400), (_OBJECTS, 2)) + step * rng.uniform(-3, 3, (_OBJECTS, 2))
    boxes = np.hstack([lows, lows + rng.uniform((60, 120), (260, 360), (_OBJECTS, 2))]).astype(np.float32)
    scores = np.random.default_rng(step).uniform(0.3, 1.0, _OBJECTS).astype(np.float32)
    labels = ("person", "bicycle", "car", "traffic light")
    return Detections(boxes, scores, np.arange(_OBJECTS, dtype=np.int32) % 4, np.arange(_OBJECTS), labels)


def _ours(frame: Picture, frames: list[Detections], options: AnnotateOptions) -> Callable[[], object]:
    annotator, step = BoxAnnotator(options), 0

    def annotate() -> Picture:
        nonlocal step
        step += 1
        picture = frame.copy()
        annotator.draw(picture, frames[step % len(frames)], time_s=step / 30)
        return picture

    return annotate


def _stacked(frame: Picture) -> NDArray[np.uint8]:
    """Returns the planes as one (3 / 2 * height, width) array, OpenCV's form. Not timed."""
    y, u, v = (frame.visible(plane) for plane in range(3))
    return np.concatenate([y.reshape(-1), u.reshape(-1), v.reshape(-1)]).reshape(3 * _HEIGHT // 2, _WIDTH)


def _opencv(frame: Picture, frames: list[Detections]) -> Callable[[], object]:
    stacked, step, font = _stacked(frame), 0, cv2.FONT_HERSHEY_SIMPLEX

    def annotate() -> object:
        nonlocal step
        step += 1
        bgr = cv2.cvtColor(stacked, cv2.COLOR_YUV2BGR_I420)
        found = frames[step % len(frames)]
        for box, name, score, track_id in zip(
            found.boxes_xyxy.astype(int).tolist(),
            found.class_names,
            found.scores,
            found.track_ids.tolist(),
            strict=True,
        ):
            left, top, right, bottom = box
            color = color_of(track_id)[::-1]
            text = f"{name} #{track_id} {score:.2f}"
            (width, height), _ = cv2.getTextSize(text, font, 0.6, 1)
            cv2.rectangle(bgr, (left, top), (right, bottom), color, 4)
            cv2.rectangle(bgr, (left, top - height - 8), (left + width + 6, top), color, -1)
            cv2.putText(bgr, text, (left + 3, top - 5), font, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)

    return annotate


def _supervision(frame: Picture, frames: list[Detections]) -> Callable[[], object] | None:
    try:
        import supervision
    except ImportError:
        return None
    stacked, step = _stacked(frame), 0
    boxes, labels = supervision.BoxAnnotator(thickness=4), supervision.LabelAnnotator(text_scale=0.6)
    converted = [found.to_supervision() for found in frames]

    def annotate() -> object:
        nonlocal step
        step += 1
        bgr = cv2.cvtColor(stacked, cv2.COLOR_YUV2BGR_I420)
        found, sv = frames[step % len(frames)], converted[step % len(frames)]
        texts = [
            f"{name} #{track_id} {score:.2f}"
            for name, track_id, score in zip(found.class_names, found.track_ids, found.scores, strict=True)
        ]
        bgr = labels.annotate(boxes.annotate(bgr, sv), sv, texts)
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)

    return annotate
