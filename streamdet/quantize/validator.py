"""Compares quantized models with the float model on validation images, which did not calibrate them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdet.detect.output_contracts import bind_decoder
from streamdet.detect.postprocess import PostprocessRules, RawDetections
from streamdet.inference.providers import available_cpus
from streamdet.inference.session import Session
from streamdet.model_spec.spec import ModelSpec
from streamdet.models.onnx_file import ModelFile
from streamdet.quantize.agreement import Agreement, agreement_with_uncertainty, weighted_dice
from streamdet.quantize.calibration import Batch, load_batches

AGREEMENT = "agreement with the float model's detections"
SIGNAL = "share of the outputs' power that is not noise (there are no detections to compare)"

_MIN_SCORE = 0.05  # of detections that are compared
_CONFIDENT = 0.3  # without a score of the float model that reaches this, there is nothing to compare
_FEW_IMAGES = 8  # for the effect of single layers: the measure is continuous, so few images are enough

Outputs = dict[str, NDArray[np.float32]]


class Validator:
    """Holds the float model's results on the validation images and compares other models with them.

    Where the float model detects nothing, as with random weights, raw outputs for a few images are compared instead.

    Args:
        spec: of the model.
        model: the float model.
        paths: validation images.

    Attributes:
        measure: what `agreement` measures, in words.
        compares_detections: False where raw outputs are compared.
    """

    def __init__(self, spec: ModelSpec, model: ModelFile, paths: Sequence[Path]) -> None:
        self._spec, self._paths = spec, paths
        self._reference = [] if spec.random_weights else self._detect(model, load_batches(paths, spec))
        self.compares_detections = any((found.scores >= _CONFIDENT).any() for found in self._reference)
        self.measure = AGREEMENT if self.compares_detections else SIGNAL
        self._few: list[Batch] = list(islice(load_batches(paths, spec), _FEW_IMAGES))
        self._outputs = [] if self.compares_detections else self._run(model, self._few)

    def agreement(self, model: ModelFile) -> Agreement:
        """Returns the agreement of a quantized model with the float model."""
        if self.compares_detections:
            candidate = self._detect(model, load_batches(self._paths, self._spec))
            return agreement_with_uncertainty(self._reference, candidate)
        return Agreement(_signal_share(self._outputs, self._run(model, self._few)))

    def similarity(self, model: ModelFile, images: int) -> float:
        """Returns a similarity for small differences on the first `images`, in [0, 1]."""
        few = self._few[:images]
        if self.compares_detections:
            return weighted_dice(self._reference[: len(few)], self._detect(model, few))
        return _signal_share(self._outputs[: len(few)], self._run(model, few))

    def _detect(self, model: ModelFile, batches: Iterable[Batch]) -> list[RawDetections]:
        with Session(model, provider="cpu", threads=available_cpus()) as session:
            decoder = bind_decoder(self._spec, session.outputs)
            rules = PostprocessRules(_MIN_SCORE, self._spec.iou, np.ones(decoder.classes, bool))
            return [decoder.decode(session.run(batch), 0, rules) for batch in batches]

    def _run(self, model: ModelFile, batches: Iterable[Batch]) -> list[Outputs]:
        with Session(model, provider="cpu", threads=available_cpus()) as session:
            return [session.run(batch) for batch in batches]


def _signal_share(reference: Sequence[Outputs], candidate: Sequence[Outputs]) -> float:
    """Returns the mean over outputs of 1 - noise power / signal power, at least 0."""
    shares = []
    for first, second in zip(reference, candidate, strict=True):
        for name, values in first.items():
            power = float(np.square(values, dtype=np.float64).sum())
            noise = float(np.square(values.astype(np.float64) - second[name]).sum())
            shares.append(max(0.0, 1 - noise / power) if power else float(noise == 0))
    return float(np.mean(shares))


Score = Callable[[ModelFile], float]
"""Returns the accuracy of a model on labeled images; higher is better."""
