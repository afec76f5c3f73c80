"""The last step of every conversion: checks, verifies and serializes the graph, and reads the files back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace

import onnx

from streamdet.convert.artifacts import ConvertedModel, DraftModel, Files, Progress, Quantizer, SourceModel
from streamdet.convert.metadata import conversion_metadata
from streamdet.convert.model_runner import ModelRunner
from streamdet.convert.openvino_ir import IrNetwork, to_ir
from streamdet.convert.options import ConvertOptions, FileFormat, TargetPrecision
from streamdet.convert.verification import (
    FP16_TOLERANCE,
    FP32_TOLERANCE,
    INT8_TOLERANCE,
    SampleImage,
    verify_conversion,
)
from streamdet.errors import ModelError
from streamdet.model_spec.spec import ModelSpec
from streamdet.models.onnx_file import ModelFile, onnx_signature, parse_onnx
from streamdet.models.openvino_ir import parse_ir_signature
from streamdet.models.recognize import recognize
from streamdet.redact import redact

_TOLERANCES = {
    TargetPrecision.FP32: FP32_TOLERANCE,
    TargetPrecision.FP16: FP16_TOLERANCE,
    TargetPrecision.INT8: INT8_TOLERANCE,
}


def finalize(
    source: SourceModel,
    draft: DraftModel,
    reference: ModelRunner,
    samples: Sequence[SampleImage],
    options: ConvertOptions,
    progress: Progress,
) -> ConvertedModel:
    """Verifies a new graph, and returns the files to write, with full metadata.

    Args:
        source: of the conversion.
        draft: the new graph.
        reference: to verify against; closed here.
        samples: images for the verification.
        options: of the conversion.
        progress: called with a description of the current step.

    Raises:
        ModelError: the graph is not valid, or its detections differ.
    """
    check_graph(draft.model)
    with closing(reference), closing(_runner_of(serialize(draft.model, options, {}), draft.spec)) as result:
        verification = verify_conversion(reference, result, samples, _TOLERANCES[options.precision], progress)
    notes = tuple(dict.fromkeys([*draft.notes, *verification.notes]))
    files = serialize(draft.model, options, conversion_metadata(source, draft, options, verification, notes))
    check_round_trip(files, draft.spec, source.file.name)
    return ConvertedModel(files, draft.spec, verification, notes, draft.quantizer_report)


def check_graph(model: onnx.ModelProto) -> None:
    """Checks operators, types and shapes.

    Raises:
        ModelError: the graph is not valid. Either a conversion step has a defect, or the source passed every earlier
            check although it is damaged.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = redact(" ".join(str(error).split()))[:200]
        raise ModelError(f"the converted graph is not valid: {reason}") from None


def to_int8(draft: DraftModel, quantizer: Quantizer, name: str, progress: Progress) -> None:
    """Replaces a draft's model by its INT8 form, and adds the quantizer's report."""
    data, draft.quantizer_report = quantizer(ModelFile(draft.model.SerializeToString(), name), draft.spec, progress)
    draft.model = parse_onnx(data, name)
    draft.quantizer_metadata = {entry.key: entry.value for entry in draft.model.metadata_props}


def without_origin(spec: ModelSpec) -> ModelSpec:
    """Returns a spec without download URLs, file size and hashes, for a new file with the same input and outputs."""
    return replace(spec, urls=(), size_bytes=0, sha256="", sha384="")


def serialize(model: onnx.ModelProto, options: ConvertOptions, metadata: Mapping[str, str]) -> Files:
    """Returns the content of the files.

    Args:
        model: its metadata is replaced.
        options: of the conversion, among them the format.
        metadata: to write into the file.

    Raises:
        ModelError: OpenVINO cannot read the model.
    """
    from streamdet.version import __version__

    del model.metadata_props[:]
    onnx.helper.set_model_props(model, dict(metadata))
    model.producer_name, model.producer_version = "streamdet", __version__
    data = model.SerializeToString()
    if options.format is FileFormat.ONNX:
        return {".onnx": data}
    xml, weights = to_ir(data, options.precision is TargetPrecision.FP16, metadata)
    return {".xml": xml, ".bin": weights}


def _runner_of(files: Files, spec: ModelSpec) -> ModelRunner:
    """Loads the serialized files."""
    if ".onnx" in files:
        return ModelRunner.of(ModelFile(files[".onnx"], "the result"), spec)
    return ModelRunner(spec, IrNetwork(files[".xml"], files[".bin"]))


def check_round_trip(files: Files, spec: ModelSpec, name: str) -> None:
    """Checks that the files, recognized like a user's, have the verified spec."""
    if ".onnx" in files:
        signature = onnx_signature(parse_onnx(files[".onnx"], name))
    else:
        signature = parse_ir_signature(files[".xml"], files[".bin"])
    read = replace(recognize(signature, spec.name), about=spec.about)
    if read != spec:
        raise RuntimeError(f"the written file is recognized as {read}, expected {spec}")
