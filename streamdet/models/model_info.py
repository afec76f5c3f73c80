"""Facts about a model, read from its graph: inputs, outputs, contract, parameters, operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from streamdet.errors import ModelError
from streamdet.model_spec.signature import Signature
from streamdet.model_spec.spec import ModelSpec
from streamdet.models.onnx_file import ModelFile, onnx_signature, parse_onnx, read_model
from streamdet.models.onnx_graph import opset_of
from streamdet.models.openvino_ir import ir_signature, is_ir, read_weights
from streamdet.models.operation_count import OperationCount, count_operations, count_parameters
from streamdet.models.recognize import recognize

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, slots=True)
class GraphInfo:
    """Counts from an ONNX graph.

    Attributes:
        trainable: number of trainable values: weights, biases and scales. Running statistics of batch normalization do
            not count, nor do scales that were folded into convolutions.
        stored: number of all constants in the file.
        arithmetic: operations of one picture.
        operators: number of nodes by operator.
        opset: version of ONNX's own operators.
        producer: the program that wrote the file.
    """

    trainable: int
    stored: int
    arithmetic: OperationCount
    operators: Mapping[str, int] = field(repr=False)
    opset: int
    producer: str

    @classmethod
    def of(cls, model: onnx.ModelProto) -> GraphInfo:
        """Counts parameters, operations and operators of a graph."""
        trainable, stored = count_parameters(model)
        return cls(
            trainable=trainable,
            stored=stored,
            arithmetic=count_operations(model),
            operators=Counter(node.op_type for node in model.graph.node),
            opset=opset_of(model),
            producer=f"{model.producer_name} {model.producer_version}".strip(),
        )


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Facts about a model file.

    Attributes:
        name: name of the file, or of a bundled model.
        size_bytes: size of the file, including a separate file of weights.
        signature: inputs, outputs, metadata.
        spec: the recognized spec; None if the model was not recognized.
        unknown: why it was not recognized, "" if it was.
        graph: counts from the graph; None for OpenVINO IR, whose graph is not read.
    """

    name: str
    size_bytes: int
    signature: Signature
    spec: ModelSpec | None
    unknown: str
    graph: GraphInfo | None


def inspect_model(source: Path | bytes | ModelFile, given: ModelSpec | None = None) -> ModelInfo:
    """Reads a model without running it.

    Args:
        source: an ONNX or OpenVINO file, or its content.
        given: its spec, if known.

    Raises:
        ModelError: the file cannot be read.
    """
    file = read_model(source)
    size_bytes, graph = len(file.data), None
    if is_ir(file):
        signature = ir_signature(file)
        size_bytes += len(read_weights(file))
    else:
        model = parse_onnx(*file)
        signature, graph = onnx_signature(model), GraphInfo.of(model)
    spec, unknown = given, ""
    if spec is None:
        try:
            spec = recognize(signature, Path(file.name).name)
        except ModelError as error:
            unknown = str(error)
    return ModelInfo(file.name, size_bytes, signature, spec, unknown, graph)
