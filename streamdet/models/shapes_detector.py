"""The bundled detector for `synthetic:shapes`: a network whose weights are set by hand, not learned.

It finds the scene's shapes by color, so it works on that scene only. With it the whole pipeline can be tried and
tested without a download. How it works:

1. A 1x1 convolution turns RGB into a score for each class; scores above one half form a mask.
2. Each masked pixel carries its coordinates as rising and falling ramps, pooled to a grid of 4x4 pixels.
3. Max-pooling, masked again after every step, spreads the largest values inside each blob: the blob's right, left,
   bottom and top, the strength of its most solid part, and its highest cell number.
4. The one cell that gets its own number back represents the blob; the 64 strongest are the output.

Blobs of one class that touch, or lie in adjacent cells, become one object.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from streamdet.model_spec.spec import Contract, ModelSpec, Resize

_WIDTH, _HEIGHT = 320, 180
_CELL = 4
_STEPS = 15
"""Number of cells that values spread over. The scene's largest shape is 11 cells wide; in a partly hidden one the path
bends."""

_MAX_DETECTIONS = 64
_MIN_SIDE_PX = 3.0

_LABELS = ("disc", "box", "triangle")
# Red, green and blue minus the mean of the other two channels, relative to the same value of the class's color
# (streamdet.scenes.shapes_art.CLASS_COLORS): 0 on the gray background, about 1 on the shape, 1/2 at its edge.
_AXES = ((1.0, -0.5, -0.5), (-0.5, -0.5, 1.0), (-0.5, 1.0, -0.5))
_CLASS_COLORS = ((240, 84, 84), (62, 126, 242), (44, 186, 112))


class _ShapesGraph:
    """Collects the nodes and constants of the graph; every method returns the name of what it adds."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: object, dtype: type = np.float32) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def add(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output


def shapes_model() -> tuple[ModelSpec, bytes]:
    """Returns the detector of the shapes scene: its spec and its ONNX file."""
    spec = ModelSpec(
        name="synthetic-shapes",
        contract=Contract.END2END,
        width=_WIDTH,
        height=_HEIGHT,
        rgb=True,
        resize=Resize.STRETCH,
        box_order="xyxy",
        box_normalized=True,
        labels=_LABELS,
        conf=0.5,
        iou=0.5,
        licence="Apache-2.0",
        about="finds the shapes of synthetic: by color; weights set by hand, not learned",
    )
    return spec, _build().SerializeToString(deterministic=True)


def _build() -> onnx.ModelProto:
    graph = _ShapesGraph()
    mask = _class_masks(graph)
    state, cells, numbers = _start_state(graph, mask)
    for step in range(_STEPS):
        pooled = graph.add("MaxPool", [state], f"spread_{step}", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        state = graph.add("Mul", [pooled, cells], f"masked_{step}")
    _read_out(graph, state, numbers)
    count = _MAX_DETECTIONS
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "synthetic-shapes",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, _HEIGHT, _WIDTH])],
            [
                helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, count, 4]),
                helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, count]),
                helper.make_tensor_value_info("labels", TensorProto.INT64, [1, count]),
            ],
            graph.constants,
        ),
        producer_name="streamdet",
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _class_masks(graph: _ShapesGraph) -> str:
    """Returns (3, 1, H, W): 1 where a pixel has the color of a class; the batch axis holds the classes."""
    axes = np.array(_AXES)
    nominal = (axes * np.array(_CLASS_COLORS)).sum(axis=1, keepdims=True)
    weights = graph.constant("color_axes", (axes / nominal).reshape(3, 3, 1, 1))
    class_match = graph.add("Conv", ["images", weights], "evidence")
    above = graph.add("Greater", [class_match, graph.constant("half", 0.5)], "above_half")
    mask = graph.add("Cast", [above], "mask", to=TensorProto.FLOAT)
    return graph.add("Transpose", [mask], "class_masks", perm=[1, 0, 2, 3])


