"""Tries choices of layers: writes the model for each, and asks what it loses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from streamdet.model_spec.spec import ModelSpec
from streamdet.models.onnx_file import ModelFile
from streamdet.quantize import grids, silu
from streamdet.quantize.calibrate import calibrate, inputs_of
from streamdet.quantize.graph import Graph, Layer
from streamdet.quantize.judge import Judge, Score
from streamdet.quantize.options import QuantizeOptions
from streamdet.quantize.sharing import share
from streamdet.quantize.statistics import Statistics
from streamdet.quantize.weights import quantise_weights
from streamdet.quantize.write import Parameters, write

_STANDARD_ERRORS = 2  # by which disagreement may exceed what the deciding photos show
_MEASURING_MACS = 1e12  # multiply-adds that measuring all layers may take; more only where a loss has to be kept
_MOST_PICTURES = 8  # that a single layer is measured on


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a form of the model was found to give.

    Attributes:
        score: of `score` where there is one, else the agreement.
        agreement: with the float model.
        loss: what was lost in either; until the layers are decided on, the uncertainty of the agreement on top.
    """

    score: float
    agreement: float
    loss: float


@dataclass(slots=True)
class Job:
    """Everything that stays the same while choices of layers are tried.

    Attributes:
        name: of the model.
        spec: how it is fed and read.
        graph: of the float model.
        options: what may be lost, and how ranges are chosen.
        calibrating: photos that ranges come from.
        deciding: photos that decide which layers stay in float.
        seen: statistics of the activations.
        judge: knows what the float model finds on the deciding photos.
        score: accuracy on labelled photos, where there are any.
        float_score: of the float model.
        say: told in words what is being done.
        calibrated_on: how many photos the ranges come from so far.
        decided: the choice of layers was made with a margin for chance, which is not needed twice.
    """

    name: str
    spec: ModelSpec
    graph: Graph
    options: QuantizeOptions
    calibrating: Sequence[Path]
    deciding: Sequence[Path]
    seen: dict[str, Statistics]
    judge: Judge
    score: Score | None
    float_score: float
    say: Callable[[str], None]
    parameters: Parameters = field(init=False)
    calibrated_on: int = field(default=0, init=False)
    decided: bool = field(default=False, init=False)
    _verdicts: dict[frozenset[str], Verdict] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.calibrate(self.calibrating)

    def calibrate(self, paths: Sequence[Path]) -> None:
        """Takes what these photos show into the ranges."""

        def tell(done: int) -> None:
            self.say(f"calibrating: photo {done} of {len(paths)}")

        calibrate(self.graph, inputs_of(paths, self.spec), self.seen, tell)
        self.parameters = _parameters(self.graph, self.seen, self.options)
        self.calibrated_on += len(paths)
        self._verdicts.clear()

    def form(self, chosen: Collection[str]) -> onnx.ModelProto:
        """Returns the model with these layers in integers."""
        model = write(self.graph, chosen, self.parameters)
        if not self.options.fuse_silu:
            silu.split(model)
        return model

    def file(self, chosen: Collection[str]) -> ModelFile:
        """Returns it as a file."""
        return ModelFile(self.form(chosen).SerializeToString(), f"the INT8 form of {self.name}")

    def verdict(self, chosen: Collection[str]) -> Verdict:
        """Returns what the model with these layers in integers gives and loses."""
        key = frozenset(chosen)
        if key not in self._verdicts:
            candidate = self.file(chosen)
            agreement = self.judge.agreement(candidate)
            score = self.score(candidate) if self.score else agreement.value
            margin = 0.0 if self.decided else _STANDARD_ERRORS * agreement.uncertainty
            loss = max(self.float_score - score, self.float_score * (1 - agreement.value + margin))
            self._verdicts[key] = Verdict(score, agreement.value, loss)
            self.say(f"{len(key)} of {len(self.graph.layers)} layers in INT8 lose {loss:.4f} at most")
        return self._verdicts[key]

    def keeps(self, chosen: Collection[str]) -> bool:
        """Tells whether these layers in integers lose no more than is allowed."""
        return self.verdict(chosen).loss <= self.options.max_loss

    def measure(self, layers: Sequence[Layer], needed: bool) -> dict[str, float]:
        """Returns what each layer loses alone; nothing where that takes long and is not needed."""
        cost = len(layers) * sum(layer.macs for layer in self.graph.layers)
        pictures = min(_MOST_PICTURES, int(_MEASURING_MACS // max(1, cost)))
        if not pictures and not needed:
            return {}
        losses = {}
        for done, layer in enumerate(layers, 1):
            losses[layer.name] = max(0.0, 1 - self.judge.closeness(self.file([layer.name]), max(1, pictures)))
            self.say(f"measuring: layer {done} of {len(layers)} alone loses {losses[layer.name]:.5f}")
        return losses


def _parameters(graph: Graph, seen: Mapping[str, Statistics], options: QuantizeOptions) -> Parameters:
    nodes = {node.name: node for node in graph.model.graph.node}
    alone = {
        name: grids.choose(statistics, options.method, options.symmetric, _behind(graph, name))
        for name, statistics in seen.items()
    }
    return Parameters(
        share(graph, alone, options.symmetric),
        {layer.name: quantise_weights(graph, nodes[layer.name], seen[layer.input], options) for layer in graph.layers},
    )


def _behind(graph: Graph, name: str) -> grids.Behind:
    """Returns what the readers of a tensor make of it, where they all do the same."""
    readers = {node.op_type for node in graph.consumers.get(name, [])}
    if readers == {silu.OPERATOR}:
        return grids.silu
    return grids.sigmoid if readers == {"Sigmoid"} else grids.identity
