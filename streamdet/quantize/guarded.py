"""Makes an INT8 form of a detector that keeps its accuracy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from streamdet.errors import ModelError, UsageError
from streamdet.model_spec.spec import ModelSpec
from streamdet.models.onnx_file import ModelFile
from streamdet.quantize.graph import Graph
from streamdet.quantize.job import Job
from streamdet.quantize.judge import Judge, Score
from streamdet.quantize.options import QuantizeOptions
from streamdet.quantize.prepare import prepare
from streamdet.quantize.report import METADATA_KEY, LayerReport, QuantizeReport
from streamdet.quantize.search import by_harm, fewest
from streamdet.quantize.worth import slow_start

_FEW_PICTURES = 4  # fewer are not split: they calibrate and decide


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

    The first layers stay in float where INT8 is no faster there. What keeps the loss is measured, not assumed: where
    all others in INT8 lose too much, each is quantised alone, and as many of those that hurt most stay in float as it
    takes.

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
    job = _prepare(file, spec, calibration, options, score, progress or (lambda _: None))
    spared = _spared(job)
    able = [layer for layer in job.graph.layers if layer.name not in (*options.exclude, *spared)]
    if not options.guard:
        return _finish(job, [layer.name for layer in able], {}, len(spared))
    everything = [layer.name for layer in able]
    sensitivity = job.measure(able, needed=not job.keeps(everything))
    ranked = by_harm(able, sensitivity) if sensitivity else everything
    count = fewest(len(able), lambda n: job.keeps(ranked[n:]))
    if count < len(able):  # decided: the deciding photos calibrate too, since ranges from more photos proved better
        job.decided = True
        job.calibrate([path for path in job.deciding if path not in job.calibrating])
        count += fewest(len(able) - count, lambda n: job.keeps(ranked[count + n :]))
    if count == len(able):
        raise ModelError(
            f"{file.name}: nothing in it can be quantised without losing more than {options.max_loss:g}: allow a "
            "larger loss, or give more photos of what it will see"
        )
    return _finish(job, ranked[count:], sensitivity, len(spared))


def _spared(job: Job) -> list[str]:
    """Returns the first layers that stay in float for speed; none where that would be all."""
    spared = slow_start(job.graph) if job.options.spare_start else []
    return spared if len(spared) < len(job.graph.layers) else []


def split(paths: Sequence[Path], decide_share: float) -> tuple[list[Path], list[Path]]:
    """Returns photos that calibrate and photos that decide, evenly mixed; with very few, all do both."""
    if len(paths) < _FEW_PICTURES:
        return list(paths), list(paths)
    count = min(len(paths) - 1, max(1, round(len(paths) * decide_share)))
    deciding = {int((i + 0.5) * len(paths) / count) for i in range(count)}
    return [p for i, p in enumerate(paths) if i not in deciding], [p for i, p in enumerate(paths) if i in deciding]


def _prepare(
    file: ModelFile,
    spec: ModelSpec,
    paths: Sequence[Path],
    options: QuantizeOptions,
    score: Score | None,
    say: Callable[[str], None],
) -> Job:
    """Does what comes before any choice: calibrates, and asks the float model."""
    if not paths:
        raise UsageError("quantising needs photos to calibrate on: give a folder of some like those it will see")
    graph = Graph.of(prepare(file))
    _check(graph, file.name, options)
    calibrating, deciding = split(paths, options.decide_share)
    say(f"asking the float model about {len(deciding)} photos")
    return Job(
        name=file.name,
        spec=spec,
        graph=graph,
        options=options,
        calibrating=calibrating,
        deciding=deciding,
        seen={},
        judge=Judge(spec, file, deciding),
        score=score,
        float_score=score(file) if score else 1.0,
        say=say,
    )


def _finish(job: Job, chosen: Collection[str], sensitivity: Mapping[str, float], spared: int) -> Quantized:
    """Returns the result, with its report in the metadata."""
    verdict = job.verdict(chosen)
    total = sum(layer.macs for layer in job.graph.layers) or 1
    report = QuantizeReport(
        measure="score on labelled photos" if job.score else job.judge.measure,
        float_score=job.float_score,
        int8_score=verdict.score,
        agreement=verdict.agreement if job.judge.compares_detections else None,
        max_loss=job.options.max_loss,
        method=job.options.method.value,
        per_channel=job.options.per_channel,
        calibrated_on=job.calibrated_on,
        decided_on=len(job.deciding),
        layers=tuple(
            LayerReport(
                name=layer.name,
                operator=layer.operator,
                macs_share=layer.macs / total,
                sensitivity=sensitivity.get(layer.name),
                int8=layer.name in set(chosen),
            )
            for layer in job.graph.layers
        ),
        spared=spared,
    )
    if report.int8_share < job.options.min_share:
        raise ModelError(
            f"{job.name}: only {report.int8_share:.0%} of its multiply-adds can be INT8 within a loss of "
            f"{job.options.max_loss:g}, {job.options.min_share:.0%} are wanted: allow a larger loss"
        )
    model = job.form(chosen)
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
