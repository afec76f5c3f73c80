"""Latency and throughput of models, and the time of each stage, on every provider that works."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from streamdet.bench.candidates import Candidate, batch_of
from streamdet.bench.roofline import CHAIN_GFLOP, chain_runner
from streamdet.inference.providers import Precision
from streamdet.types import StageTimes


@dataclass(frozen=True, slots=True)
class InferenceTiming:
    """The measurements of one candidate.

    Attributes:
        model: name of the model.
        runs_on: provider or baseline.
        precision: the precision it computes in.
        median_ms: median inference time of one image.
        p95_ms: 95th percentile of the same.
        preprocess_ms: median, 0 for a baseline, which only infers.
        postprocess_ms: likewise.
        gflop: arithmetic per image.
        gflops: arithmetic per second of inference.
        machine_gflops: arithmetic per second of a chain of large convolutions on the same provider in the same
            precision; 0 if not measured.
        images_per_s: pairs of batch size and median number of images per second.
        explain: why this provider and precision were chosen.
    """

    model: str
    runs_on: str
    precision: str
    median_ms: float
    p95_ms: float
    preprocess_ms: float
    postprocess_ms: float
    gflop: float
    gflops: float
    machine_gflops: float = 0.0
    images_per_s: tuple[tuple[int, float], ...] = ()
    explain: str = ""

    @property
    def overhead(self) -> float:
        """Time of pre- and post-processing divided by the time of inference."""
        return (self.preprocess_ms + self.postprocess_ms) / self.median_ms

    @property
    def floor_ms(self) -> float:
        """Time of this arithmetic at the rate of the chain, 0 if not measured."""
        return 1000 * self.gflop / self.machine_gflops if self.machine_gflops else 0.0


def measure(
    candidates: Sequence[Candidate],
    rounds: int,
    batches: Sequence[int] = (),
    roofline: bool = True,
) -> list[InferenceTiming]:
    """Times all candidates once per round, so that noise of the machine affects all of them alike.

    Args:
        candidates: the candidates.
        rounds: how often each is timed.
        batches: batch sizes for throughput, for models that accept them.
        roofline: also time the chain of convolutions in the same rounds.
    """
    chains = _chains(candidates) if roofline else {}
    times: list[list[StageTimes]] = [[] for _ in candidates]
    chain_s: dict[tuple[str, str], list[float]] = {key: [] for key in chains}
    for _ in range(rounds):
        for candidate, kept in zip(candidates, times, strict=True):
            kept.append(candidate.detect())
        for key, run in chains.items():
            chain_s[key].append(_seconds(run))
    rates = {key: CHAIN_GFLOP / statistics.median(values) for key, values in chain_s.items()}
    rows = []
    for candidate, kept in zip(candidates, times, strict=True):
        row = _row(candidate, kept)
        rate = rates.get((candidate.runs_on, candidate.precision), 0.0)
        rows.append(replace(row, machine_gflops=rate))
    throughputs = _throughputs(candidates, batches, max(3, rounds // 3))
    return [replace(row, images_per_s=tuple(rate)) for row, rate in zip(rows, throughputs, strict=True)]


def load_warning() -> str:
    """Returns a warning if other programs use the processors; "" if they do not or it is unknown."""
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):  # not on Windows
        return ""
    processors = os.cpu_count() or 1
    if load < 0.25 * processors:
        return ""
    return f"the machine was busy before this started (load {load:.1f} on {processors} processors): compare ratios only"


def _row(candidate: Candidate, times: Sequence[StageTimes]) -> InferenceTiming:
    infer = [stages.infer_ms for stages in times]
    median = statistics.median(infer)
    return InferenceTiming(
        model=candidate.model.name,
        runs_on=candidate.runs_on,
        precision=candidate.precision,
        median_ms=median,
        p95_ms=float(np.percentile(infer, 95)),
        preprocess_ms=statistics.median(stages.preprocess_ms for stages in times),
        postprocess_ms=statistics.median(stages.postprocess_ms for stages in times),
        gflop=candidate.model.gflop,
        gflops=1000 * candidate.model.gflop / median,
        explain=candidate.explain,
    )


def _chains(candidates: Sequence[Candidate]) -> dict[tuple[str, str], Callable[[], object]]:
    """Returns the chain of convolutions for each provider and precision of the candidates."""
    chains: dict[tuple[str, str], Callable[[], object]] = {}
    for candidate in candidates:
        key = (candidate.runs_on, candidate.precision)
        if candidate.requested_precision and key not in chains:
            model = candidate.model
            weights = Precision.FP32 if candidate.precision == "fp32" else model.weights
            chains[key] = chain_runner(candidate.runs_on, candidate.requested_precision, weights, model.threads)
    return chains


def _throughputs(candidates: Sequence[Candidate], batches: Sequence[int], rounds: int) -> list[list[tuple[int, float]]]:
    results: list[list[tuple[int, float]]] = [[] for _ in candidates]
    for count in batches:
        participants = [i for i, candidate in enumerate(candidates) if candidate.any_batch or count == 1]
        batch_by_model = {id(c.model): batch_of(c.model, count) for c in (candidates[i] for i in participants)}
        seconds: dict[int, list[float]] = {i: [] for i in participants}
        for round_number in range(rounds + 1):
            for i in participants:
                candidate = candidates[i]
                batch = batch_by_model[id(candidate.model)]
                took = _seconds(lambda candidate=candidate, batch=batch: candidate.infer(batch))  # type: ignore[misc]
                if round_number:  # the first allocates memory for this batch size
                    seconds[i].append(took)
        for i in participants:
            results[i].append((count, count / statistics.median(seconds[i])))
    return results


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
