"""Inserts QDQ pairs (QuantizeLinear, DequantizeLinear) around the nodes of a graph that are to compute in integers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from streamdet.quantize import upsample
from streamdet.quantize.graph import SAME_SCALE_OPS, Graph, integer_nodes_between
from streamdet.quantize.scale_zero_point import ScaleZeroPoint
from streamdet.quantize.weights import QuantizedWeights


@dataclass(frozen=True, slots=True)
class QuantizationParameters:
    """The parameters for quantizing any choice of layers.

    Attributes:
        activations: scale and zero point of every tensor that can be quantized, by name.
        weights: of every layer, by name.
    """

    activations: Mapping[str, ScaleZeroPoint]
    weights: Mapping[str, QuantizedWeights]


def insert_qdq(graph: Graph, chosen: Collection[str], parameters: QuantizationParameters) -> onnx.ModelProto:
    """Returns a copy of the model in which the layers `chosen`, and the nodes between them, compute in integers.

    The output of an integer node keeps its name after the QDQ pair, so its readers, outputs of the graph included, need
    no change. The output of a float node gets a pair for its integer readers only.
    """
    between = integer_nodes_between(graph, chosen)
    writer = _QdqWriter(graph, parameters, set(chosen) | between)
    for value in graph.model.graph.node:
        writer.add(value, is_layer=value.name in chosen)
    model = onnx.ModelProto()
    model.CopyFrom(graph.model)
    del model.graph.node[:]
    model.graph.node.extend(writer.nodes)
    del model.graph.initializer[:]
    used = {name for node in writer.nodes for name in node.input}
    constants = [tensor for tensor in graph.model.graph.initializer if tensor.name in used]
    model.graph.initializer.extend([*constants, *writer.constants])
    del model.graph.value_info[:]
    return model


@dataclass(slots=True)
class _QdqWriter:
    """Builds the nodes and constants of the new graph.

    Attributes:
        graph: the float graph.
        parameters: for its tensors and weights.
        integer: names of the nodes that compute in integers.
        nodes: written so far.
        constants: written so far.
        quantized: scale and zero point of the tensors quantized so far, by name.
        dequantized: by name of a float tensor, the name of its quantized and dequantized copy.
    """

    graph: Graph
    parameters: QuantizationParameters
    integer: set[str]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    quantized: dict[str, ScaleZeroPoint] = field(default_factory=dict)
    dequantized: dict[str, str] = field(default_factory=dict)

    def add(self, original: onnx.NodeProto, is_layer: bool) -> None:
        """Adds a node of the float graph, and the QDQ pairs it needs."""
        node = onnx.NodeProto()
        node.CopyFrom(original)
        self.nodes.append(node)
        fused_into = next((p for p in self._producers(original) if self._output(p) == original.output[0]), None)
        if fused_into is not None and fused_into.name in self.integer:
            self._add_pair_after(node, self._scale_of_output(fused_into))
            return
        if original.name not in self.integer:
            return
        self.nodes.pop()
        if upsample.is_upsample_2x(original, self.graph.shapes):
            self._upsample(original)
            return
        for name in self.graph.activations(original):
            self._replace_input(node, name, self._dequantized_input(name))
        if is_layer:
            self._set_weights(node, self.quantized[original.input[0]])
        self.nodes.append(node)
        if self._output(original) == original.output[0]:
            self._add_pair_after(node, self._scale_of_output(original))

    def _producers(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        return [self.graph.producer[name] for name in node.input[:1] if name in self.graph.producer]

    def _output(self, node: onnx.NodeProto) -> str:
        return self.graph.output_of(node)

    def _scale_of_output(self, node: onnx.NodeProto) -> ScaleZeroPoint:
        """Returns the scale and zero point of an integer node's output."""
        if node.op_type in SAME_SCALE_OPS:
            return self.quantized[node.input[0]]
        return self.parameters.activations[self._output(node)]

    def _dequantized_input(self, name: str) -> str:
        """Returns the name under which an integer node reads a tensor."""
        if name in self.quantized:
            return self.dequantized.get(name, name)
        self.quantized[name] = self.parameters.activations[name]
        self.dequantized[name] = self._add_pair(name, f"{name}_dequantized", self.quantized[name])
        return self.dequantized[name]

    def _add_pair_after(self, node: onnx.NodeProto, scale: ScaleZeroPoint) -> None:
        """Adds a QDQ pair after a node; the output of the pair takes the name of the node's output."""
        name = node.output[0]
        node.output[0] = f"{name}_unquantized"
        self.quantized[name] = scale
        self._add_pair(node.output[0], name, scale)

    def _upsample(self, node: onnx.NodeProto) -> None:
        """Replaces a Resize by copies of integers; output and input share a scale."""
        source, target = self._dequantized_input(node.input[0]), node.output[0]
        self.quantized[target] = self.quantized[node.input[0]]
        shape = self.graph.shapes[node.input[0]]
        nodes, constants = upsample.upsample_2x_nodes(f"{source}_integer", f"{target}_integer", shape)
        self.nodes += nodes
        self.constants += constants
        self._dequantize(target, self.quantized[target])

    def _add_pair(self, source: str, target: str, scale: ScaleZeroPoint) -> str:
        self._add_node("QuantizeLinear", [source, f"{target}_scale", f"{target}_zero"], f"{target}_integer")
        return self._dequantize(target, scale)

    def _dequantize(self, target: str, scale: ScaleZeroPoint) -> str:
        """Adds the DequantizeLinear from `{target}_integer` to `target`."""
        scale_name = self._add_constant(f"{target}_scale", np.float32(scale.scale))
        zero_name = self._add_constant(f"{target}_zero", np.uint8(scale.zero_point))
        return self._add_node("DequantizeLinear", [f"{target}_integer", scale_name, zero_name], target)

    def _set_weights(self, node: onnx.NodeProto, input_scale: ScaleZeroPoint) -> None:
        weights = self.parameters.weights[node.name]
        zeros = np.zeros(weights.scales.shape, np.int8)
        node.input[1] = self._add_stored(f"{node.name}_weights", weights.values, weights.scales, zeros, weights.axis)
        if weights.bias is not None:
            scales = (np.float32(input_scale.scale) * weights.scales).astype(np.float32)
            limits = np.iinfo(np.int32)
            bias = np.clip(np.rint(weights.bias.astype(np.float64) / scales), limits.min, limits.max).astype(np.int32)
            name = self._add_stored(f"{node.name}_bias", bias, scales, np.zeros(scales.shape, np.int32), 0)
            del node.input[2:]
            node.input.append(name)

    def _add_stored(self, name: str, values: Any, scales: Any, zeros: Any, axis: int) -> str:
        """Adds integer constants and the node that dequantizes them."""
        inputs = [
            self._add_constant(f"{name}_{part}", v) for part, v in zip("qsz", (values, scales, zeros), strict=True)
        ]
        attributes = {"axis": axis} if np.ndim(scales) else {}
        return self._add_node("DequantizeLinear", inputs, name, **attributes)

    def _add_node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], f"{operator}_{output}", **attributes))
        return output

    def _add_constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    @staticmethod
    def _replace_input(node: onnx.NodeProto, old: str, new: str) -> None:
        for i, name in enumerate(node.input):
            if name == old:
                node.input[i] = new
