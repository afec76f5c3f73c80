"""Counts the parameters and operations of a graph without running it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamdet.errors import ModelError
from streamdet.redact import redact

if TYPE_CHECKING:
    import onnx

# Inputs of each operator that training changes. The running mean and variance of a batch normalization (inputs 3 and 4)
# are statistics, not weights.
_TRAINED_INPUTS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Gemm": (0, 1, 2),
    "MatMul": (0, 1),
    "BatchNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "PRelu": (1,),
    "QLinearConv": (3, 8),
}
_PASS_THROUGH = ("DequantizeLinear", "Cast", "Identity")  # between a stored weight and its use

# Integer products, with the input indices of data and weight.
_INTEGER: Mapping[str, tuple[int, int]] = {
    "QLinearConv": (0, 3),
    "ConvInteger": (0, 1),
    "QLinearMatMul": (0, 3),
    "MatMulInteger": (0, 1),
}
_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul", *_INTEGER)
_POOLS = ("MaxPool", "AveragePool")
# Operations per written value.
_OPERATIONS: Mapping[str, int] = {
    "BatchNormalization": 2,  # a scale and a shift
    "Softmax": 3,  # exponential, sum, division
    **dict.fromkeys(
        ("Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Exp", "Sqrt"), 1
    ),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min"), 1),
}
_MAX_SMALL_CONSTANT = 4096  # values; constants up to this size (shapes, axes) stay in the graph for shape inference


@dataclass(frozen=True, slots=True)
class OperationCount:
    """Operations of one picture.

    Attributes:
        products: 2 x multiply-adds by operator (Conv, ConvTranspose, Gemm, MatMul, and their quantized forms).
        integer: the integer operations among them.
        elementwise: operations of activations, sums, normalizations and pooling: one per written value, two per value
            that a batch normalization writes, one per value that a pooling window reads.
        uncounted: number of product operators whose shapes are known only at run time.
    """

    products: Mapping[str, int]
    integer: int
    elementwise: int
    uncounted: int

    @property
    def gflops(self) -> float:
        """The products, in 10^9 operations."""
        return sum(self.products.values()) / 1e9

    @property
    def total_gflops(self) -> float:
        """Products and element-wise operations, in 10^9."""
        return self.gflops + self.elementwise / 1e9


def count_parameters(model: onnx.ModelProto) -> tuple[int, int]:
    """Returns the number of trained values, and the number of all stored constants.

    Weights count the same if they are stored as integers or half floats.
    """
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in model.graph.initializer}
    sources: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type == "Constant":
            sizes.update((node.output[0], math.prod(a.t.dims)) for a in node.attribute if a.name == "value")
        elif node.op_type in _PASS_THROUGH and node.input:
            sources[node.output[0]] = sources.get(node.input[0], node.input[0])  # nodes are in topological order
    trained: set[str] = set()
    for node in model.graph.node:
        for i in _TRAINED_INPUTS.get(node.op_type, ()):
            name = node.input[i] if i < len(node.input) else ""
            name = sources.get(name, name)
            if name in sizes:
                trained.add(name)
    return sum(sizes[name] for name in trained), sum(sizes.values())


def count_operations(model: onnx.ModelProto) -> OperationCount:
    """Counts the operations of one picture.

    Shapes come from ONNX's shape inference; open dimensions (the batch) count as 1.

    Raises:
        ModelError: the shapes of the graph are inconsistent.
    """
    shapes = value_shapes(model)
    dequantized = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    products: Counter[str] = Counter()
    integer = elementwise = uncounted = 0
    for node in model.graph.node:
        if node.op_type in _PRODUCTS:
            count = _products(node, shapes)
            uncounted += count is None
            products[node.op_type] += count or 0
            integer += (count or 0) * (node.op_type in _INTEGER or dequantized.issuperset(node.input[:2]))
        else:
            elementwise += _elementwise(node, shapes)
    return OperationCount(dict(products), integer, elementwise, uncounted)


def flops_by_node(model: onnx.ModelProto) -> list[tuple[onnx.NodeProto, int | None]]:
    """Returns 2 x multiply-adds of one picture for each node that has any; None if its shapes are unknown."""
    shapes = value_shapes(model)
    return [(node, _products(node, shapes)) for node in model.graph.node if node.op_type in _PRODUCTS]


def value_shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of all values by ONNX's shape inference; open input dimensions count as 1.

    Raises:
        ModelError: the shapes are inconsistent.
    """
    import onnx

    light = onnx.ModelProto()
    light.CopyFrom(model)  # weights are dropped from the copy: shape inference needs only their shapes
    del light.graph.initializer[:]
    for value in light.graph.input:
        for dimension in value.type.tensor_type.shape.dim:
            if not dimension.dim_value:
                dimension.dim_value = 1
    del light.graph.value_info[:]  # shapes that an exporter wrote for its own batch size would conflict
    declared = {value.name for value in light.graph.input}
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _MAX_SMALL_CONSTANT:
            light.graph.initializer.append(tensor)
        elif tensor.name not in declared:
            light.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    for value in light.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        light = onnx.shape_inference.infer_shapes(light)
    except Exception as error:
        raise ModelError(f"the shapes of the graph are inconsistent: {redact(str(error)).splitlines()[0]}") from None
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for value in (*light.graph.input, *light.graph.value_info, *light.graph.output):
        if value.type.tensor_type.HasField("shape"):
            shapes[value.name] = tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
    return shapes


def _products(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    data, weight = _INTEGER.get(node.op_type, (0, 1))
    if len(node.input) <= weight:
        return None
    first, second, out = (shapes.get(name, ()) for name in (node.input[data], node.input[weight], node.output[0]))
    if not first or not second or not out or 0 in (*first, *second, *out):
        return None
    if node.op_type in ("Conv", "QLinearConv", "ConvInteger"):  # each output value: all values of one filter
        return 2 * math.prod(out) * math.prod(second[1:])
    if node.op_type == "ConvTranspose":  # each input value meets all values of its filter
        return 2 * math.prod(first) * math.prod(second[1:])
    if node.op_type == "Gemm":
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        return 2 * math.prod(out) * first[0 if transposed else 1]
    return 2 * math.prod(out) * first[-1]


def _elementwise(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int:
    values = math.prod(shapes.get(node.output[0], (0,)))
    if node.op_type in _POOLS:
        kernel: Iterable[int] = next((a.ints for a in node.attribute if a.name == "kernel_shape"), ())
        return values * math.prod(kernel)
    return values * _OPERATIONS.get(node.op_type, 0)
