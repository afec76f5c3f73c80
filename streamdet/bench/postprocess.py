"""Benchmark: post-processing of the flagship's raw heads, compared with numpy and the network's own ONNX operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdet.bench.timing import Timing, time_interleaved
from streamdet.boxes import cxcywh_to_xyxy
from streamdet.detect.decode_ssd import ssd_candidates, ssd_candidates_reference
from streamdet.detect.nms import nms_reference
from streamdet.detect.postprocess import PostprocessRules, apply_nms
from streamdet.inference.providers.onnx_runtime import onnxruntime_module
from streamdet.model_spec.default_boxes import FLAGSHIP_SIZE, flagship_box_count, flagship_boxes_cxcywh
from streamdet.models.ssd_resnet34 import CLASSES, build_nms_tail

Heads = tuple[NDArray[np.float32], NDArray[np.float32]]
_CONF, _IOU = 0.05, 0.5  # MLPerf's thresholds, which are constants of the tail


def synthetic_heads(seed: int = 0, objects: int = 20) -> Heads:
    """Returns raw heads like those of a trained network: background except around some objects.

    Each object raises the score of its class in the default boxes that overlap it, in proportion to the overlap, with
    offsets toward it. A few hundred candidates pass the threshold, and most of them are suppressed.
    """
    random = np.random.default_rng(seed)
    default_boxes = flagship_boxes_cxcywh(FLAGSHIP_SIZE)
    corners = cxcywh_to_xyxy(default_boxes)
    loc = 0.3 * random.standard_normal((4, len(default_boxes)), dtype=np.float32)
    conf = random.standard_normal((CLASSES, len(default_boxes)), dtype=np.float32)
    conf[0] += 9
    for _ in range(objects):
        target = default_boxes[random.integers(len(default_boxes))]
        left, top, right, bottom = cxcywh_to_xyxy(target[None])[0]
        width = np.clip(np.minimum(corners[:, 2], right) - np.maximum(corners[:, 0], left), 0, None)
        height = np.clip(np.minimum(corners[:, 3], bottom) - np.maximum(corners[:, 1], top), 0, None)
        shared = width * height
        overlap = shared / (default_boxes[:, 2] * default_boxes[:, 3] + target[2] * target[3] - shared)
        near = np.flatnonzero(overlap > 0.3)
        conf[random.integers(1, CLASSES), near] += 14 * overlap[near]
        loc[:2, near] = ((target[:2] - default_boxes[near, :2]) / (0.1 * default_boxes[near, 2:])).T
        loc[2:, near] = (np.log(target[2:] / default_boxes[near, 2:]) / 0.2).T
    return loc, conf


def tail_runner(threads: int = 0) -> Callable[[Heads], dict[str, NDArray[Any]]]:
    """Returns a function that runs only the tail of the published file on raw heads.

    It uses the runtime directly, because a `Session` takes one picture and the tail takes two arrays.
    """
    onnxruntime = onnxruntime_module()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    graph = build_nms_tail(flagship_boxes_cxcywh(FLAGSHIP_SIZE))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run_tail(heads: Heads) -> dict[str, NDArray[Any]]:
        values = session.run(names, {"loc": heads[0][None], "conf": heads[1][None]})
        return dict(zip(names, values, strict=True))

    return run_tail


def undecided_heads(seed: int = 0) -> Heads:
    """Returns raw heads of an undecided network: about four classes of every default box pass the threshold."""
    random = np.random.default_rng(seed)
    conf = 2 * random.standard_normal((CLASSES, flagship_box_count(FLAGSHIP_SIZE)), dtype=np.float32)
    return synthetic_heads(seed, 0)[0], conf


LOADS: dict[str, Callable[[], Heads]] = {
    "few": lambda: synthetic_heads(objects=3),
    "typical": synthetic_heads,
    "crowded": lambda: synthetic_heads(objects=200),
    "worst case": undecided_heads,
}
"""Kinds of raw heads, by the number of candidates."""


def run(rounds: int) -> tuple[str, list[Timing], list[str]]:
    """Times all three on the same heads, for every load.

    Returns:
        A title, the timings with streamdet first for each load, and notes on what was measured.
    """
    default_boxes = flagship_boxes_cxcywh(FLAGSHIP_SIZE)
    rules = PostprocessRules(_CONF, _IOU, np.ones(CLASSES - 1, np.bool_))
    run_tail = tail_runner()
    timings: list[Timing] = []
    count = len(default_boxes)
    notes = [f"raw heads (4, {count}) and ({CLASSES}, {count}), score > {_CONF}, IoU {_IOU}, best 200"]
    for name, make in LOADS.items():
        written = make()
        heads = (np.empty_like(written[0]), np.empty_like(written[1]))

        def write(heads: Heads = heads, written: Heads = written) -> None:
            for head, values in zip(heads, written, strict=True):
                np.positive(values, out=head)  # a plain copy of this size may bypass the caches

        write()
        arguments = *heads, default_boxes, rules.wanted, rules.conf, FLAGSHIP_SIZE, FLAGSHIP_SIZE

        def ours(arguments: Any = arguments) -> int:
            return len(apply_nms(ssd_candidates(*arguments), rules))

        def numpy(arguments: Any = arguments) -> int:
            found = ssd_candidates_reference(*arguments)
            boxes = found.boxes_xyxy, found.box_ids, found.scores, found.class_ids
            return len(nms_reference(*boxes, np.float32(rules.iou), 200, 200))

        def in_graph(heads: Heads = heads) -> int:
            return int(run_tail(heads)["scores"].shape[1])

        counts = ours(), numpy(), in_graph()
        candidates = {f"{name}: streamdet": ours, f"{name}: numpy": numpy, f"{name}: in-graph tail": in_graph}
        timings += time_interleaved(candidates, rounds, before=write)
        notes.append(
            f"{name}: {len(ssd_candidates(*arguments))} candidates pass; detections: "
            f"{counts[0]} streamdet, {counts[1]} numpy, {counts[2]} in the graph"
        )
    notes.append("the heads are written again before every run, as the last layers of a network do")
    notes.append("streamdet and numpy run on one thread, ONNX Runtime (in-graph tail) on its default number")
    return "Post-processing of raw SSD heads", timings, notes
