"""What a model is, read from its graph: inputs, outputs, contract, parameters, arithmetic."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from streamdet.errors import ModelError
from streamdet.models.load import ModelFile, parse_bytes, read_model
from streamdet.models.recognise import recognise
from streamdet.models.signature import Signature, signature_of
from streamdet.models.spec import ModelSpec
from streamdet.redact import redact

if TYPE_CHECKING:
    import onnx

# Which inputs of an operator training changes. The running mean and variance of a batch normalisation (inputs 3 and 4)
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
}
_SMALL = 4096  # values; constants up to here (shapes, axes) stay in the graph for shape inference


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What was read from a file.

    Attributes:
        name: of the file, or of a model that is made up here.
        size_bytes: of the file.
        signature: inputs, outputs, metadata.
        spec: how it was recognised; None where it was not.
        unknown: why it was not recognised, "" where it was.
        trainable: values of weights, biases and scales; batch normalisation's running statistics are left out, and
            scales that were folded into convolutions are no longer there to count.
        stored: all constants in the file.
        flops: 2 x multiply-adds of one picture, by operator (Conv, ConvTranspose, Gemm, MatMul).
        uncounted: operators of that kind whose shapes are not known before they run.
        operators: how many nodes of each kind.
        opset: version of ONNX's own operators.
        producer: what wrote the file.
    """

    name: str
    size_bytes: int
    signature: Signature
    spec: ModelSpec | None
    unknown: str
    trainable: int
    stored: int
    flops: Mapping[str, int]
    uncounted: int
    operators: Mapping[str, int] = field(repr=False)
    opset: int
    producer: str

    @property
    def gflops(self) -> float:
        """All counted arithmetic of one picture, in 10^9 operations."""
        return sum(self.flops.values()) / 1e9


def inspect_model(source: Path | bytes | ModelFile, given: ModelSpec | None = None) -> ModelInfo:
    """Reads a model without running it.

    Args:
        source: an ONNX file, or its content.
        given: its description, where it is known already.

    Raises:
        ModelError: it cannot be read.
    """
    data, name = read_model(source)
    model = parse_bytes(data, name)
    signature = signature_of(model)
    spec, unknown = given, ""
    if spec is None:
        try:
            spec = recognise(signature, Path(name).name)
        except ModelError as error:
            unknown = str(error)
    trainable, stored = count_parameters(model)
    flops, uncounted = count_flops(model)
    return ModelInfo(
        name=name,
        size_bytes=len(data),
        signature=signature,
        spec=spec,
        unknown=unknown,
        trainable=trainable,
        stored=stored,
        flops=flops,
        uncounted=uncounted,
        operators=Counter(node.op_type for node in model.graph.node),
        opset=max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0),
        producer=f"{model.producer_name} {model.producer_version}".strip(),
    )


def count_parameters(model: onnx.ModelProto) -> tuple[int, int]:
    """Returns how many values are trained, and how many constants are stored in all."""
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            sizes.update((node.output[0], math.prod(a.t.dims)) for a in node.attribute if a.name == "value")
    trained: set[str] = set()
    for node in model.graph.node:
        for i in _TRAINED_INPUTS.get(node.op_type, ()):
            if i < len(node.input) and node.input[i] in sizes:
                trained.add(node.input[i])
    return sum(sizes[name] for name in trained), sum(sizes.values())


def count_flops(model: onnx.ModelProto) -> tuple[dict[str, int], int]:
    """Returns 2 x multiply-adds of one picture by operator, and how many operators could not be counted.

    Shapes come from ONNX's shape inference; dimensions the file leaves open count as 1 (the batch).
    """
    flops: Counter[str] = Counter()
    uncounted = 0
    for node, count in flops_by_node(model):
        uncounted += count is None
        flops[node.op_type] += count or 0
    return dict(flops), uncounted


def flops_by_node(model: onnx.ModelProto) -> list[tuple[onnx.NodeProto, int | None]]:
    """Returns 2 x multiply-adds of one picture for each node that has any; None where its shapes are not known."""
    shapes = _shapes(model)
    nodes = [node for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul")]
    return [(node, _node_flops(node, shapes)) for node in nodes]


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    import onnx

    light = onnx.ModelProto()
    light.CopyFrom(model)  # weights are dropped from the copy: inference needs their shapes only
    del light.graph.initializer[:]
    for value in light.graph.input:
        for dimension in value.type.tensor_type.shape.dim:
            if not dimension.dim_value:
                dimension.dim_value = 1
    del light.graph.value_info[:]  # what an exporter wrote for its own batch would contradict
    declared = {value.name for value in light.graph.input}
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _SMALL:
            light.graph.initializer.append(tensor)
        elif tensor.name not in declared:
            light.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    for value in light.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        light = onnx.shape_inference.infer_shapes(light)
    except Exception as error:
        raise ModelError(f"the graph's shapes do not fit together: {redact(str(error)).splitlines()[0]}") from None
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for value in (*light.graph.input, *light.graph.value_info, *light.graph.output):
        if value.type.tensor_type.HasField("shape"):
            shapes[value.name] = tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
    return shapes


def _node_flops(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    first, second, out = (shapes.get(name, ()) for name in (*node.input[:2], node.output[0]))
    if not first or not second or not out or 0 in (*first, *second, *out):
        return None
    if node.op_type == "Conv":  # each output value: all values of one filter
        return 2 * math.prod(out) * math.prod(second[1:])
    if node.op_type == "ConvTranspose":  # each input value meets all values of its filter
        return 2 * math.prod(first) * math.prod(second[1:])
    if node.op_type == "Gemm":
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        return 2 * math.prod(out) * first[0 if transposed else 1]
    return 2 * math.prod(out) * first[-1]
