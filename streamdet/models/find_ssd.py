"""Finds the flagship's network in any export of it, by structure, and reduces it to its raw heads.

Exporters differ in node names, opsets, folded batch normalizations, constants and everything after the heads. The
network itself cannot differ: twelve 3x3 convolutions of stride 3, two on each of six feature maps.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from streamdet.errors import ModelError
from streamdet.model_spec.default_boxes import BOXES_PER_CELL, feature_sizes, flagship_box_count, head_grids
from streamdet.models.onnx_graph import (
    GraphLinks,
    attribute,
    extract_subgraph,
    free_names,
    rename_values,
    simplified,
    upgrade_opset,
)
from streamdet.models.operation_count import value_shapes
from streamdet.models.ssd_resnet34 import FEATURE_CHANNELS

log = logging.getLogger(__name__)

OPSET = 17
"""Opset of written models: per-channel quantization needs 13, and every current runtime reads 17."""

_HEADS = 2 * len(BOXES_PER_CELL)
_EXPECTED = (
    "looked for 12 head convolutions (3x3, stride 3, padding 1), two on each of 6 feature maps, with 4k and "
    "(1 + classes)k channels for k = 4, 6, 6, 6, 4, 4 boxes per cell"
)
# Head names in the published file, as several projects report them: a cross-check only.
_PUBLISHED_NAMES = frozenset(f"Conv_{n}" for n in (338, 349, 360, 371, 382, 393, 404, 415, 426, 437, 448, 459))


@dataclass(frozen=True, slots=True)
class SsdHead:
    """The two head convolutions of one feature map.

    Attributes:
        loc: name of the offsets, (n, 4k, grid, grid).
        conf: name of the logits, (n, (1 + classes)k, grid, grid).
    """

    loc: str
    conf: str


@dataclass(frozen=True, slots=True)
class SsdNetwork:
    """The flagship's network in a file.

    Attributes:
        model: the simplified graph up to the heads; its outputs are the raw head convolutions.
        image: name of the input.
        size: side of the input in pixels.
        classes: number of classes including the background.
        heads: from the finest grid to the coarsest.
    """

    model: onnx.ModelProto
    image: str
    size: int
    classes: int
    heads: tuple[SsdHead, ...]


def find_ssd(model: onnx.ModelProto, name: str, size: int) -> SsdNetwork:
    """Finds the flagship's network in a graph.

    Args:
        model: any export of it.
        name: name in messages.
        size: side of its input, if the file leaves it open.

    Raises:
        ModelError: the graph is not this network; the message states what was expected and found.
    """
    model = simplified(model)
    links = GraphLinks.of(model.graph)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    found = [node for node in convolutions if _is_head(node, links)]
    if len(found) != _HEADS:
        raise _refusal(name, f"found {len(found)} of them among {len(convolutions)} convolutions")
    pairs: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in found:
        pairs[links.origin(node.input[0])].append(node)
    if len(pairs) != _HEADS // 2 or any(len(pair) != 2 for pair in pairs.values()):
        counts = ", ".join(str(len(pair)) for pair in pairs.values())
        raise _refusal(name, f"found {len(pairs)} feature maps with {counts} such convolutions on them")
    image = _image(model.graph, name)
    backbone = extract_subgraph(model, [image], [node.output[0] for node in found])
    size = square_input_size(image) or size
    shapes = _shapes_at(backbone, size)
    ordered = sorted(pairs, key=lambda feature: -_side(shapes.get(feature, ())))
    _check_maps(name, size, [shapes.get(feature, ()) for feature in ordered])
    heads, classes = _assign_heads(name, ordered, pairs, links, model.graph, shapes)
    _check_grids(name, size, [shapes.get(head.loc, ()) for head in heads])
    named = len(_PUBLISHED_NAMES & {node.name for node in found})
    if 0 < named < _HEADS:
        log.warning("%s: only %d of its 12 heads have the names of the published file: was it edited?", name, named)
    return SsdNetwork(backbone, image.name, size, classes, heads)


def to_heads(network: SsdNetwork) -> onnx.ModelProto:
    """Returns a model for any batch size with outputs `loc` (n, 4, P) and `conf` (n, 1 + classes, P).

    Raises:
        ModelError: its operators cannot be converted to `OPSET`.
    """
    model = onnx.ModelProto()
    model.CopyFrom(network.model)
    graph = model.graph
    renamed = free_names(graph, _new_names() | ({"image"} if network.image != "image" else set()))
    rename_values(graph, {renamed.get(network.image, network.image): "image"})
    del graph.output[:]
    boxes = flagship_box_count(network.size)
    for name, rows in (("loc", 4), ("conf", network.classes)):
        graph.initializer.append(onnx.numpy_helper.from_array(np.array([0, rows, -1], np.int64), f"{name}_shape"))
        parts = []
        for i, head in enumerate(network.heads):
            raw = head.loc if name == "loc" else head.conf
            parts.append(f"{name}_{i}")
            reshape = [renamed.get(raw, raw), f"{name}_shape"]
            graph.node.append(onnx.helper.make_node("Reshape", reshape, [parts[-1]], parts[-1]))
        graph.node.append(onnx.helper.make_node("Concat", parts, [name], name, axis=2))
        shape = ["batch", rows, boxes]
        graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    set_batch(model, 0)
    resize_input(model, network.size)  # default boxes depend on the size, so it is fixed
    return upgrade_opset(model, OPSET)


def _new_names() -> set[str]:
    return {
        f"{name}{end}" for name in ("loc", "conf") for end in ("", "_shape", *(f"_{i}" for i in range(_HEADS // 2)))
    }


def set_batch(model: onnx.ModelProto, batch: int) -> None:
    """Sets the batch size of all inputs and outputs, or leaves it open if `batch` is 0; in place."""
    for value in (*model.graph.input, *model.graph.output):
        dimension = value.type.tensor_type.shape.dim[0]  # the batch is always first
        if batch:
            dimension.dim_value = batch
        else:
            dimension.dim_param = "batch"


def square_input_size(image: onnx.ValueInfoProto) -> int:
    """Returns the side of a square image input; 0 if it is open or not square."""
    sides = [d.dim_value for d in image.type.tensor_type.shape.dim]
    sides = sides[2:] if sides[1] == 3 or sides[3] != 3 else sides[1:3]
    return sides[0] if sides[0] == sides[1] else 0


def _refusal(name: str, found: str) -> ModelError:
    return ModelError(f"{name} is not the network of ssd-resnet34-1200: {_EXPECTED}; {found}")


def _image(graph: onnx.GraphProto, name: str) -> onnx.ValueInfoProto:
    images = [value for value in graph.input if len(value.type.tensor_type.shape.dim) == 4]
    if len(images) != 1:
        raise _refusal(name, f"found {len(images)} image inputs, looked for one")
    return images[0]


def _is_head(node: onnx.NodeProto, links: GraphLinks) -> bool:
    weights = links.stored.get(links.origin(node.input[1]))
    return (
        weights is not None
        and tuple(weights.dims[2:]) == (3, 3)
        and list(attribute(node, "strides", [1, 1])) == [3, 3]
        and list(attribute(node, "pads", [0] * 4)) == [1] * 4
        and attribute(node, "group", 1) == 1
        and list(attribute(node, "dilations", [1, 1])) == [1, 1]
    )


def _shapes_at(model: onnx.ModelProto, size: int) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of all values for one picture of `size` pixels."""
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    resize_input(sized, size)
    return value_shapes(sized)