def _start_state(graph: _ShapesGraph, mask: str) -> tuple[str, str, str]:
    """Returns the state (3, 6, h, w) to spread, the cell mask (3, 1, h, w) and the cell numbers (1, 1, h, w).

    The channels of the state are right, left, bottom, top (larger = further out), cell number, strength.
    """
    columns, rows = np.arange(_WIDTH), np.arange(_HEIGHT)
    across = graph.constant("across", np.stack([columns + 1, _WIDTH - columns]).reshape(1, 2, 1, _WIDTH))
    down = graph.constant("down", np.stack([rows + 1, _HEIGHT - rows]).reshape(1, 2, _HEIGHT, 1))
    ends = [graph.add("Mul", [mask, across], "right_left"), graph.add("Mul", [mask, down], "bottom_top")]
    pool = {"kernel_shape": [_CELL, _CELL], "strides": [_CELL, _CELL]}
    extents = graph.add("MaxPool", [graph.add("Concat", ends, "ends", axis=1)], "extents", **pool)
    cells = graph.add("MaxPool", [mask], "cells", **pool)

    grid_rows, grid_columns = _HEIGHT // _CELL, _WIDTH // _CELL
    numbers = graph.constant(
        "numbers", np.arange(1, grid_rows * grid_columns + 1).reshape(1, 1, grid_rows, grid_columns)
    )
    numbered = graph.add("Mul", [cells, numbers], "numbered")
    # The largest fraction of masked pixels in any 4x4 block: 1 inside a shape, less in a sliver.
    solid = graph.add(
        "AveragePool", [mask], "solid", kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=0
    )
    strongest = graph.add("MaxPool", [solid], "solid_cells", kernel_shape=[2, 2], strides=[2, 2])
    strength = graph.add("Mul", [strongest, cells], "strength")
    return graph.add("Concat", [extents, numbered, strength], "state", axis=1), cells, numbers


def _read_out(graph: _ShapesGraph, state: str, numbers: str) -> None:
    """Adds the outputs: for each blob the one cell that got its own number back, best first."""
    sizes = graph.constant("channels", [4, 1, 1], np.int64)
    graph.nodes.append(helper.make_node("Split", [state, sizes], ["far_ends", "highest", "strongest"], axis=1))
    peaks = graph.add("Cast", [graph.add("Equal", ["highest", numbers], "is_own")], "stands", to=TensorProto.FLOAT)
    # right, left, bottom, top -> left, top, right, bottom in 0..1 of the picture
    turn = np.zeros((4, 4, 1, 1))
    turn[0, 1], turn[1, 3], turn[2, 0], turn[3, 2] = -1 / _WIDTH, -1 / _HEIGHT, 1 / _WIDTH, 1 / _HEIGHT
    corners = graph.add(
        "Conv",
        ["far_ends", graph.constant("turn", turn), graph.constant("turn_zero", [1, 1, 0, 0])],
        "corners",
    )
    # (3, 4, h, w) -> (3, h, w, 4) -> (3 * h * w, 4)
    last = graph.add("Transpose", [corners], "corners_last", perm=[0, 2, 3, 1])
    rows = graph.add("Reshape", [last, graph.constant("as_rows", [-1, 4], np.int64)], "all_boxes")

    lows = graph.add("Slice", [corners, *_slice(graph, "low", 0, 2)], "lows")
    highs = graph.add("Slice", [corners, *_slice(graph, "high", 2, 4)], "highs")
    sides = graph.add("Sub", [highs, lows], "sides")
    least = graph.constant(
        "least_sides", np.array([(_MIN_SIDE_PX - 0.5) / n for n in (_WIDTH, _HEIGHT)]).reshape(1, 2, 1, 1)
    )
    large = graph.add("Cast", [graph.add("Greater", [sides, least], "is_large")], "large", to=TensorProto.FLOAT)
    both = graph.add("ReduceMin", [large], "large_both", axes=[1], keepdims=1)
    kept = graph.add("Mul", [graph.add("Mul", ["strongest", peaks], "standing"), both], "kept")
    flat = graph.add("Reshape", [kept, graph.constant("as_flat", [1, -1], np.int64)], "all_scores")

    count = graph.constant("count", [_MAX_DETECTIONS], np.int64)
    graph.nodes.append(helper.make_node("TopK", [flat, count], ["scores", "which"], axis=1))
    graph.add("Gather", [rows, "which"], "boxes", axis=0)
    per_class = graph.constant("per_class", (_HEIGHT // _CELL) * (_WIDTH // _CELL), np.int64)
    graph.add("Div", ["which", per_class], "labels")


def _slice(graph: _ShapesGraph, name: str, start: int, end: int) -> list[str]:
    """Returns the inputs of a Slice of channels."""
    return [
        graph.constant(f"{name}_start", [start], np.int64),
        graph.constant(f"{name}_end", [end], np.int64),
        graph.constant(f"{name}_axis", [1], np.int64),
    ]
