"""The end of every conversion: the new graph is checked, proven, described, and read again as a user's would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace

import onnx

from streamdet.convert.made import Converted, Files, Made, Progress, Quantise, Source
from streamdet.convert.openvino_ir import IrNetwork, to_ir
from streamdet.convert.options import ConvertOptions, Format, Precision
from streamdet.convert.proof import COARSE, FLOAT, HALF, Sample, prove
from streamdet.convert.record import record
from streamdet.convert.runner import Runner
from streamdet.errors import ModelError
from streamdet.model_spec.spec import ModelSpec
from streamdet.models.ir import signature_of_ir
from streamdet.models.load import ModelFile, parse_bytes, signature_of
from streamdet.models.recognise import recognise
from streamdet.redact import redact

_STRICT = {Precision.FP32: FLOAT, Precision.FP16: HALF, Precision.INT8: COARSE}


def finish(
    source: Source,
    made: Made,
    reference: Runner,
    samples: Sequence[Sample],
    options: ConvertOptions,
    progress: Progress,
) -> Converted:
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
    with closing(reference), closing(_runner_of(files_of(made.model, options, {}), made.spec)) as result:
        proof = prove(reference, result, samples, _STRICT[options.precision], progress)
    notes = tuple(dict.fromkeys([*made.notes, *proof.notes]))
    files = files_of(made.model, options, record(source, made, options, proof, notes))
    check_recognised(files, made.spec, source.file.name)
    return Converted(files, made.spec, proof, notes, made.report_text)


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


def to_int8(made: Made, quantise: Quantise, name: str, progress: Progress) -> None:
    """Puts a model's INT8 form in its place, with the quantiser's report."""
    data, made.report_text = quantise(ModelFile(made.model.SerializeToString(), name), made.spec, progress)
    made.model = parse_bytes(data, name)
    made.report = {entry.key: entry.value for entry in made.model.metadata_props}


def own_file(spec: ModelSpec) -> ModelSpec:
    """Returns the spec of another file that is fed and read alike."""
    return replace(spec, urls=(), size_bytes=0, sha256="", sha384="")


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


def _runner_of(files: Files, spec: ModelSpec) -> Runner:
    """Loads what would be written."""
    if ".onnx" in files:
        return Runner.of(ModelFile(files[".onnx"], "the result"), spec)
    return Runner(spec, IrNetwork(files[".xml"], files[".bin"]))


def check_recognised(files: Files, spec: ModelSpec, name: str) -> None:
    """Checks that what is to be written, read as a user's would be, is understood as what was proven."""
    if ".onnx" in files:
        signature = signature_of(parse_bytes(files[".onnx"], name))
    else:
        signature = signature_of_ir(files[".xml"], files[".bin"])
    read = replace(recognise(signature, spec.name), about=spec.about)
    if read != spec:
        raise RuntimeError(f"the written description is read as {read}, meant was {spec}")
