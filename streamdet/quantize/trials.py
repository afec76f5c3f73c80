"""Tries choices of layers: writes the quantized model for each, and measures its loss."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from streamdet.model_spec.spec import ModelSpec
from streamdet.models.onnx_file import ModelFile
from streamdet.quantize import scale_zero_point, silu
from streamdet.quantize.calibration import calibrate, load_batches
from streamdet.quantize.concat_scales import share_concat_scales
from streamdet.quantize.graph import Graph, Layer
from streamdet.quantize.options import QuantizeOptions
from streamdet.quantize.qdq import QuantizationParameters, insert_qdq
from streamdet.quantize.statistics import TensorStatistics
from streamdet.quantize.validator import Score, Validator
from streamdet.quantize.weights import quantize_weights

_STANDARD_ERRORS = 2  # added to the measured loss as a safety margin
_MAX_SENSITIVITY_MACS = 1e12  # for measuring all layers where that is not needed to keep a loss
_MAX_SENSITIVITY_IMAGES = 8


@dataclass(frozen=True, slots=True)
class TrialResult:
    """Accuracy of one choice of layers.

    Attributes:
        score: on labeled images where there are any, else the agreement.
        agreement: with the float model.
        loss: the larger of both losses. Until the layers are decided, it includes a margin for the uncertainty of the
            agreement.
    """

    score: float
    agreement: float
    loss: float


@dataclass(slots=True)
class QuantizationTrials:
    """What stays the same while choices of layers are tried.

    Attributes:
        name: of the model.
        spec: of the model.
        graph: of the float model.
        options: largest loss, and how ranges are chosen.
        calibration_paths: images that calibrate.
        validation_paths: images that decide which layers stay in float.
        statistics: of the activations, by tensor name.
        validator: compares with the float model on the validation images.
        score: accuracy on labeled images, where there are any.
        float_score: of the float model.
        progress: called with a description of the current step.
        parameters: scales, zero points and weights from the images so far.
        calibration_images: number of images that calibrated so far.
        decided: the layers are chosen, with a margin for chance; the margin is not applied twice.
    """

    name: str
    spec: ModelSpec
    graph: Graph
    options: QuantizeOptions
    calibration_paths: Sequence[Path]
    validation_paths: Sequence[Path]
    statistics: dict[str, TensorStatistics]
    validator: Validator
    score: Score | None
    float_score: float
    progress: Callable[[str], None]
    parameters: QuantizationParameters = field(init=False)
    calibration_images: int = field(default=0, init=False)
    decided: bool = field(default=False, init=False)
    _results: dict[frozenset[str], TrialResult] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.calibrate(self.calibration_paths)

    def calibrate(self, paths: Sequence[Path]) -> None:
        """Adds images to the calibration and recomputes all parameters."""

        def report(done: int) -> None:
            self.progress(f"calibrating: photo {done} of {len(paths)}")

        calibrate(self.graph, load_batches(paths, self.spec), self.statistics, report)
        self.parameters = _parameters(self.graph, self.statistics, self.options)
        self.calibration_images += len(paths)
        self._results.clear()

    def quantized_model(self, chosen: Collection[str]) -> onnx.ModelProto:
        """Returns the model with the layers `chosen` in integers."""
        model = insert_qdq(self.graph, chosen, self.parameters)
        if not self.options.fuse_silu:
            silu.split(model)
        return model

    def quantized_file(self, chosen: Collection[str]) -> ModelFile:
        """Returns the model with the layers `chosen` in integers, serialized."""
        return ModelFile(self.quantized_model(chosen).SerializeToString(), f"the INT8 form of {self.name}")

    def result(self, chosen: Collection[str]) -> TrialResult:
        """Returns the accuracy and loss with the layers `chosen` in integers."""
        key = frozenset(chosen)
        if key not in self._results:
            candidate = self.quantized_file(chosen)
            agreement = self.validator.agreement(candidate)
            score = self.score(candidate) if self.score else agreement.value
            margin = 0.0 if self.decided else _STANDARD_ERRORS * agreement.uncertainty
            loss = max(self.float_score - score, self.float_score * (1 - agreement.value + margin))
            self._results[key] = TrialResult(score, agreement.value, loss)
            self.progress(f"{len(key)} of {len(self.graph.layers)} layers in INT8 lose at most {loss:.4f}")
        return self._results[key]

    def is_accurate(self, chosen: Collection[str]) -> bool:
        """Returns whether the loss with the layers `chosen` in integers is within the limit."""
        return self.result(chosen).loss <= self.options.max_loss

    def sensitivities(self, layers: Sequence[Layer], needed: bool) -> dict[str, float]:
        """Returns the loss of each layer quantized alone; empty where that would take long and is not needed."""
        cost = len(layers) * sum(layer.macs for layer in self.graph.layers)
        images = min(_MAX_SENSITIVITY_IMAGES, int(_MAX_SENSITIVITY_MACS // max(1, cost)))
        if not images and not needed:
            return {}
        losses = {}
        for done, layer in enumerate(layers, 1):
            losses[layer.name] = max(
                0.0, 1 - self.validator.similarity(self.quantized_file([layer.name]), max(1, images))
            )
            self.progress(f"measuring: layer {done} of {len(layers)} alone loses {losses[layer.name]:.5f}")
        return losses


def _parameters(
    graph: Graph, statistics: Mapping[str, TensorStatistics], options: QuantizeOptions
) -> QuantizationParameters:
    nodes = {node.name: node for node in graph.model.graph.node}
    independent = {
        name: scale_zero_point.choose_scale(values, options.method, options.symmetric, _reader(graph, name))
        for name, values in statistics.items()
    }
    return QuantizationParameters(
        share_concat_scales(graph, independent, options.symmetric),
        {
            layer.name: quantize_weights(graph, nodes[layer.name], statistics[layer.input], options)
            for layer in graph.layers
        },
    )


def _reader(graph: Graph, name: str) -> scale_zero_point.Reader:
    """Returns the function that the readers of a tensor compute, where all compute the same."""
    readers = {node.op_type for node in graph.consumers.get(name, [])}
    if readers == {silu.OPERATOR}:
        return scale_zero_point.silu
    return scale_zero_point.sigmoid if readers == {"Sigmoid"} else scale_zero_point.identity