def resize_input(model: onnx.ModelProto, size: int) -> None:
    """Sets the sides of the image input, in place."""
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    first = 1 if dimensions[3].dim_value == 3 and dimensions[1].dim_value != 3 else 2
    for dimension in dimensions[first : first + 2]:
        dimension.dim_value = size


def _side(shape: tuple[int, ...]) -> int:
    return shape[2] if len(shape) == 4 else 0


def _check_maps(name: str, size: int, shapes: list[tuple[int, ...]]) -> None:
    wanted = [(c, side, side) for c, side in zip(FEATURE_CHANNELS, feature_sizes(size), strict=True)]
    found = [shape[1:] for shape in shapes]
    if found != wanted:
        raise _refusal(
            name,
            f"found feature maps {_shapes_text(found)} instead of {_shapes_text(wanted)} for a {size}x{size} input",
        )


def _check_grids(name: str, size: int, shapes: list[tuple[int, ...]]) -> None:
    wanted = [(4 * k, g, g) for k, g in zip(BOXES_PER_CELL, head_grids(size), strict=True)]
    found = [shape[1:] for shape in shapes]
    if found != wanted:
        raise _refusal(
            name, f"found offsets {_shapes_text(found)} instead of {_shapes_text(wanted)} for a {size}x{size} input"
        )


def _shapes_text(shapes: list[Any]) -> str:
    return ", ".join("x".join(map(str, shape)) if shape else "of unknown shape" for shape in shapes)


def _assign_heads(
    name: str,
    features: list[str],
    pairs: dict[str, list[onnx.NodeProto]],
    links: GraphLinks,
    graph: onnx.GraphProto,
    shapes: dict[str, tuple[int, ...]],
) -> tuple[tuple[SsdHead, ...], int]:
    """Identifies offsets and logits of each pair; returns the heads and the number of classes."""
    heads: list[SsdHead] = []
    classes: set[int] = set()
    for feature, k in zip(features, BOXES_PER_CELL, strict=True):
        one, other = (node.output[0] for node in pairs[feature])
        channels = [shapes.get(value, (0, 0))[1] for value in (one, other)]
        # With three classes and the background both have the same number of channels; then what follows them decides.
        swap = _meets_softmax(one, graph) if channels == [4 * k, 4 * k] else channels[0] != 4 * k
        loc, conf = (other, one) if swap else (one, other)
        count = shapes.get(conf, (0, 0))[1]
        if shapes.get(loc, (0, 0))[1] != 4 * k or count % k or count // k < 2:
            raise _refusal(
                name, f"found {channels[0]} and {channels[1]} channels on {_shapes_text([shapes[feature][1:]])}"
            )
        heads.append(SsdHead(loc, conf))
        classes.add(count // k)
    if len(classes) != 1:
        raise _refusal(name, f"found {', '.join(map(str, sorted(classes)))} classes on different feature maps")
    return tuple(heads), classes.pop()


def _meets_softmax(value: str, graph: onnx.GraphProto) -> bool:
    """Returns whether a softmax depends on a value."""
    reached = {value}
    for node in GraphLinks.of(graph).nodes_leading_to(output.name for output in graph.output):
        if reached.intersection(node.input):
            if node.op_type in ("Softmax", "LogSoftmax"):
                return True
            reached.update(node.output)
    return False
