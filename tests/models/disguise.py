"""Variants of the published graph: changes of exporters and editing tools that keep the network."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper, version_converter

from streamdet.models.onnx_graph import GraphLinks, rename_values
from streamdet.models.recognize import IMAGENET_NORMALIZATION


def copy(model: onnx.ModelProto) -> onnx.ModelProto:
    return onnx.ModelProto.FromString(model.SerializeToString())


def set_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> onnx.ModelProto:
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def renamed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Renames every value and node, some to names that the converter itself uses."""
    model = copy(model)
    graph = model.graph
    kept = {value.name for value in (*graph.input, *graph.output)}
    values = {name for node in graph.node for name in (*node.input, *node.output)} - kept
    wanted = ["loc", "conf", "loc_0", "loc_shape", "image_mean", "stem_weights", "index"]
    names = wanted + [f"v{i}" for i in range(len(values))]
    rename_values(graph, dict(zip(sorted(values), names, strict=False)))
    for i, node in enumerate(graph.node):
        node.name = wanted[i] if i < len(wanted) else ("" if i % 3 else f"n{i}")
    return model


def with_constant_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    model = copy(model)
    nodes = [helper.make_node("Constant", [], [t.name], f"c_{t.name}", value=t) for t in model.graph.initializer]
    nodes += model.graph.node
    del model.graph.initializer[:]
    return set_nodes(model, nodes)


def with_weights_as_inputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Lists the weights as inputs, as files of IR version 3 must."""
    model = copy(model)
    model.ir_version = 3
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return model


def with_identities(model: onnx.ModelProto) -> onnx.ModelProto:
    """Adds an Identity before each weight, and one before each reader of a feature map."""
    model = copy(model)
    nodes = []
    for i, node in enumerate(model.graph.node):
        if node.op_type == "Conv":
            for place in (0, 1):
                name = f"same_{i}_{place}"
                nodes.append(helper.make_node("Identity", [node.input[place]], [name], name))
                node.input[place] = name
        nodes.append(node)
    return set_nodes(model, nodes)


def shuffled(model: onnx.ModelProto) -> onnx.ModelProto:
    """Shuffles the nodes into another valid order, and stores the shapes for a batch of one."""
    model = onnx.shape_inference.infer_shapes(copy(model))
    random = np.random.default_rng(0)
    waiting = list(model.graph.node)
    ready = {value.name for value in (*model.graph.input, *model.graph.initializer)} | {""}
    order = []
    while waiting:
        able = [node for node in waiting if ready.issuperset(node.input)]
        node = able[random.integers(len(able))]
        waiting.remove(node)
        ready.update(node.output)
        order.append(node)
    return set_nodes(model, order)


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Folds batch normalizations into the convolutions before them."""
    model = copy(model)
    links = GraphLinks.of(model.graph)
    tensors = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    nodes, changed, gone = [], {}, {}
    for node in model.graph.node:
        if node.op_type != "BatchNormalization":
            nodes.append(node)
            continue
        conv = links.producers[node.input[0]]
        gamma, beta, mean, variance = (tensors[name] for name in node.input[1:])
        scale = gamma / np.sqrt(variance + 1e-5)
        changed[conv.input[1]] = tensors[conv.input[1]] * scale.reshape(-1, 1, 1, 1)
        bias = f"{conv.input[1]}_bias"
        changed[bias] = beta - mean * scale
        gone[node.output[0]] = conv.output[0]
        next(n for n in nodes if n.output[0] == conv.output[0]).input.append(bias)
    kept = [t for t in model.graph.initializer if t.name not in changed]
    kept += [numpy_helper.from_array(value.astype(np.float32), name) for name, value in changed.items()]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    set_nodes(model, nodes)
    rename_values(model.graph, gone)
    return model


def at(opset: int):
    def newer(model: onnx.ModelProto) -> onnx.ModelProto:
        return version_converter.convert_version(copy(model), opset)

    newer.__name__ = f"opset_{opset}"
    return newer


def of_any_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    model = copy(model)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
    return model


def of_any_size(model: onnx.ModelProto) -> onnx.ModelProto:
    model = copy(model)
    for dimension, name in zip(model.graph.input[0].type.tensor_type.shape.dim[2:], "hw", strict=True):
        dimension.dim_param = name
    return model


def everything(model: onnx.ModelProto) -> onnx.ModelProto:
    return shuffled(with_constant_nodes(with_identities(renamed(folded(model)))))


def self_normalizing(model: onnx.ModelProto, unit: float = 1.0, bgr: bool = True) -> onnx.ModelProto:
    """Takes BGR values in 0..255 (0..1 with `unit` 255) and normalizes them itself, as the converted form does."""
    model = copy(model)
    mean, std = (
        np.array(IMAGENET_NORMALIZATION[key], np.float32).reshape(1, 3, 1, 1) / unit for key in ("mean", "std")
    )
    parts = [("front_mean", mean), ("front_std", std), ("front_order", np.array([2, 1, 0] if bgr else [0, 1, 2]))]
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in parts)
    image = model.graph.input[0].name
    rename_values(model.graph, {image: "normalized"})
    model.graph.input[0].name = image
    front = [
        helper.make_node("Gather", [image, "front_order"], ["ordered"], "ordered", axis=1),
        helper.make_node("Sub", ["ordered", "front_mean"], ["centered"], "centered"),
        helper.make_node("Div", ["centered", "front_std"], ["normalized"], "normalized"),
    ]
    return set_nodes(model, [*front, *model.graph.node])


QUICK = (everything, with_weights_as_inputs, of_any_size)
ONE_BY_ONE = (
    copy, renamed, with_constant_nodes, with_identities, shuffled, folded, of_any_batch,
    at(13), at(17), at(20),
)  # fmt: skip


def first_head(model: onnx.ModelProto) -> onnx.NodeProto:
    heads = (n for n in model.graph.node if any(a.name == "strides" and list(a.ints) == [3, 3] for a in n.attribute))
    return next(heads)


def without_a_head(model: onnx.ModelProto) -> onnx.ModelProto:
    model = copy(model)
    head = first_head(model)
    for attribute in head.attribute:
        if attribute.name in ("strides", "kernel_shape"):
            del attribute.ints[:]
            attribute.ints.extend([3, 3] if attribute.name == "kernel_shape" else [2, 2])
    return model


def with_another_stride(model: onnx.ModelProto) -> onnx.ModelProto:
    """The third stage halves the resolution, as in the usual ResNet-34."""
    model = copy(model)
    links = GraphLinks.of(model.graph)
    dims = {t.name: tuple(t.dims) for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Conv" and dims[node.input[1]][:2] == (256, 128) and node.output[0] in links.producers:
            shape = dims[node.input[1]]
            if shape in ((256, 128, 3, 3), (256, 128, 1, 1)):
                for attribute in node.attribute:
                    if attribute.name == "strides":
                        del attribute.ints[:]
                        attribute.ints.extend([2, 2])
                if shape == (256, 128, 1, 1):
                    break
    return model
