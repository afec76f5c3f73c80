"""Latency, throughput and the share of each stage, of models on everything that can run them here."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from streamdet.bench.contenders import Contender, batch_of
from streamdet.bench.roofline import CHAIN_GFLOP, chain_runner
from streamdet.inference.providers import Precision
from streamdet.types import StageTimes


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one contender.

    Attributes:
        model: its name.
        runs_on: provider or rival.
        precision: what it computes in.
        median_ms: of inference, one picture.
        p95_ms: the same, 95th percentile.
        preprocess_ms: median, 0 for a rival, which only infers.
        postprocess_ms: median, likewise.
        gflop: arithmetic of one picture.
        gflops: how fast that was done.
        machine_gflops: how fast this provider does a chain of large convolutions in this precision; 0 where unmeasured.
        images_per_s: batch -> pictures inferred in a second, medians.
        explain: why it runs like that.
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
    def around(self) -> float:
        """What pre- and post-processing take, as a share of inference."""
        return (self.preprocess_ms + self.postprocess_ms) / self.median_ms

    @property
    def floor_ms(self) -> float:
        """How long the chain's rate needs for this arithmetic, 0 where unmeasured."""
        return 1000 * self.gflop / self.machine_gflops if self.machine_gflops else 0.0


def measure(
    contenders: Sequence[Contender],
    rounds: int,
    batches: Sequence[int] = (),
    roofline: bool = True,
) -> list[Row]:
    """Times everything in turns, so that noise of the machine falls on all alike.

    Args:
        contenders: what to time.
        rounds: how often each is timed.
        batches: sizes of batches to measure throughput with, where a model takes any number.
        roofline: also time the chain of convolutions, within the same turns.
    """
    chains = _chains(contenders) if roofline else {}
    times: list[list[StageTimes]] = [[] for _ in contenders]
    chain_s: dict[tuple[str, str], list[float]] = {key: [] for key in chains}
    for _ in range(rounds):
        for contender, kept in zip(contenders, times, strict=True):
            kept.append(contender.detect())
        for key, run in chains.items():
            chain_s[key].append(_seconds(run))
    rates = {key: CHAIN_GFLOP / statistics.median(values) for key, values in chain_s.items()}
    rows = []
    for contender, kept in zip(contenders, times, strict=True):
        row = _row(contender, kept)
        rate = rates.get((contender.runs_on, contender.precision), 0.0)
        rows.append(replace(row, machine_gflops=rate))
    throughputs = _throughputs(contenders, batches, max(3, rounds // 3))
    return [replace(row, images_per_s=tuple(rate)) for row, rate in zip(rows, throughputs, strict=True)]


def busy() -> str:
    """Returns a sentence about others on this machine, "" where it is quiet or cannot be known."""
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):  # not on Windows
        return ""
    processors = os.cpu_count() or 1
    if load < 0.25 * processors:
        return ""
    return f"the machine was busy before this started (load {load:.1f} on {processors} processors): compare ratios only"


def _row(contender: Contender, times: Sequence[StageTimes]) -> Row:
    infer = [stages.infer_ms for stages in times]
    median = statistics.median(infer)
    return Row(
        model=contender.subject.name,
        runs_on=contender.runs_on,
        precision=contender.precision,
        median_ms=median,
        p95_ms=float(np.percentile(infer, 95)),
        preprocess_ms=statistics.median(stages.preprocess_ms for stages in times),
        postprocess_ms=statistics.median(stages.postprocess_ms for stages in times),
        gflop=contender.subject.gflop,
        gflops=1000 * contender.subject.gflop / median,
        explain=contender.explain,
    )


def _chains(contenders: Sequence[Contender]) -> dict[tuple[str, str], Callable[[], object]]:
    """Returns the chain of convolutions for each provider and precision that takes part."""
    chains: dict[tuple[str, str], Callable[[], object]] = {}
    for contender in contenders:
        key = (contender.runs_on, contender.precision)
        if contender.asked and key not in chains:
            subject = contender.subject
            weights = Precision.FP32 if contender.precision == "fp32" else subject.weights
            chains[key] = chain_runner(contender.runs_on, contender.asked, weights, subject.threads)
    return chains


def _throughputs(contenders: Sequence[Contender], batches: Sequence[int], rounds: int) -> list[list[tuple[int, float]]]:
    results: list[list[tuple[int, float]]] = [[] for _ in contenders]
    for count in batches:
        taking_part = [i for i, contender in enumerate(contenders) if contender.any_batch or count == 1]
        given = {id(c.subject): batch_of(c.subject, count) for c in (contenders[i] for i in taking_part)}
        seconds: dict[int, list[float]] = {i: [] for i in taking_part}
        for turn in range(rounds + 1):
            for i in taking_part:
                contender = contenders[i]
                batch = given[id(contender.subject)]
                took = _seconds(lambda contender=contender, batch=batch: contender.infer(batch))  # type: ignore[misc]
                if turn:  # the first makes room for a batch of this size
                    seconds[i].append(took)
        for i in taking_part:
            results[i].append((count, count / statistics.median(seconds[i])))
    return results


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
