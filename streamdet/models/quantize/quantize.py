"""Makes an INT8 form of a detector that keeps its accuracy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from streamdet.errors import ModelError, UsageError
from streamdet.models.load import ModelFile
from streamdet.models.quantize import grids, silu
from streamdet.models.quantize.calibrate import calibrate, inputs_of
from streamdet.models.quantize.graph import Graph, Layer
from streamdet.models.quantize.guard import by_harm, fewest
from streamdet.models.quantize.judge import Judge, Score
from streamdet.models.quantize.options import QuantizeOptions
from streamdet.models.quantize.prepare import prepare
from streamdet.models.quantize.report import METADATA_KEY, LayerReport, QuantizeReport
from streamdet.models.quantize.statistics import Statistics
from streamdet.models.quantize.weights import quantise_weights
from streamdet.models.quantize.write import Parameters, write
from streamdet.models.spec import ModelSpec

_FEW_PICTURES = 4  # fewer are not split: they calibrate and decide
_MEASURING_MACS = 4e12  # multiply-adds that measuring all layers may take; more only where a loss has to be kept
_MOST_PICTURES = 8  # that a single layer is measured on


@dataclass(frozen=True, slots=True)
class Quantized:
    """A quantised model.

    Attributes:
        data: the ONNX file; its metadata has the report.
        report: what was done and lost.
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

    What keeps the loss is measured, not assumed: where all layers in INT8 lose too much, each is quantised alone, and
    as many of those that hurt most stay in float as it takes.

    Args:
        file: the float model; batch normalisation and an old opset are no obstacle.
        spec: how it is fed and read.
        calibration: photos like those it will see. A part of them calibrates, the others decide.
        options: what may be lost, and how ranges are chosen.
        score: accuracy of a model on labelled photos, higher is better. Then both its loss and that of agreement with
            the float model's detections (as a share of the score) are kept within `max_loss`.
        progress: told in words what is being done.

    Raises:
        ModelError: the model cannot be quantised, or not within what may be lost.
        SourceError: a photo cannot be read.
        UsageError: no photos, or an unknown layer among those to exclude.
    """
    options = options or QuantizeOptions()
    job = _Job.prepare(file, spec, calibration, options, score, progress or (lambda _: None))
    able = [layer for layer in job.graph.layers if layer.name not in options.exclude]
    if not options.guard:
        return job.finish([layer.name for layer in able], {})
    everything = [layer.name for layer in able]
    sensitivity = job.measure(able, needed=not job.keeps(everything))
    ranked = by_harm(able, sensitivity) if sensitivity else everything
    count = fewest(len(able), lambda n: job.keeps(ranked[n:]))
    if count == len(able):
        raise ModelError(
            f"{file.name}: nothing in it can be quantised without losing more than {options.max_loss:g}: allow a "
            "larger loss, or give more photos of what it will see"
        )
    return job.finish(ranked[count:], sensitivity)


def split(paths: Sequence[Path], decide_share: float) -> tuple[list[Path], list[Path]]:
    """Returns photos that calibrate and photos that decide, evenly mixed; with very few, all do both."""
    if len(paths) < _FEW_PICTURES:
        return list(paths), list(paths)
    count = min(len(paths) - 1, max(1, round(len(paths) * decide_share)))
    deciding = {int((i + 0.5) * len(paths) / count) for i in range(count)}
    return [p for i, p in enumerate(paths) if i not in deciding], [p for i, p in enumerate(paths) if i in deciding]


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a form of the model was found to give."""

    score: float
    agreement: float
    loss: float


