"""Levels of a pyramid turned to rows of boxes each by itself, where integer layers have channels last anyway."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from streamdet.models.operation_count import value_shapes


def turn_early(model: onnx.ModelProto) -> None:
    """Moves a Transpose behind joined levels in front of the Reshape of each; changes `model`, and no value it gives.

    (N, channels, height, width) of each level are reshaped to (N, channels, cells), joined, and transposed. Transposing
    first costs float layers the same, and integer ones nothing: 0.2 of 6.3 ms in YOLOX-nano.
    """
    made_by = {name: node for node in model.graph.node for name in node.output}
    shapes = value_shapes(model)
    readers = [name for node in model.graph.node for name in node.input]
    kept = {value.name for value in model.graph.output}
    for transpose in [node for node in model.graph.node if node.op_type == "Transpose"]:
        concat = made_by.get(transpose.input[0])
        if concat is None or concat.op_type != "Concat" or _attribute(transpose, "perm") != [0, 2, 1]:
            continue
        levels = [made_by.get(name) for name in concat.input]
        joined = [*concat.input, *concat.output]
        alone = all(readers.count(name) == 1 and name not in kept for name in joined)
        if alone and _attribute(concat, "axis") in (2, -1) and all(_flattens(level, shapes) for level in levels):
            _turn(model, transpose, concat, [level for level in levels if level is not None], shapes)


def _attribute(node: onnx.NodeProto, name: str) -> Any:
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), None)


def _flattens(node: onnx.NodeProto | None, shapes: dict[str, tuple[int, ...]]) -> bool:
    """Tells whether a node makes (N, channels, cells) of (N, channels, height, width)."""
    if node is None or node.op_type != "Reshape":
        return False
    before, after = shapes.get(node.input[0], ()), shapes.get(node.output[0], ())
    return len(before) == 4 and 0 not in before and after == (*before[:2], before[2] * before[3])


def _turn(
    model: onnx.ModelProto,
    transpose: onnx.NodeProto,
    concat: onnx.NodeProto,
    levels: list[onnx.NodeProto],
    shapes: dict[str, tuple[int, ...]],
) -> None:
    nodes = list(model.graph.node)
    for level in levels:
        name, channels = level.output[0], shapes[level.input[0]][1]
        turned, sizes = f"{name}_channels_last", f"{name}_rows"
        model.graph.initializer.append(numpy_helper.from_array(np.array([0, -1, channels], np.int64), sizes))
        place = nodes.index(level)
        nodes[place : place + 1] = [
            helper.make_node("Transpose", [level.input[0]], [turned], f"Transpose_{turned}", perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", [turned, sizes], [name], level.name),
        ]
    nodes[nodes.index(concat)] = helper.make_node("Concat", concat.input, transpose.output, concat.name, axis=1)
    nodes.remove(transpose)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
