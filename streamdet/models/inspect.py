"""What a model is, read from its graph: inputs, outputs, contract, parameters, arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streamdet.errors import ModelError
from streamdet.models.arithmetic import Arithmetic, count_operations, count_parameters
from streamdet.models.load import ModelFile, parse_bytes, read_model
from streamdet.models.recognise import recognise
from streamdet.models.signature import Signature, signature_of
from streamdet.models.spec import ModelSpec


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
        arithmetic: operations of one picture.
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
    arithmetic: Arithmetic
    operators: Mapping[str, int] = field(repr=False)
    opset: int
    producer: str


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
    return ModelInfo(
        name=name,
        size_bytes=len(data),
        signature=signature,
        spec=spec,
        unknown=unknown,
        trainable=trainable,
        stored=stored,
        arithmetic=count_operations(model),
        operators=Counter(node.op_type for node in model.graph.node),
        opset=max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0),
        producer=f"{model.producer_name} {model.producer_version}".strip(),
    )
