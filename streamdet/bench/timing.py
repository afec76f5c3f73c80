"""Timing: candidates are interleaved in one run, and their medians are compared as ratios."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of one candidate over all rounds.

    Attributes:
        name: name of the candidate.
        median_ms: median of all rounds.
        best_ms: fastest round.
        ratio: median divided by the median of the first candidate (2.0 = twice as slow).
    """

    name: str
    median_ms: float
    best_ms: float
    ratio: float


def time_interleaved(
    candidates: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int = 1,
    before: Callable[[], object] = lambda: None,
) -> list[Timing]:
    """Times every candidate once per round, so that noise of the machine affects all of them alike.

    Args:
        candidates: name -> function without arguments. The first is streamdet, the others are baselines.
        rounds: how often each is timed, at least 1.
        warm_up: untimed calls of each candidate before the first round.
        before: called before every timed call, untimed, to put the inputs into the caches as in real use.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for function in candidates.values():
        for _ in range(warm_up):
            function()
    for _ in range(rounds):
        for name, function in candidates.items():
            before()
            start = time.perf_counter()
            function()
            times[name].append(1000 * (time.perf_counter() - start))
    medians = {name: statistics.median(values) for name, values in times.items()}
    ours = next(iter(medians.values()))
    return [Timing(name, medians[name], min(times[name]), medians[name] / ours) for name in candidates]


@dataclass(frozen=True, slots=True)
class BenchmarkTable:
    """A table to print.

    Attributes:
        title: what was measured.
        header: titles of the columns. The first column holds names, the others numbers.
        rows: the cells of each row.
        notes: one line each.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