@dataclass(slots=True)
class _Job:
    """Everything that stays the same while choices of layers are tried."""

    name: str
    graph: Graph
    options: QuantizeOptions
    parameters: Parameters
    judge: Judge
    score: Score | None
    float_score: float
    say: Callable[[str], None]
    pictures: tuple[int, int]
    verdicts: dict[frozenset[str], _Verdict] = field(default_factory=dict)

    @classmethod
    def prepare(
        cls,
        file: ModelFile,
        spec: ModelSpec,
        paths: Sequence[Path],
        options: QuantizeOptions,
        score: Score | None,
        say: Callable[[str], None],
    ) -> _Job:
        """Does what comes before any choice: calibrates, and asks the float model."""
        if not paths:
            raise UsageError("quantising needs photos to calibrate on: give a folder of some like those it will see")
        graph = Graph.of(prepare(file))
        _check(graph, file.name, options)
        calibrating, deciding = split(paths, options.decide_share)
        seen = calibrate(
            graph, inputs_of(calibrating, spec), lambda done: say(f"calibrating: photo {done} of {len(calibrating)}")
        )
        parameters = _parameters(graph, seen, options)
        say(f"asking the float model about {len(deciding)} photos")
        judge = Judge(spec, file, deciding)
        return cls(
            name=file.name,
            graph=graph,
            options=options,
            parameters=parameters,
            judge=judge,
            score=score,
            float_score=score(file) if score else 1.0,
            say=say,
            pictures=(len(calibrating), len(deciding)),
        )

    def form(self, chosen: Collection[str]) -> onnx.ModelProto:
        """Returns the model with these layers in integers."""
        model = write(self.graph, chosen, self.parameters)
        if not self.options.fuse_silu:
            silu.split(model)
        return model

    def file(self, chosen: Collection[str]) -> ModelFile:
        """Returns it as a file."""
        return ModelFile(self.form(chosen).SerializeToString(), f"the INT8 form of {self.name}")

    def verdict(self, chosen: Collection[str]) -> _Verdict:
        """Returns what the model with these layers in integers gives and loses."""
        key = frozenset(chosen)
        if key not in self.verdicts:
            candidate = self.file(chosen)
            agreement = self.judge.agreement(candidate)
            score = self.score(candidate) if self.score else agreement
            loss = max(self.float_score - score, self.float_score * (1 - agreement))
            self.verdicts[key] = _Verdict(score, agreement, loss)
            self.say(f"{len(key)} of {len(self.graph.layers)} layers in INT8 lose {loss:.4f}")
        return self.verdicts[key]

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
            losses[layer.name] = 1 - self.judge.closeness(self.file([layer.name]), max(1, pictures))
            self.say(f"measuring: layer {done} of {len(layers)} alone loses {losses[layer.name]:.5f}")
        return losses

    def finish(self, chosen: Collection[str], sensitivity: Mapping[str, float]) -> Quantized:
        """Returns the result, with its report in the metadata."""
        verdict = self.verdict(chosen)
        total = sum(layer.macs for layer in self.graph.layers) or 1
        report = QuantizeReport(
            measure="score on labelled photos" if self.score else self.judge.measure,
            float_score=self.float_score,
            int8_score=verdict.score,
            agreement=verdict.agreement if self.judge.compares_detections else None,
            max_loss=self.options.max_loss,
            method=self.options.method.value,
            per_channel=self.options.per_channel,
            calibrated_on=self.pictures[0],
            decided_on=self.pictures[1],
            layers=tuple(
                LayerReport(
                    name=layer.name,
                    operator=layer.operator,
                    macs_share=layer.macs / total,
                    sensitivity=sensitivity.get(layer.name),
                    int8=layer.name in set(chosen),
                )
                for layer in self.graph.layers
            ),
        )
        if report.int8_share < self.options.min_share:
            raise ModelError(
                f"{self.name}: only {report.int8_share:.0%} of its multiply-adds can be INT8 within a loss of "
                f"{self.options.max_loss:g}, {self.options.min_share:.0%} are wanted: allow a larger loss"
            )
        model = self.form(chosen)
        notes = {entry.key: entry.value for entry in model.metadata_props}
        onnx.helper.set_model_props(model, notes | {METADATA_KEY: report.to_json()})
        return Quantized(model.SerializeToString(deterministic=True), report)


def _check(graph: Graph, name: str, options: QuantizeOptions) -> None:
    if not graph.layers:
        raise ModelError(f"{name} has no layer that could be quantised: looked for Conv, Gemm and MatMul with weights")
    names = {layer.name for layer in graph.layers}
    unknown = [layer for layer in options.exclude if layer not in names]
    if unknown:
        raise UsageError(
            f"there is no layer {unknown[0]!r} to exclude in {name}; its first is {graph.layers[0].name!r}"
        )


def _parameters(graph: Graph, seen: Mapping[str, Statistics], options: QuantizeOptions) -> Parameters:
    nodes = {node.name: node for node in graph.model.graph.node}
    return Parameters(
        {
            name: grids.choose(statistics, options.method, options.symmetric, _behind(graph, name))
            for name, statistics in seen.items()
        },
        {layer.name: quantise_weights(graph, nodes[layer.name], seen[layer.input], options) for layer in graph.layers},
    )


def _behind(graph: Graph, name: str) -> grids.Behind:
    """Returns what the readers of a tensor make of it, where they all do the same."""
    readers = {node.op_type for node in graph.consumers.get(name, [])}
    if readers == {silu.OPERATOR}:
        return grids.silu
    return grids.sigmoid if readers == {"Sigmoid"} else grids.identity
