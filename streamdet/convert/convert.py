"""Converts a model by the given options, and verifies the result against its source."""

from __future__ import annotations

from collections.abc import Sequence

from streamdet.convert.artifacts import ConvertedModel, DraftModel, Progress, Quantizer, SourceModel
from streamdet.convert.finalize import finalize, to_int8, without_origin
from streamdet.convert.flagship import Conversion
from streamdet.convert.fp16 import check_float32, to_fp16
from streamdet.convert.model_runner import ModelRunner
from streamdet.convert.openvino_ir import require_openvino
from streamdet.convert.options import ConvertOptions, FileFormat, TargetPrecision
from streamdet.convert.verification import SampleImage
from streamdet.errors import ModelError, UsageError
from streamdet.model_spec.spec import Contract, ModelSpec
from streamdet.models.onnx_file import ModelFile, parse_onnx


def convert(
    file: ModelFile,
    spec: ModelSpec,
    samples: Sequence[SampleImage],
    options: ConvertOptions,
    quantizer: Quantizer | None = None,
    progress: Progress = lambda _: None,
) -> ConvertedModel:
    """Converts a model and verifies the result against it.

    Args:
        file: the source.
        spec: of the source.
        samples: images for the verification; at least one.
        options: of the conversion.
        quantizer: for INT8.
        progress: called with a description of the current step.

    Raises:
        ModelError: the network cannot be converted this way, or its detections differ.
        UsageError: the options contradict each other, or a package is missing.
    """
    if options.format is FileFormat.OPENVINO:
        require_openvino()  # before anything that takes long
    if options.precision is TargetPrecision.INT8 and quantizer is None:
        raise UsageError("--precision int8 needs --calibration, a folder of photos like those it will be used on")
    source = SourceModel(file, parse_onnx(*file), spec)
    if options.precision is not TargetPrecision.FP32:
        check_float32(source.model, file.name)
    flagship = spec.contract in (Contract.SSD_HEADS, Contract.SSD_PUBLISHED)
    if not flagship and options.changes_only_precision:
        return _change_precision(source, samples, options, quantizer, progress)
    try:
        conversion = Conversion.of(source, options, progress)
    except ModelError as error:
        raise _with_advice(error, source, flagship) from None
    return conversion.run(samples, quantizer)


def _with_advice(error: ModelError, source: SourceModel, flagship: bool) -> ModelError:
    """Returns the error with advice on what can be converted."""
    if any(tensor.data_type == tensor.FLOAT16 for tensor in source.model.graph.initializer):
        return ModelError(f"{source.file.name} has FP16 weights already: convert the FP32 file that it came from")
    advice = "of other networks only the precision can be changed: --precision fp16 or int8 alone"
    return error if flagship else ModelError(f"{error}; {advice}")


def _change_precision(
    source: SourceModel,
    samples: Sequence[SampleImage],
    options: ConvertOptions,
    quantizer: Quantizer | None,
    progress: Progress,
) -> ConvertedModel:
    """Changes only the precision, as for all networks other than the flagship."""
    draft = DraftModel(parse_onnx(*source.file), without_origin(source.spec))
    if options.precision is TargetPrecision.FP16:
        draft.model = to_fp16(draft.model)
    elif quantizer is not None:
        to_int8(draft, quantizer, source.file.name, progress)
    return finalize(source, draft, ModelRunner.of(source.file, source.spec), samples, options, progress)
