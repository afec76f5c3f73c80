"""From a model and options to a new model that was proven to find the same."""

from __future__ import annotations

from collections.abc import Sequence

from streamdet.convert.artifacts import ConvertedModel, DraftModel, Progress, Quantizer, SourceModel
from streamdet.convert.finalize import finalize, to_int8, without_origin
from streamdet.convert.flagship import Conversion
from streamdet.convert.fp16 import check_float32, to_fp16
from streamdet.convert.model_runner import ModelRunner
from streamdet.convert.openvino_ir import require_openvino
from streamdet.convert.options import ConvertOptions, FileFormat, TargetPrecision
from streamdet.convert.proof import Sample
from streamdet.errors import ModelError, UsageError
from streamdet.model_spec.spec import Contract, ModelSpec
from streamdet.models.onnx_file import ModelFile, parse_onnx


def convert(
    file: ModelFile,
    spec: ModelSpec,
    samples: Sequence[Sample],
    options: ConvertOptions,
    quantise: Quantizer | None = None,
    progress: Progress = lambda _: None,
) -> ConvertedModel:
    """Converts a model and proves the result against it.

    Args:
        file: the source.
        spec: how the source is fed and read.
        samples: pictures for the proof; at least one.
        options: what to make of it.
        quantise: for INT8.
        progress: told what is being done.

    Raises:
        ModelError: it is not a network that can be converted so, or the result does not find the same.
        UsageError: the options do not go together, or a package is missing.
    """
    if options.format is FileFormat.OPENVINO:
        require_openvino()  # before anything takes long
    if options.precision is TargetPrecision.INT8 and quantise is None:
        raise UsageError("--precision int8 needs --calibration, a folder of photos like those it will see")
    source = SourceModel(file, parse_onnx(*file), spec)
    if options.precision is not TargetPrecision.FP32:
        check_float32(source.model, file.name)
    flagship = spec.contract in (Contract.SSD_HEADS, Contract.SSD_PUBLISHED)
    if not flagship and options.changes_only_precision:
        return _other_precision(source, samples, options, quantise, progress)
    try:
        conversion = Conversion.of(source, options, progress)
    except ModelError as error:
        raise _with_advice(error, source, flagship) from None
    return conversion.run(samples, quantise)


def _with_advice(error: ModelError, source: SourceModel, flagship: bool) -> ModelError:
    """Returns why a network cannot be converted, with what can be done."""
    if any(tensor.data_type == tensor.FLOAT16 for tensor in source.model.graph.initializer):
        return ModelError(f"{source.file.name} has FP16 weights already: convert the FP32 file that it came from")
    advice = "of other networks only the precision can be changed: --precision fp16 or int8 alone"
    return error if flagship else ModelError(f"{error}; {advice}")


def _other_precision(
    source: SourceModel,
    samples: Sequence[Sample],
    options: ConvertOptions,
    quantise: Quantizer | None,
    progress: Progress,
) -> ConvertedModel:
    """Converts another network, which keeps its form: only its precision changes."""
    made = DraftModel(parse_onnx(*source.file), without_origin(source.spec))
    if options.precision is TargetPrecision.FP16:
        made.model = to_fp16(made.model)
    elif quantise is not None:
        to_int8(made, quantise, source.file.name, progress)
    return finalize(source, made, ModelRunner.of(source.file, source.spec), samples, options, progress)
