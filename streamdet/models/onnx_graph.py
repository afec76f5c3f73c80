"""Tools for ONNX graphs: find the producers of a value, extract subgraphs, rename values, convert opsets."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from streamdet.errors import ModelError
from streamdet.redact import redact

PASS_THROUGH = frozenset({"Identity", "Cast", "Dropout", "QuantizeLinear", "DequantizeLinear"})
"""Operators that pass their first input on, at most with another type."""


@dataclass(frozen=True, slots=True)
class GraphLinks:
    """Producers and stored values of a graph.

    Attributes:
        producers: node by the name of each of its outputs.
        stored: initializer by name.
    """

    producers: Mapping[str, onnx.NodeProto]
    stored: Mapping[str, onnx.TensorProto]

    @classmethod
    def of(cls, graph: onnx.GraphProto) -> GraphLinks:
        """Reads the links of a graph."""
        producers = {name: node for node in graph.node for name in node.output if name}
        return cls(producers, {tensor.name: tensor for tensor in graph.initializer})

    def origin(self, name: str) -> str:
        """Returns the source of a value, behind operators that only pass it on."""
        while (node := self.producers.get(name)) is not None and node.op_type in PASS_THROUGH:
            name = node.input[0]
        return name

    def nodes_leading_to(self, names: Iterable[str], stop: frozenset[str] = frozenset()) -> list[onnx.NodeProto]:
        """Returns the nodes that values depend on, in topological order; it stops at the values of `stop`.

        Raises:
            ModelError: the graph has a cycle.
        """
        order: list[onnx.NodeProto] = []
        state: dict[str, bool] = {}  # by first output of a node: True if it is in `order`, False while it waits
        waiting = list(names)
        while waiting:
            name = waiting[-1]
            node = None if name in stop else self.producers.get(name)
            key = "" if node is None else next(o for o in node.output if o)
            if node is None or state.get(key):
                waiting.pop()
            elif key in state:
                waiting.pop()
                state[key] = True
                order.append(node)
            else:
                state[key] = False
                before = [i for i in node.input if i and i not in stop and i in self.producers]
                keys = [next(o for o in self.producers[i].output if o) for i in before]
                if any(state.get(k) is False for k in keys):
                    raise ModelError("the graph has a cycle: export the model again")
                waiting += before
        return order


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """Returns the value of a node's attribute."""
    for entry in node.attribute:
        if entry.name == name:
            return onnx.helper.get_attribute_value(entry)
    return default


def simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns a copy with constants as initializers and without Identity nodes."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    kept: list[onnx.NodeProto] = []
    sources: dict[str, str] = {}
    outputs = {value.name for value in graph.output}
    for node in graph.node:
        if node.op_type == "Constant" and (tensor := _constant(node)) is not None:
            graph.initializer.append(tensor)
        elif node.op_type == "Identity" and node.output[0] not in outputs:
            sources[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    for node in kept:
        for i, name in enumerate(node.input):
            while name in sources:
                name = sources[name]
            node.input[i] = name
    del graph.node[:]
    graph.node.extend(kept)
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]  # old files list weights as inputs too
    del graph.input[:]
    graph.input.extend(inputs)
    return copy


def _constant(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """Returns the value of a Constant node; None for strings and sparse values."""
    for entry in node.attribute:
        if entry.name == "value":
            tensor = onnx.TensorProto()
            tensor.CopyFrom(entry.t)
            tensor.name = node.output[0]
            return tensor
        if entry.name in ("value_float", "value_floats", "value_int", "value_ints"):
            value = onnx.helper.get_attribute_value(entry)
            array = np.asarray(value, np.float32 if "float" in entry.name else np.int64)
            return onnx.numpy_helper.from_array(array, node.output[0])
    return None


def extract_subgraph(
    model: onnx.ModelProto,
    inputs: Iterable[onnx.ValueInfoProto],
    outputs: Iterable[str],
    stop: frozenset[str] = frozenset(),
) -> onnx.ModelProto:
    """Returns a new model of the nodes between `inputs` and `outputs`, without unused weights.

    Args:
        model: a model from `simplified`.
        inputs: inputs of the new model.
        outputs: names of its outputs; their shapes are left open.
        stop: values whose producers are left out, since they are inputs now.
    """
    outputs = list(outputs)
    links = GraphLinks.of(model.graph)
    nodes = links.nodes_leading_to(outputs, stop)
    for node in nodes:
        if any(a.HasField("g") or a.graphs for a in node.attribute):
            raise ModelError(f"the part to keep contains control flow ({node.op_type}), which is not supported")
    used = {name for node in nodes for name in node.input}
    weights = [tensor for tensor in model.graph.initializer if tensor.name in used]
    ports = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs]
    graph = onnx.helper.make_graph(nodes, model.graph.name or "net", list(inputs), ports, weights)
    domains = {node.domain or "" for node in nodes} | {""}
    opsets = [o for o in model.opset_import if (o.domain if o.domain != "ai.onnx" else "") in domains]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=model.ir_version)


def rename_values(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Renames values of a graph without subgraphs, in place."""
    for node in graph.node:
        for field in (node.input, node.output):
            for i, name in enumerate(field):
                field[i] = names.get(name, name)
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        value.name = names.get(value.name, value.name)


def free_names(graph: onnx.GraphProto, wanted: Iterable[str]) -> dict[str, str]:
    """Frees the names in `wanted` by renaming values and nodes that use them; returns the new names of values."""
    wanted = set(wanted)
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    taken |= {value.name for value in (*graph.input, *graph.initializer)}
    node_names = {node.name for node in graph.node}
    for node in graph.node:
        if node.name in wanted:
            node.name = _unused_name(node.name, node_names | wanted)
            node_names.add(node.name)
    names = {name: _unused_name(name, taken | wanted) for name in sorted(wanted & taken)}
    rename_values(graph, names)
    return names


def _unused_name(name: str, taken: set[str]) -> str:
    return next(free for i in itertools.count(1) if (free := f"{name}_{i}") not in taken)


def sort_nodes(model: onnx.ModelProto) -> None:
    """Sorts nodes topologically, and removes nodes that no output depends on."""
    ordered = GraphLinks.of(model.graph).nodes_leading_to(value.name for value in model.graph.output)
    ordered = [onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
    del model.graph.node[:]
    model.graph.node.extend(ordered)


def opset_of(model: onnx.ModelProto) -> int:
    """Returns the version of ONNX's own operators, 0 if the file states none."""
    return max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)


def upgrade_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """Returns the model converted to `opset`; unchanged if its opset is not older.

    Raises:
        ModelError: an operator cannot be converted.
    """
    if opset_of(model) >= opset:
        return model
    try:
        model.ir_version = max(model.ir_version, 4)  # before IR version 4, weights had to be listed as inputs
        newer = onnx.version_converter.convert_version(model, opset)
    except Exception as error:
        reason = redact(" ".join(str(error).split()))[:200]
        raise ModelError(f"cannot be converted to opset {opset}: {reason}") from None
    newer.ir_version = onnx.helper.find_min_ir_version_for(list(newer.opset_import))
    del newer.graph.value_info[:]
    return newer
