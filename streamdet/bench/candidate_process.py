"""Candidates that each run in their own process, so that processor time and memory are measured separately."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from streamdet.isolation import ChildProcess, ParentConnection

Workload = Callable[[], "WorkloadResult"]
"""Does the complete job once."""

WorkloadFactory = Callable[[], Workload]
"""Prepares a candidate in its own process: loads models and compiles. It is pickled on its way there."""


@dataclass(frozen=True, slots=True)
class WorkloadResult:
    """What a candidate reports after it has done its job once.

    Attributes:
        frames: number of frames it processed.
        age_ms: median, 95th and 99th percentile of the time from capture to file; empty if that has no meaning.
        stage_cpu_s: processor time by stage, if it is known.
    """

    frames: int
    age_ms: tuple[float, ...] = ()
    stage_cpu_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """What it cost to do the job once.

    Attributes:
        result: what the candidate reported.
        wall_s: elapsed time.
        cpu_s: processor time of all threads of the process.
        peak_memory_bytes: most memory that the process has used so far, 0 if the system does not report it.
    """

    result: WorkloadResult
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.result.frames / self.wall_s

    @property
    def cpu_ms(self) -> float:
        """Processor time per frame."""
        return 1000 * self.cpu_s / self.result.frames


@dataclass(frozen=True, slots=True)
class CandidateResult:
    """A candidate after all rounds: medians, and its median round by elapsed time."""

    name: str
    fps: float
    cpu_ms: float
    peak_memory_bytes: int
    median_round: ResourceUsage


def peak_memory_bytes() -> int:
    """Returns the most memory that this process has used, 0 if the system does not report it."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


def measure_workload(workload: Workload) -> ResourceUsage:
    """Runs a workload once in this process and returns what it cost."""
    start_s, cpu_s = time.perf_counter(), time.process_time()
    result = workload()
    return ResourceUsage(result, time.perf_counter() - start_s, time.process_time() - cpu_s, peak_memory_bytes())


def _run_on_request(parent: ParentConnection, factory: WorkloadFactory) -> None:
    """Measures the workload once for each message; runs in the child process."""
    workload = factory()
    workload()  # fills caches
    while True:
        parent.receive()
        parent.send(measure_workload(workload))


def _run_once(candidate: ChildProcess) -> ResourceUsage:
    """Raises what the candidate raised, or ChildEnded if its process died."""
    candidate.send("run once")
    usage = candidate.receive()
    assert isinstance(usage, ResourceUsage)
    return usage


def compare(candidates: Mapping[str, WorkloadFactory], rounds: int) -> list[CandidateResult]:
    """Runs every candidate once per round, so that noise of the machine affects all of them alike.

    Args:
        candidates: name -> function of a module, or `functools.partial` of one.
        rounds: how often each is measured.

    Raises:
        Exception: what a candidate raised.
        ChildEnded: the process of a candidate died.
    """
    usages: dict[str, list[ResourceUsage]] = {name: [] for name in candidates}
    with ExitStack() as stack:
        children = {
            name: stack.enter_context(ChildProcess(_run_on_request, factory, name=name))
            for name, factory in candidates.items()
        }
        for _ in range(rounds):
            for name, child in children.items():
                usages[name].append(_run_once(child))
    return [_summarize(name, taken) for name, taken in usages.items()]


def _summarize(name: str, taken: Sequence[ResourceUsage]) -> CandidateResult:
    return CandidateResult(
        name,
        statistics.median(usage.fps for usage in taken),
        statistics.median(usage.cpu_ms for usage in taken),
        max(usage.peak_memory_bytes for usage in taken),
        sorted(taken, key=lambda usage: usage.wall_s)[len(taken) // 2],
    )
