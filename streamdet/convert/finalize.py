"""The end of every conversion: the new graph is checked, proven, described, and read again as a user's would be."""

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
from streamdet.convert.proof import FP16_TOLERANCE, FP32_TOLERANCE, INT8_TOLERANCE, Sample, prove
from streamdet.errors import ModelError
from streamdet.model_spec.spec import ModelSpec
from streamdet.models.onnx_file import ModelFile, onnx_signature, parse_onnx
from streamdet.models.openvino_ir import parse_ir_signature
from streamdet.models.recognise import recognise
from streamdet.redact import redact

_TOLERANCES = {
    TargetPrecision.FP32: FP32_TOLERANCE,
    TargetPrecision.FP16: FP16_TOLERANCE,
    TargetPrecision.INT8: INT8_TOLERANCE,
}


def finalize(
    source: SourceModel,
    made: DraftModel,
    reference: ModelRunner,
    samples: Sequence[Sample],
    options: ConvertOptions,
    progress: Progress,
) -> ConvertedModel:
    """Proves a new graph, and returns what to write, with all that is known of it in the metadata.

    Args:
        source: what it was made from.
        made: the graph.
        reference: what it has to agree with; closed here.
        samples: pictures for the proof.
        options: of the conversion.
        progress: told what is being done.

    Raises:
        ModelError: it does not find the same, or is no valid graph.
    """
    check_graph(made.model)
    with closing(reference), closing(_runner_of(serialize(made.model, options, {}), made.spec)) as result:
        proof = prove(reference, result, samples, _TOLERANCES[options.precision], progress)
    notes = tuple(dict.fromkeys([*made.notes, *proof.notes]))
    files = serialize(made.model, options, conversion_metadata(source, made, options, proof, notes))
    check_round_trip(files, made.spec, source.file.name)
    return ConvertedModel(files, made.spec, proof, notes, made.report_text)


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


def to_int8(made: DraftModel, quantise: Quantizer, name: str, progress: Progress) -> None:
    """Puts a model's INT8 form in its place, with the quantiser's report."""
    data, made.report_text = quantise(ModelFile(made.model.SerializeToString(), name), made.spec, progress)
    made.model = parse_onnx(data, name)
    made.report = {entry.key: entry.value for entry in made.model.metadata_props}


def without_origin(spec: ModelSpec) -> ModelSpec:
    """Returns the spec of another file that is fed and read alike."""
    return replace(spec, urls=(), size_bytes=0, sha256="", sha384="")


def serialize(model: onnx.ModelProto, options: ConvertOptions, properties: Mapping[str, str]) -> Files:
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
    if options.format is FileFormat.ONNX:
        return {".onnx": data}
    xml, weights = to_ir(data, options.precision is TargetPrecision.FP16, properties)
    return {".xml": xml, ".bin": weights}


def _runner_of(files: Files, spec: ModelSpec) -> ModelRunner:
    """Loads what would be written."""
    if ".onnx" in files:
        return ModelRunner.of(ModelFile(files[".onnx"], "the result"), spec)
    return ModelRunner(spec, IrNetwork(files[".xml"], files[".bin"]))


def check_round_trip(files: Files, spec: ModelSpec, name: str) -> None:
    """Checks that what is to be written, read as a user's would be, is infer_input_spec as what was proven."""
    if ".onnx" in files:
        signature = onnx_signature(parse_onnx(files[".onnx"], name))
    else:
        signature = parse_ir_signature(files[".xml"], files[".bin"])
    read = replace(recognise(signature, spec.name), about=spec.about)
    if read != spec:
        raise RuntimeError(f"the written description is read as {read}, meant was {spec}")
