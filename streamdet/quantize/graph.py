"""A float graph prepared for quantization: its layers, and the nodes between them that can compute on integers."""

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
SAME_SCALE_OPS = ("MaxPool", "Reshape", "Transpose", "Slice", "Gather", "Squeeze", "Unsqueeze", "Flatten", "Resize")
"""Operators that move or select values: no arithmetic, but output and input must have the same scale."""

OWN_SCALE_OPS = (
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
"""Operators whose output has its own scale. ONNX Runtime has integer kernels for all but the last two: those compute in
float between two conversions, which for a SiLU is faster than two integer kernels, and more precise."""

FUSED_ACTIVATIONS = ("Relu", "Clip")
"""Activations that the quantization of their output replaces: the values that they cut off lie outside its range."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A node with trained weights.

    Attributes:
        name: of the node.
        operator: its type.
        input: name of the activation it reads.
        output: name of its output, after a fused activation.
        macs: multiply-adds for one image.
    """

    name: str
    operator: str
    input: str
    output: str
    macs: int


@dataclass(slots=True)
class Graph:
    """A prepared model with look-up tables of its nodes and tensors.

    Attributes:
        model: the graph.
        constants: initializers by name.
        producer: by tensor name, the node that writes it.
        consumers: by tensor name, the nodes that read it.
        shapes: of all tensors whose shape is known, for a batch of one.
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
        """Returns the graph of a prepared model, see `prepare`."""
        producer: dict[str, onnx.NodeProto] = {}
        consumers: defaultdict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in model.graph.node:
            producer.update((name, node) for name in node.output)
            for name in dict.fromkeys(node.input):
                consumers[name].append(node)
        constants = {tensor.name: tensor for tensor in model.graph.initializer}
        standard = onnx.ModelProto()
        standard.CopyFrom(model)
        silu.split(standard)  # shape inference supports standard operators only
        graph = cls(model, constants, producer, dict(consumers), value_shapes(standard))
        graph.layers = tuple(graph._find_layers(standard))
        return graph

    def constant(self, name: str) -> NDArray[np.float32]:
        """Returns a stored array."""
        return np.asarray(onnx.numpy_helper.to_array(self.constants[name]), np.float32)

    def output_of(self, node: onnx.NodeProto) -> str:
        """Returns the name of a node's output, or that of the activation fused into it."""
        name: str = node.output[0]
        readers = self.consumers.get(name, [])
        outputs = {value.name for value in self.model.graph.output}
        if len(readers) == 1 and readers[0].op_type in FUSED_ACTIVATIONS and name not in outputs:
            return str(readers[0].output[0])
        return name

    def activations(self, node: onnx.NodeProto) -> list[str]:
        """Returns the inputs of a node that depend on the image: not weights or shapes."""
        count = 1 if node.op_type in (*LAYERS, *SAME_SCALE_OPS) else len(node.input)
        return [name for name in node.input[:count] if name]

    def integer_capable(self, chosen: Collection[str]) -> set[str]:
        """Returns the nodes that could compute on integers from the layers `chosen`, whether or not that is useful."""
        floats = onnx.TensorProto.FLOAT
        integer = {v.name for v in self.model.graph.input if v.type.tensor_type.elem_type == floats}
        capable: set[str] = set()
        for node in self.model.graph.node:
            inputs = self.activations(node)
            # Of a Concat, one integer input is enough: converting a float input costs less than converting the others.
            enough = any if node.op_type == "Concat" else all
            supported = node.op_type in (*SAME_SCALE_OPS, *OWN_SCALE_OPS)
            if supported and inputs and enough(name in integer for name in inputs):
                capable.add(node.name)
            elif node.name not in chosen:
                continue
            integer.add(self.output_of(node))
        return capable

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


def integer_nodes_between(graph: Graph, chosen: Collection[str]) -> set[str]:
    """Returns the nodes between chosen layers that compute on integers.

    A node does when all its inputs are integers (or the network's input; of a Concat, one is enough), and a chosen
    layer reads the result, directly or through other such nodes. The nodes after the last layers, above all the
    arithmetic that decodes boxes, are never among them.

    Args:
        graph: of the model.
        chosen: names of the layers to quantize.
    """
    capable = graph.integer_capable(chosen)
    needed: set[str] = set()
    for node in reversed(graph.model.graph.node):
        readers = graph.consumers.get(graph.output_of(node), [])
        if node.name in capable and any(reader.name in chosen or reader.name in needed for reader in readers):
            needed.add(node.name)
    return needed
