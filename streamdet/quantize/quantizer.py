"""Quantizes a detector to INT8 within a limit on accuracy loss."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from streamdet.errors import ModelError, UsageError
from streamdet.model_spec.spec import ModelSpec
from streamdet.models.onnx_file import ModelFile
from streamdet.quantize.cost_model import layers_faster_in_float
from streamdet.quantize.graph import Graph
from streamdet.quantize.layer_search import fewest_float_layers, rank_by_sensitivity
from streamdet.quantize.options import QuantizeOptions
from streamdet.quantize.prepare import prepare
from streamdet.quantize.report import METADATA_KEY, LayerReport, QuantizeReport
from streamdet.quantize.trials import QuantizationTrials
from streamdet.quantize.validator import Score, Validator

_MIN_IMAGES_TO_SPLIT = 4  # fewer images both calibrate and validate


@dataclass(frozen=True, slots=True)
class Quantized:
    """A quantized model.

    Attributes:
        data: the ONNX file; its metadata holds the report.
        report: what was quantized, and the accuracy.
    """

    data: bytes
    report: QuantizeReport


def quantize(
    file: ModelFile,
    spec: ModelSpec,
    calibration: Sequence[Path],
    options: QuantizeOptions | None = None,
    score: Score | None = None,
    progress: Callable[[str], None] | None = None,
) -> Quantized:
    """Returns the INT8 form of a model: QuantizeLinear and DequantizeLinear pairs around what computes in integers.

    The first layers stay in float where INT8 is no faster there. The loss is measured: where all other layers in INT8
    lose too much, each is quantized alone to measure its sensitivity, and the smallest number of the most sensitive
    layers stays in float.

    Args:
        file: the float model; batch normalization and an old opset are supported.
        spec: of the model.
        calibration: photos like those it will be used on. One part calibrates, the others decide.
        options: largest loss, and how ranges are chosen.
        score: returns the accuracy of a model on labeled photos, higher is better. If given, both its loss and that of
            agreement with the float model's detections (as a share of the score) are kept within `max_loss`.
        progress: called with a description of the current step.

    Raises:
        ModelError: the model cannot be quantized, or not within the largest loss.
        SourceError: a photo cannot be read.
        UsageError: there are no photos, or a layer to exclude does not exist.
    """
    options = options or QuantizeOptions()
    trials = _calibrated(file, spec, calibration, options, score, progress or (lambda _: None))
    float_start = _float_start(trials)
    layers = [layer for layer in trials.graph.layers if layer.name not in (*options.exclude, *float_start)]
    names = [layer.name for layer in layers]
    if not options.check_accuracy:
        return _finish(trials, names, {}, len(float_start))
    sensitivity = trials.sensitivities(layers, needed=not trials.is_accurate(names))
    ranked = rank_by_sensitivity(layers, sensitivity) if sensitivity else names
    count = fewest_float_layers(len(layers), lambda n: trials.is_accurate(ranked[n:]))
    if count < len(layers):
        # Once the layers are chosen, the validation photos calibrate too: ranges from more photos proved better.
        trials.decided = True
        trials.calibrate([path for path in trials.validation_paths if path not in trials.calibration_paths])
        count += fewest_float_layers(len(layers) - count, lambda n: trials.is_accurate(ranked[count + n :]))
    if count == len(layers):
        raise ModelError(
            f"{file.name}: no layer can be quantized without losing more than {options.max_loss:g}: allow a larger "
            "loss, or give more photos like those it will be used on"
        )
    return _finish(trials, ranked[count:], sensitivity, len(float_start))


def _float_start(trials: QuantizationTrials) -> list[str]:
    """Returns the first layers that stay in float for speed; none where that would be all layers."""
    layers = layers_faster_in_float(trials.graph) if trials.options.keep_start_float else []
    return layers if len(layers) < len(trials.graph.layers) else []


def split(paths: Sequence[Path], validation_share: float) -> tuple[list[Path], list[Path]]:
    """Returns calibration and validation photos, evenly interleaved; very few photos do both."""
    if len(paths) < _MIN_IMAGES_TO_SPLIT:
        return list(paths), list(paths)
    count = min(len(paths) - 1, max(1, round(len(paths) * validation_share)))
    validation = {int((i + 0.5) * len(paths) / count) for i in range(count)}
    return [p for i, p in enumerate(paths) if i not in validation], [p for i, p in enumerate(paths) if i in validation]


def _calibrated(
    file: ModelFile,
    spec: ModelSpec,
    paths: Sequence[Path],
    options: QuantizeOptions,
    score: Score | None,
    progress: Callable[[str], None],
) -> QuantizationTrials:
    """Calibrates, and runs the float model on the validation photos."""
    if not paths:
        raise UsageError("quantization needs calibration photos: give a folder of photos like those it will be used on")
    graph = Graph.of(prepare(file))
    _check(graph, file.name, options)
    calibration_paths, validation_paths = split(paths, options.validation_share)
    progress(f"running the float model on {len(validation_paths)} photos")
    return QuantizationTrials(
        name=file.name,
        spec=spec,
        graph=graph,
        options=options,
        calibration_paths=calibration_paths,
        validation_paths=validation_paths,
        statistics={},
        validator=Validator(spec, file, validation_paths),
        score=score,
        float_score=score(file) if score else 1.0,
        progress=progress,
    )


def _finish(
    trials: QuantizationTrials, chosen: Collection[str], sensitivity: Mapping[str, float], float_start: int
) -> Quantized:
    """Returns the quantized model with its report in the metadata."""
    result = trials.result(chosen)
    total = sum(layer.macs for layer in trials.graph.layers) or 1
    report = QuantizeReport(
        measure="score on labeled photos" if trials.score else trials.validator.measure,
        float_score=trials.float_score,
        int8_score=result.score,
        agreement=result.agreement if trials.validator.compares_detections else None,
        max_loss=trials.options.max_loss,
        method=trials.options.method.value,
        per_channel=trials.options.per_channel,
        calibration_images=trials.calibration_images,
        validation_images=len(trials.validation_paths),
        layers=tuple(
            LayerReport(
                name=layer.name,
                operator=layer.operator,
                macs_share=layer.macs / total,
                sensitivity=sensitivity.get(layer.name),
                int8=layer.name in set(chosen),
            )
            for layer in trials.graph.layers
        ),
        float_start=float_start,
    )
    if report.int8_share < trials.options.min_share:
        raise ModelError(
            f"{trials.name}: only {report.int8_share:.0%} of its multiply-adds can be INT8 within a loss of "
            f"{trials.options.max_loss:g}, {trials.options.min_share:.0%} are required: allow a larger loss"
        )
    model = trials.quantized_model(chosen)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, metadata | {METADATA_KEY: report.to_json()})
    return Quantized(model.SerializeToString(deterministic=True), report)


def _check(graph: Graph, name: str, options: QuantizeOptions) -> None:
    if not graph.layers:
        raise ModelError(f"{name} has no layer that can be quantized: no Conv, Gemm or MatMul with weights was found")
    names = {layer.name for layer in graph.layers}
    unknown = [layer for layer in options.exclude if layer not in names]
    if unknown:
        raise UsageError(f"{name} has no layer {unknown[0]!r} to exclude; its first layer is {graph.layers[0].name!r}")
