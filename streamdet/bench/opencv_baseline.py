"""The baseline: a good script with OpenCV, ONNX Runtime, supervision and trackers for the same job.

It is one loop, as in their examples: read, letterbox, run, decode, suppress, track, annotate, write. Nothing is
computed twice, arrays are reused, and only cells of the network's output with a sufficient score are decoded.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdet.bench.candidate_process import Workload, WorkloadResult
from streamdet.inference.providers.onnx_runtime import onnxruntime_module
from streamdet.models.onnx_file import ModelFile

_PAD = 114
_STRIDES = (8, 16, 32)
REQUIRED_PACKAGES = ("supervision", "trackers")


def missing_packages() -> list[str]:
    """Returns the packages of the script that are not installed."""
    return [name for name in REQUIRED_PACKAGES if importlib.util.find_spec(name) is None]


class YoloxBaseline:
    """YOLOX with ONNX Runtime at its default settings.

    Args:
        model: content of the ONNX file.
        conf: minimum score.
        iou: overlap above which the box with the lower score is removed.
        threads: threads of the session; 0 uses the default.
    """

    def __init__(self, model: bytes, conf: float, iou: float, threads: int = 0) -> None:
        onnxruntime = onnxruntime_module()  # without usage reports
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        inputs = self._session.get_inputs()[0]
        self._name, (_, _, self._height, self._width) = inputs.name, inputs.shape
        self._canvas = np.full((self._height, self._width, 3), _PAD, np.uint8)
        self._conf, self._iou = conf, iou
        parts = []
        for stride in _STRIDES:
            rows, columns = np.mgrid[: self._height // stride, : self._width // stride]
            parts.append(np.stack([columns.ravel(), rows.ravel(), np.full(rows.size, stride)], axis=1))
        self._grid = np.concatenate(parts).astype(np.float32)

    def __call__(self, bgr: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Returns (N, 4) boxes as left, top, right, bottom in pixels of `bgr`, (N,) scores and (N,) class ids."""
        height, width = bgr.shape[:2]
        scale = min(self._width / width, self._height / height)
        size = round(width * scale), round(height * scale)
        canvas = self._canvas
        cv2.resize(bgr, size, dst=canvas[: size[1], : size[0]], interpolation=cv2.INTER_LINEAR)
        batch = canvas.transpose(2, 0, 1)[None].astype(np.float32)
        cells = self._session.run(None, {self._name: batch})[0][0]
        above_minimum = cells[:, 4] > self._conf
        cells, grid = cells[above_minimum], self._grid[above_minimum]
        scores = cells[:, 4:5] * cells[:, 5:]
        class_ids = scores.argmax(axis=1)
        best = scores.max(axis=1)
        sure = best > self._conf
        cells, grid, best, class_ids = cells[sure], grid[sure], best[sure], class_ids[sure]
        if not len(best):
            return np.empty((0, 4), np.float32), best, class_ids
        centers = (cells[:, :2] + grid[:, :2]) * grid[:, 2:]
        sizes = np.exp(cells[:, 2:4]) * grid[:, 2:]
        lefts_tops = (centers - sizes / 2) / scale
        sizes /= scale
        tlwh = np.hstack([lefts_tops, sizes])
        found = cv2.dnn.NMSBoxesBatched(tlwh.tolist(), best.tolist(), class_ids.tolist(), self._conf, self._iou)
        kept = np.asarray(found, int).ravel()
        boxes = np.hstack([lefts_tops, lefts_tops + sizes])[kept]
        boxes[:, 0::2] = boxes[:, 0::2].clip(0, width)
        boxes[:, 1::2] = boxes[:, 1::2].clip(0, height)
        return boxes.astype(np.float32), best[kept], class_ids[kept]


def opencv_script(
    clip: Path, out: Path, model: ModelFile, labels: tuple[str, ...], conf: float, iou: float, threads: int = 0
) -> Workload:
    """Prepares the script, which reads `clip` and writes the annotated `out` as MPEG-4."""
    cv2.setNumThreads(cv2.getNumberOfCPUs())
    detect = YoloxBaseline(model.data, conf, iou, threads)
    return lambda: WorkloadResult(_loop(clip, out, detect, labels))


def _loop(clip: Path, out: Path, detect: Callable[..., Any], labels: tuple[str, ...]) -> int:
    import supervision as sv
    from trackers import ByteTrackTracker

    reader = cv2.VideoCapture(str(clip))
    size = int(reader.get(cv2.CAP_PROP_FRAME_WIDTH)), int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT))
    fps = reader.get(cv2.CAP_PROP_FPS)
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
    tracker = ByteTrackTracker(frame_rate=fps)
    thickness = sv.calculate_optimal_line_thickness(size)
    boxes = sv.BoxAnnotator(thickness=thickness)
    texts = sv.LabelAnnotator(text_scale=sv.calculate_optimal_text_scale(size))
    traces = sv.TraceAnnotator(thickness=thickness, trace_length=2 * round(fps))
    frames = 0
    while True:
        found, bgr = reader.read()
        if not found:
            break
        xyxy, scores, class_ids = detect(bgr)
        detections = tracker.update(sv.Detections(xyxy=xyxy, confidence=scores, class_id=class_ids))
        detections = detections[detections.tracker_id != -1]
        words = [
            f"{labels[class_id]} #{track_id} {score:.2f}"
            for class_id, track_id, score in zip(
                detections.class_id, detections.tracker_id, detections.confidence, strict=True
            )
        ]
        traces.annotate(bgr, detections)
        boxes.annotate(bgr, detections)
        texts.annotate(bgr, detections, labels=words)
        writer.write(bgr)
        frames += 1
    reader.release()
    writer.release()
    return frames
