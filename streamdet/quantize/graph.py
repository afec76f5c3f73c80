"""The graph as quantising sees it: layers with weights, and what may pass integers on between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray

from streamdet.models.operation_count import flops_by_node, value_shapes
from streamdet.quantize import silu

LAYERS = ("Conv", "Gemm", "MatMul")
SAME_GRID = ("MaxPool", "Reshape", "Transpose", "Slice", "Gather", "Squeeze", "Unsqueeze", "Flatten", "Resize")
"""Operators that move or pick values: they need no arithmetic, only that output and input share a grid."""

OWN_GRID = (
    "Add",
    "Mul",
    "Sigmoid",
    "LeakyRelu",
    "Concat",
    "AveragePool",
    "GlobalAveragePool",
    "QuickGelu",
    "HardSwish",
)
"""Operators whose output has a grid of its own. ONNX Runtime has integer kernels for all but the last two: those
compute in float between two grids, which for a SiLU is faster than two integer kernels, and more precise."""

ABSORBED = ("Relu", "Clip")
"""Activations that vanish in the grid of their output: whatever they cut off lies outside it."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A node with trained weights.

    Attributes:
        name: of the node.
        operator: its type.
        input: the activation it reads.
        output: what it gives, behind an absorbed activation.
        macs: multiply-adds for one picture.
    """

    name: str
    operator: str
    input: str
    output: str
    macs: int


@dataclass(slots=True)
class Graph:
    """A prepared model with what is asked of it often.

    Attributes:
        model: the graph.
        constants: initializers by name.
        producer: tensor -> node that makes it.
        consumers: tensor -> nodes that read it.
        shapes: of all tensors whose shape is known, a batch of one.
        layers: nodes with weights, in the graph's order.
    """

    model: onnx.ModelProto
    constants: dict[str, onnx.TensorProto]
    producer: dict[str, onnx.NodeProto]
    consumers: dict[str, list[onnx.NodeProto]]
    shapes: dict[str, tuple[int, ...]]
    layers: tuple[Layer, ...] = field(default=())

    @classmethod
    def of(cls, model: onnx.ModelProto) -> Graph:
        """Reads a prepared model, see `prepare`."""
        producer: dict[str, onnx.NodeProto] = {}
        consumers: defaultdict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in model.graph.node:
            producer.update((name, node) for name in node.output)
            for name in dict.fromkeys(node.input):
                consumers[name].append(node)
        constants = {tensor.name: tensor for tensor in model.graph.initializer}
        standard = onnx.ModelProto()
        standard.CopyFrom(model)
        silu.split(standard)  # shape inference knows no other operators
        graph = cls(model, constants, producer, dict(consumers), value_shapes(standard))
        graph.layers = tuple(graph._find_layers(standard))
        return graph

    def constant(self, name: str) -> NDArray[np.float32]:
        """Returns a stored array."""
        return np.asarray(onnx.numpy_helper.to_array(self.constants[name]), np.float32)

    def output_of(self, node: onnx.NodeProto) -> str:
        """Returns what a node gives: the output of the activation that is absorbed into it, where there is one."""
        name: str = node.output[0]
        readers = self.consumers.get(name, [])
        outputs = {value.name for value in self.model.graph.output}
        if len(readers) == 1 and readers[0].op_type in ABSORBED and name not in outputs:
            return str(readers[0].output[0])
        return name

    def activations(self, node: onnx.NodeProto) -> list[str]:
        """Returns the inputs of a node that carry values of the picture, not weights or shapes."""
        count = 1 if node.op_type in (*LAYERS, *SAME_GRID) else len(node.input)
        return [name for name in node.input[:count] if name]

    def able(self, chosen: Collection[str]) -> set[str]:
        """Returns the nodes that could pass on integers of the layers `chosen`, whether anybody wants them or not."""
        floats = onnx.TensorProto.FLOAT
        integer = {v.name for v in self.model.graph.input if v.type.tensor_type.elem_type == floats}
        found: set[str] = set()
        for node in self.model.graph.node:
            inputs = self.activations(node)
            enough = any if node.op_type == "Concat" else all  # a part in float is converted, not all others back
            if node.op_type in (*SAME_GRID, *OWN_GRID) and inputs and enough(name in integer for name in inputs):
                found.add(node.name)
            elif node.name not in chosen:
                continue
            integer.add(self.output_of(node))
        return found

    def _find_layers(self, standard: onnx.ModelProto) -> Iterator[Layer]:
        flops = {node.name: count or 0 for node, count in flops_by_node(standard)}
        for node in self.model.graph.node:
            if node.op_type in LAYERS and self._has_weights(node):
                yield Layer(node.name, node.op_type, node.input[0], self.output_of(node), flops[node.name] // 2)

    def _has_weights(self, node: onnx.NodeProto) -> bool:
        plain = node.op_type != "Gemm" or all(
            attribute.name == "transB" or (attribute.name in ("alpha", "beta") and attribute.f == 1)
            for attribute in node.attribute
        )
        return plain and node.input[0] not in self.constants and all(name in self.constants for name in node.input[1:])


def passing(graph: Graph, chosen: Collection[str]) -> set[str]:
    """Returns the nodes between chosen layers that pass integers on.

    A node passes when everything it reads is made of integers (or is the picture itself; of a Concat, one part is
    enough), and somebody behind it wants them. What follows the last layers, above all the arithmetic that makes boxes,
    is never among them.

    Args:
        graph: of the model.
        chosen: names of the layers that are to be integer.
    """
    able = graph.able(chosen)
    wanted: set[str] = set()
    for node in reversed(graph.model.graph.node):
        readers = graph.consumers.get(graph.output_of(node), [])
        if node.name in able and any(reader.name in chosen or reader.name in wanted for reader in readers):
            wanted.add(node.name)
    return wanted
