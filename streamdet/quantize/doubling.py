"""Pictures made twice as large by repeating pixels, as copies of bytes instead of a Resize."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

_REPEATS = {
    (b"asymmetric", b"floor"),
    (b"half_pixel", b"round_prefer_floor"),
    (b"pytorch_half_pixel", b"round_prefer_floor"),
}
"""Ways to find the nearest pixel that, at twice the size, give each pixel twice."""


def repeats(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Tells whether a node is a Resize that gives each pixel of a batch of pictures four times.

    Args:
        node: of the float graph.
        shapes: of its input and output.
    """
    given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if node.op_type != "Resize" or given.get("mode", b"nearest") != b"nearest" or "axes" in given:
        return False
    way = given.get("coordinate_transformation_mode", b"half_pixel"), given.get("nearest_mode", b"round_prefer_floor")
    before, after = shapes.get(node.input[0], ()), shapes.get(node.output[0], ())
    known = len(before) == 4 and 0 not in before
    return known and after == (*before[:2], 2 * before[2], 2 * before[3]) and way in _REPEATS


def copies(source: str, target: str, shape: tuple[int, ...]) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Returns nodes that give each pixel of integers four times, and their constants.

    With channels last, as ONNX Runtime's integer layers have them, pixels beside each other are a Concat and a Reshape,
    and so are rows. Its Resize looks each value up: the two of YOLOX-nano took 0.3 of 6.4 ms.

    Args:
        source: integers (N, channels, height, width).
        target: integers (N, channels, 2 * height, 2 * width).
        shape: of the source; N may change.
    """
    _, channels, height, width = shape
    last, beside, wide, below, doubled = (f"{target}_{step}" for step in ("last", "beside", "wide", "below", "doubled"))
    sizes = {
        f"{wide}_shape": (0, height, 2 * width, channels),
        f"{doubled}_shape": (0, 2 * height, 2 * width, channels),
    }
    nodes = [
        helper.make_node("Transpose", [source], [last], f"Transpose_{last}", perm=[0, 2, 3, 1]),
        helper.make_node("Concat", [last, last], [beside], f"Concat_{beside}", axis=3),
        helper.make_node("Reshape", [beside, f"{wide}_shape"], [wide], f"Reshape_{wide}"),
        helper.make_node("Concat", [wide, wide], [below], f"Concat_{below}", axis=2),
        helper.make_node("Reshape", [below, f"{doubled}_shape"], [doubled], f"Reshape_{doubled}"),
        helper.make_node("Transpose", [doubled], [target], f"Transpose_{target}", perm=[0, 3, 1, 2]),
    ]
    return nodes, [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in sizes.items()]
