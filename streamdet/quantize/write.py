"""Writes the QDQ form of a graph: pairs of QuantizeLinear and DequantizeLinear around what is to run in integers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from streamdet.quantize import doubling
from streamdet.quantize.graph import SAME_GRID, Graph, passing
from streamdet.quantize.grids import Grid
from streamdet.quantize.weights import Weights


@dataclass(frozen=True, slots=True)
class Parameters:
    """All that is needed to quantise any choice of layers.

    Attributes:
        grids: of every tensor that may be put on one.
        weights: of every layer, by name.
    """

    grids: Mapping[str, Grid]
    weights: Mapping[str, Weights]


def write(graph: Graph, chosen: Collection[str], parameters: Parameters) -> onnx.ModelProto:
    """Returns a copy of the model in which the layers `chosen`, and what lies between them, compute in integers.

    What an integer node gives keeps its name behind the pair, so that its readers, outputs of the graph among them,
    need not know; what a float node gives gets a pair for its integer readers only.
    """
    between = passing(graph, chosen)
    writer = _Writer(graph, parameters, set(chosen) | between)
    for value in graph.model.graph.node:
        writer.add(value, is_layer=value.name in chosen)
    model = onnx.ModelProto()
    model.CopyFrom(graph.model)
    del model.graph.node[:]
    model.graph.node.extend(writer.nodes)
    del model.graph.initializer[:]
    read = {name for node in writer.nodes for name in node.input}
    constants = [tensor for tensor in graph.model.graph.initializer if tensor.name in read]
    model.graph.initializer.extend([*constants, *writer.constants])
    del model.graph.value_info[:]
    return model


@dataclass(slots=True)
class _Writer:
    """Nodes and constants of the new graph, as they come to be."""

    graph: Graph
    parameters: Parameters
    integer: set[str]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    grids: dict[str, Grid] = field(default_factory=dict)
    pairs: dict[str, str] = field(default_factory=dict)

    def add(self, original: onnx.NodeProto, is_layer: bool) -> None:
        """Adds a node of the float graph, and the pairs it needs."""
        node = onnx.NodeProto()
        node.CopyFrom(original)
        self.nodes.append(node)
        absorber = next((p for p in self._producers(original) if self._ends(p) == original.output[0]), None)
        if absorber is not None and absorber.name in self.integer:
            self._pair_behind(node, self._grid(absorber))
            return
        if original.name not in self.integer:
            return
        self.nodes.pop()
        if doubling.repeats(original, self.graph.shapes):
            self._double(original)
            return
        for name in self.graph.activations(original):
            self._replace(node, name, self._on_grid(name))
        if is_layer:
            self._put_weights(node, self.grids[original.input[0]])
        self.nodes.append(node)
        if self._ends(original) == original.output[0]:
            self._pair_behind(node, self._grid(original))

    def _producers(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        return [self.graph.producer[name] for name in node.input[:1] if name in self.graph.producer]

    def _ends(self, node: onnx.NodeProto) -> str:
        return self.graph.output_of(node)

    def _grid(self, node: onnx.NodeProto) -> Grid:
        """Returns the grid of what a node of integers gives."""
        if node.op_type in SAME_GRID:
            return self.grids[node.input[0]]
        return self.parameters.grids[self._ends(node)]

    def _on_grid(self, name: str) -> str:
        """Returns the name under which an integer node reads a tensor."""
        if name in self.grids:
            return self.pairs.get(name, name)
        self.grids[name] = self.parameters.grids[name]
        self.pairs[name] = self._pair(name, f"{name}_on_grid", self.grids[name])
        return self.pairs[name]

    def _pair_behind(self, node: onnx.NodeProto, grid: Grid) -> None:
        """Puts a pair behind a node; what comes out of it has the name of what the node gave."""
        name = node.output[0]
        node.output[0] = f"{name}_before_grid"
        self.grids[name] = grid
        self._pair(node.output[0], name, grid)

    def _double(self, node: onnx.NodeProto) -> None:
        """Puts copies of integers for a Resize, on the grid of what it reads."""
        source, target = self._on_grid(node.input[0]), node.output[0]
        self.grids[target] = self.grids[node.input[0]]
        nodes, constants = doubling.copies(f"{source}_integer", f"{target}_integer", self.graph.shapes[node.input[0]])
        self.nodes += nodes
        self.constants += constants
        self._floats(target, self.grids[target])

    def _pair(self, source: str, target: str, grid: Grid) -> str:
        self._node("QuantizeLinear", [source, f"{target}_scale", f"{target}_zero"], f"{target}_integer")
        return self._floats(target, grid)

    def _floats(self, target: str, grid: Grid) -> str:
        """Makes floats of the integers behind a name."""
        scale = self._constant(f"{target}_scale", np.float32(grid.scale))
        zero = self._constant(f"{target}_zero", np.uint8(grid.zero))
        return self._node("DequantizeLinear", [f"{target}_integer", scale, zero], target)

    def _put_weights(self, node: onnx.NodeProto, grid: Grid) -> None:
        weights = self.parameters.weights[node.name]
        zeros = np.zeros(weights.scales.shape, np.int8)
        node.input[1] = self._stored(f"{node.name}_weights", weights.values, weights.scales, zeros, weights.axis)
        if weights.bias is not None:
            scales = (np.float32(grid.scale) * weights.scales).astype(np.float32)
            limits = np.iinfo(np.int32)
            bias = np.clip(np.rint(weights.bias.astype(np.float64) / scales), limits.min, limits.max).astype(np.int32)
            name = self._stored(f"{node.name}_bias", bias, scales, np.zeros(scales.shape, np.int32), 0)
            del node.input[2:]
            node.input.append(name)

    def _stored(self, name: str, values: Any, scales: Any, zeros: Any, axis: int) -> str:
        """Stores integers with a node that says what they stand for."""
        inputs = [self._constant(f"{name}_{part}", v) for part, v in zip("qsz", (values, scales, zeros), strict=True)]
        attributes = {"axis": axis} if np.ndim(scales) else {}
        return self._node("DequantizeLinear", inputs, name, **attributes)

    def _node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], f"{operator}_{output}", **attributes))
        return output

    def _constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    @staticmethod
    def _replace(node: onnx.NodeProto, old: str, new: str) -> None:
        for i, name in enumerate(node.input):
            if name == old:
                node.input[i] = new
