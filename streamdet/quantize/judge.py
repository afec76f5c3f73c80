"""Compares quantised forms of a model with the float one, on pictures that did not calibrate them."""

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
from streamdet.quantize.agreement import Agreement, agreement_with_error, closeness
from streamdet.quantize.calibrate import Batch, inputs_of

AGREEMENT = "agreement with the float model's detections"
SIGNAL = "share of the outputs' power that is not noise (there are no detections to compare)"

_WEAKEST = 0.05  # score down to which detections are compared
_SURE = 0.3  # where no score of the float model reaches it, there is nothing to compare
_CLOSE_UP = 8  # pictures that single layers are judged on: their effect is continuous, so few do

Outputs = dict[str, NDArray[np.float32]]


class Judge:
    """Knows what the float model gives on the pictures.

    Where that is nothing, as for random weights, the raw outputs of a few pictures are compared instead.

    Args:
        spec: of the model.
        model: the float model.
        paths: pictures that decide.

    Attributes:
        measure: what `agreement` is, in words.
    """

    def __init__(self, spec: ModelSpec, model: ModelFile, paths: Sequence[Path]) -> None:
        self._spec, self._paths = spec, paths
        self._wanted = [] if spec.random_weights else self._detect(model, inputs_of(paths, spec))
        self.compares_detections = any((found.scores >= _SURE).any() for found in self._wanted)
        self.measure = AGREEMENT if self.compares_detections else SIGNAL
        self._few: list[Batch] = list(islice(inputs_of(paths, spec), _CLOSE_UP))
        self._outputs = [] if self.compares_detections else self._run(model, self._few)

    def agreement(self, model: ModelFile) -> Agreement:
        """Returns how far a form of the model agrees with it."""
        if self.compares_detections:
            got = self._detect(model, inputs_of(self._paths, self._spec))
            return agreement_with_error(self._wanted, got)
        return Agreement(_signal(self._outputs, self._run(model, self._few)))

    def closeness(self, model: ModelFile, pictures: int) -> float:
        """Returns how close a form of the model comes on the first `pictures`, in [0, 1]; for small differences."""
        few = self._few[:pictures]
        if self.compares_detections:
            return closeness(self._wanted[: len(few)], self._detect(model, few))
        return _signal(self._outputs[: len(few)], self._run(model, few))

    def _detect(self, model: ModelFile, batches: Iterable[Batch]) -> list[RawDetections]:
        with Session(model, provider="cpu", threads=available_cpus()) as session:
            decoder = bind_decoder(self._spec, session.outputs)
            rules = PostprocessRules(_WEAKEST, self._spec.iou, np.ones(decoder.classes, bool))
            return [decoder.decode(session.run(batch), 0, rules) for batch in batches]

    def _run(self, model: ModelFile, batches: Iterable[Batch]) -> list[Outputs]:
        with Session(model, provider="cpu", threads=available_cpus()) as session:
            return [session.run(batch) for batch in batches]


def _signal(wanted: Sequence[Outputs], got: Sequence[Outputs]) -> float:
    """Returns the mean over outputs of 1 - noise power / signal power, at least 0."""
    shares = []
    for first, second in zip(wanted, got, strict=True):
        for name, values in first.items():
            power = float(np.square(values, dtype=np.float64).sum())
            noise = float(np.square(values.astype(np.float64) - second[name]).sum())
            shares.append(max(0.0, 1 - noise / power) if power else float(noise == 0))
    return float(np.mean(shares))


Score = Callable[[ModelFile], float]
"""Accuracy of a model on labelled pictures, higher is better."""
