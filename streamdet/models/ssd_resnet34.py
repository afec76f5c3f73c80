"""Builds the flagship's exact architecture (ssd-resnet34-1200) as an ONNX graph with seeded random weights.

It is for tests of shapes, counts, conversion, speed and parity, and for users who want to time their hardware. It
detects nothing; the metadata of the files states that, and a run reports it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from streamdet.model_spec.default_boxes import (
    BOXES_PER_CELL,
    FLAGSHIP_SIZE,
    MIN_SIZE,
    flagship_box_count,
    flagship_boxes_cxcywh,
)
from streamdet.model_spec.signature import RANDOM_WEIGHTS_KEY

CLASSES = 81  # 80 of COCO and the background
# (blocks, channels, stride) of the stages of ResNet-34 that SSD keeps; the third has stride 1.
_STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 1))
# (in, middle, out, stride, padding) of the extra blocks: 1x1 to `middle`, then 3x3 to `out`.
_EXTRAS = (
    (256, 256, 512, 2, 1),
    (512, 256, 512, 2, 1),
    (512, 128, 256, 2, 1),
    (256, 128, 256, 2, 0),
    (256, 128, 256, 1, 0),
)
FEATURE_CHANNELS = (256, 512, 512, 256, 256, 256)
_PUBLISHED_OPSET = 10  # the published file's
_HEADS_OPSET = 13  # for current tools; per-channel quantization needs it
_MAX_DETECTIONS = 200  # per class, and per picture


class SsdOutputs(Enum):
    """The outputs of the graph.

    HEADS: `loc` (n, 4, P) and `conf` (n, 81, P), any batch. PUBLISHED: outputs `bboxes`, `labels`, `scores` after
    softmax, decoding and NMS in the graph, batch 1, as in the published file.
    """

    HEADS = "heads"
    PUBLISHED = "published"


@dataclass(slots=True)
class _SsdGraph:
    """A graph under construction: nodes and initializers with numbered names."""

    random: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, values: Any, dtype: Any, name: str = "") -> str:
        """Stores an array and returns its name."""
        name = name or f"constant_{len(self.initializers)}"
        self.initializers.append(onnx.numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, operator: str, *inputs: str, outputs: int = 1, name: str = "", **attributes: Any) -> Any:
        """Adds a node; returns the name of its output, or a list of names if it has several."""
        base = name or f"{operator}_{len(self.nodes)}"
        names = [base] if outputs == 1 else [f"{base}_{i}" for i in range(outputs)]
        self.nodes.append(
            helper.make_node(operator, list(inputs), names, f"{operator}_{len(self.nodes)}", **attributes)
        )
        return names[0] if outputs == 1 else names

    def conv(
        self, x: str, channels: tuple[int, int], kernel: int, stride: int, pad: int, bias: bool, gain: float
    ) -> str:
        """Adds a convolution (in, out) that preserves the variance of its input (He: variance gain / fan-in)."""
        before, after = channels
        shape = (after, before, kernel, kernel)
        deviation = math.sqrt(gain / (before * kernel * kernel))
        weights = self.random.standard_normal(shape, dtype=np.float32) * np.float32(deviation)
        inputs = [x, self.constant(weights, np.float32)]
        if bias:
            inputs.append(self.constant(self.random.standard_normal(after) * 0.05, np.float32))
        return str(self.node("Conv", *inputs, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4))

    def batch_norm(self, x: str, channels: int, scale: float) -> str:
        """Adds a batch normalization, not folded, so that parameters count as in the trained file."""
        gamma = scale * (1 + 0.1 * self.random.standard_normal(channels))
        beta = 0.05 * self.random.standard_normal(channels)
        mean = 0.05 * self.random.standard_normal(channels)
        variance = np.exp(0.1 * self.random.standard_normal(channels))
        parts = [self.constant(part, np.float32) for part in (gamma, beta, mean, variance)]
        return str(self.node("BatchNormalization", x, *parts, epsilon=1e-5))


def _basic_block(graph: _SsdGraph, x: str, before: int, after: int, stride: int) -> str:
    y = graph.batch_norm(graph.conv(x, (before, after), 3, stride, 1, False, 2.0), after, 1.0)
    y = graph.conv(graph.node("Relu", y), (after, after), 3, 1, 1, False, 2.0)
    y = graph.batch_norm(y, after, 0.4)  # a small residual, so that values do not grow over thirteen blocks
    if before != after:
        x = graph.batch_norm(graph.conv(x, (before, after), 1, stride, 0, False, 1.0), after, 1.0)
    return str(graph.node("Relu", graph.node("Add", y, x)))


def _features(graph: _SsdGraph, image: str) -> list[str]:
    """Adds the backbone and the extra blocks; returns the six feature maps."""
    x = graph.batch_norm(graph.conv(image, (3, 64), 7, 2, 3, False, 2.0), 64, 1.0)
    x = graph.node("MaxPool", graph.node("Relu", x), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    before = 64
    for blocks, channels, stride in _STAGES:
        for block in range(blocks):
            x = _basic_block(graph, x, before, channels, stride if block == 0 else 1)
            before = channels
    maps = [x]
    for before, middle, after, stride, pad in _EXTRAS:
        x = graph.node("Relu", graph.conv(x, (before, middle), 1, 1, 0, True, 2.0))
        x = graph.node("Relu", graph.conv(x, (middle, after), 3, stride, pad, True, 2.0))
        maps.append(x)
    return maps


def _heads(graph: _SsdGraph, maps: list[str]) -> tuple[str, str]:
    """Adds the twelve head convolutions; returns raw loc (n, 4, P) and conf (n, 81, P)."""
    parts: dict[int, list[str]] = {4: [], CLASSES: []}
    for x, channels, boxes in zip(maps, FEATURE_CHANNELS, BOXES_PER_CELL, strict=True):
        for rows, gain in ((4, 0.5), (CLASSES, 2.0)):
            y = graph.conv(x, (channels, rows * boxes), 3, 3, 1, True, gain)
            parts[rows].append(graph.node("Reshape", y, graph.constant([0, rows, -1], np.int64)))
    loc = graph.node("Concat", *parts[4], axis=2, name="loc")
    conf = graph.node("Concat", *parts[CLASSES], axis=2, name="conf")
    return loc, conf


def _decode_and_suppress(
    graph: _SsdGraph,
    loc: str,
    conf: str,
    default_boxes: NDArray[np.float32],
    classes: int = CLASSES,
    padded: bool = False,
) -> None:
    """Adds the published end of the graph: boxes and scores from raw heads, NMS per class, best 200; opset 10.

    If padded, it always outputs 200 rows; padding rows have score and label 0 and no area.
    """
    centers = graph.constant(default_boxes[None, :, :2], np.float32)
    sizes = graph.constant(default_boxes[None, :, 2:], np.float32)
    offsets = graph.node("Transpose", loc, perm=[0, 2, 1])
    offset_xy, offset_wh = graph.node("Split", offsets, outputs=2, axis=2, split=[2, 2])
    shift = graph.node("Mul", graph.node("Mul", offset_xy, graph.constant(0.1, np.float32)), sizes)
    center = graph.node("Add", shift, centers)
    growth = graph.node("Exp", graph.node("Mul", offset_wh, graph.constant(0.2, np.float32)))
    half = graph.node("Mul", graph.node("Mul", growth, sizes), graph.constant(0.5, np.float32))
    corners = [graph.node("Sub", center, half), graph.node("Add", center, half)]
    boxes = graph.node("Concat", *corners, axis=2)  # (1, P, 4)

    softmax = graph.node("Softmax", graph.node("Transpose", conf, perm=[0, 2, 1]), axis=2)
    scores = graph.node("Transpose", softmax, perm=[0, 2, 1])
    first, last, axis = (graph.constant([value], np.int64) for value in (1, classes, 1))
    scores = graph.node("Slice", scores, first, last, axis)  # (1, 80, P), no background
    limits = [
        graph.constant([_MAX_DETECTIONS], np.int64),
        graph.constant([0.5], np.float32),
        graph.constant([0.05], np.float32),
    ]
    kept = graph.node("NonMaxSuppression", boxes, scores, *limits)  # (M, 3): batch, class, box

    column = [graph.node("Gather", kept, graph.constant(i, np.int64), axis=1) for i in (1, 2)]
    row_start = graph.node("Mul", column[0], graph.constant(len(default_boxes), np.int64))
    flat = graph.node("Add", row_start, column[1])
    kept_scores = graph.node("Gather", graph.node("Reshape", scores, graph.constant([-1], np.int64)), flat, axis=0)
    if padded:
        kept_scores = graph.node("Concat", kept_scores, graph.constant(np.zeros(_MAX_DETECTIONS), np.float32), axis=0)
        for i, padding in enumerate((-1, len(default_boxes))):  # the class before the first, the box after the last
            rows = graph.constant(np.full(_MAX_DETECTIONS, padding), np.int64)
            column[i] = graph.node("Concat", column[i], rows, axis=0)
        boxes = graph.node("Concat", boxes, graph.constant(np.zeros((1, 1, 4)), np.float32), axis=1)
        count = graph.constant([_MAX_DETECTIONS], np.int64)
    else:
        available = graph.node("Cast", graph.node("Shape", kept_scores), to=TensorProto.FLOAT)
        at_most = graph.node("Min", available, graph.constant([float(_MAX_DETECTIONS)], np.float32))
        count = graph.node("Cast", at_most, to=TensorProto.INT64)
    best_scores, order = graph.node("TopK", kept_scores, count, outputs=2, axis=0)
    labels = graph.node("Add", graph.node("Gather", column[0], order, axis=0), graph.constant(1, np.int64))
    # The published file stores one more constant, the index of each box; it changes nothing.
    index = graph.constant(np.arange(len(default_boxes) + padded), np.int64)
    chosen = graph.node("Gather", index, graph.node("Gather", column[1], order, axis=0), axis=0)
    graph.node("Gather", boxes, chosen, axis=1, name="bboxes")
    graph.node("Unsqueeze", labels, axes=[0], name="labels")
    graph.node("Unsqueeze", best_scores, axes=[0], name="scores")


def _model(
    graph: _SsdGraph,
    name: str,
    inputs: dict[str, list[int | str]],
    outputs: list[onnx.ValueInfoProto],
    opset: int,
) -> onnx.ModelProto:
    ports = [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in inputs.items()]
    proto = helper.make_graph(graph.nodes, name, ports, outputs, graph.initializers)
    # The oldest IR version that supports the opset, so that old tools can read the file.
    opsets = [helper.make_opsetid("", opset)]
    ir_version = helper.find_min_ir_version_for(opsets)
    return helper.make_model(proto, opset_imports=opsets, ir_version=ir_version, producer_name="streamdet")


def _published_outputs(rows: int | str = "detections") -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info("bboxes", TensorProto.FLOAT, [1, rows, 4]),
        helper.make_tensor_value_info("labels", TensorProto.INT64, [1, rows]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, rows]),
    ]


def build_ssd_resnet34(form: SsdOutputs, *, seed: int = 0, size: int = FLAGSHIP_SIZE) -> onnx.ModelProto:
    """Returns the network with random weights from `seed`; the result depends only on the arguments.

    Batch normalization stays a separate layer, as in the trained file: sessions fold it when they load a model, and
    counting parameters needs it.

    Args:
        form: the outputs. Both forms of one seed have the same weights.
        seed: random seed of the weights.
        size: side of its input in pixels, at least 448; smaller than 1200 only for quick tests.
    """
    if size < MIN_SIZE:
        raise ValueError(f"the last feature map needs an input of at least {MIN_SIZE} pixels, got {size}")
    graph = _SsdGraph(np.random.default_rng(seed))
    loc, conf = _heads(graph, _features(graph, "image"))
    name = f"ssd-resnet34-{size}-{form.value}"
    if form is SsdOutputs.PUBLISHED:
        _decode_and_suppress(graph, loc, conf, flagship_boxes_cxcywh(size))
        model = _model(graph, name, {"image": [1, 3, size, size]}, _published_outputs(), _PUBLISHED_OPSET)
    else:
        shapes = {"loc": ["batch", 4, flagship_box_count(size)], "conf": ["batch", CLASSES, flagship_box_count(size)]}
        outputs = [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in shapes.items()]
        model = _model(graph, name, {"image": ["batch", 3, size, size]}, outputs, _HEADS_OPSET)
    about = f"Architecture of ssd-resnet34-1200 with random weights (seed {seed}): it detects nothing."
    helper.set_model_props(model, {RANDOM_WEIGHTS_KEY: "1", "streamdet.about": about})
    return model


def build_nms_tail(default_boxes: NDArray[np.float32], classes: int = CLASSES, padded: bool = False) -> onnx.ModelProto:
    """Returns only the end of the published graph: inputs `loc` (1, 4, P) and `conf` (1, classes, P), no weights.

    Args:
        default_boxes: (P, 4) default boxes.
        classes: number of classes including the background.
        padded: always output 200 rows.
    """
    graph = _SsdGraph(np.random.default_rng(0))
    _decode_and_suppress(graph, "loc", "conf", default_boxes, classes, padded)
    count = len(default_boxes)
    inputs: dict[str, list[int | str]] = {"loc": [1, 4, count], "conf": [1, classes, count]}
    return _model(
        graph, "ssd-tail", inputs, _published_outputs(_MAX_DETECTIONS if padded else "detections"), _PUBLISHED_OPSET
    )
