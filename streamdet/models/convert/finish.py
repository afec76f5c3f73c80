"""The end of a conversion: the graph is checked, written, and read again as a user's program would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import onnx

from streamdet.errors import ModelError
from streamdet.models.convert.openvino_ir import IrNetwork, to_ir
from streamdet.models.convert.options import ConvertOptions, Format, Precision
from streamdet.models.convert.proof import Runner
from streamdet.models.load import ModelFile, parse_bytes
from streamdet.models.recognise import recognise
from streamdet.models.signature import signature_of
from streamdet.models.spec import ModelSpec
from streamdet.redact import redact

Files = Mapping[str, bytes]
"""Content by the ending of its file."""


def check_graph(model: onnx.ModelProto) -> None:
    """Checks operators, types and shapes.

    Raises:
        ModelError: a step left a graph that is none: a defect here, or a file that fooled every check before.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = redact(" ".join(str(error).split()))[:200]
        raise ModelError(f"the converted graph is not valid: {reason}") from None


def files_of(model: onnx.ModelProto, options: ConvertOptions, properties: Mapping[str, str]) -> Files:
    """Returns the content of the files.

    Args:
        model: its metadata is replaced.
        options: say which format.
        properties: the metadata.

    Raises:
        ModelError: OpenVINO cannot read it.
    """
    import streamdet

    del model.metadata_props[:]
    onnx.helper.set_model_props(model, dict(properties))
    model.producer_name, model.producer_version = "streamdet", streamdet.__version__
    data = model.SerializeToString()
    if options.format is Format.ONNX:
        return {".onnx": data}
    xml, weights = to_ir(data, options.precision is Precision.FP16, properties)
    return {".xml": xml, ".bin": weights}


def runner_of(files: Files, spec: ModelSpec) -> Runner:
    """Loads what would be written."""
    if ".onnx" in files:
        return Runner.of(ModelFile(files[".onnx"], "the result"), spec)
    return Runner(spec, IrNetwork(files[".xml"], files[".bin"]))


def check_recognised(files: Files, spec: ModelSpec, name: str) -> None:
    """Checks that an ONNX file, read as a user's would be, is understood as what was proven."""
    if ".onnx" not in files:
        return
    read = recognise(signature_of(parse_bytes(files[".onnx"], name)), spec.name)
    read = replace(read, random_weights=spec.random_weights, about=spec.about)
    if read != spec:
        raise RuntimeError(f"the written description is read as {read}, meant was {spec}")
