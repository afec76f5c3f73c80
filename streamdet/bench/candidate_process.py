"""Candidates that each work in a process of their own, so that processor time and memory are theirs alone."""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

Workload = Callable[[], "WorkloadResult"]
"""Does the whole job once."""

WorkloadFactory = Callable[[], Workload]
"""Prepares a candidate, in its own process: loads models and compiles. It is pickled on its way there."""


@dataclass(frozen=True, slots=True)
class WorkloadResult:
    """What a candidate says of one turn.

    Attributes:
        frames: how many it brought to the end.
        age_ms: median, 95th and 99th percentile of capture to written; empty where that means nothing.
        stage_cpu_s: processor time by stage, where it is known.
    """

    frames: int
    age_ms: tuple[float, ...] = ()
    stage_cpu_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """What one turn took.

    Attributes:
        done: what the candidate says.
        wall_s: by the clock.
        cpu_s: processor time of the process, all its threads.
        peak_memory_bytes: most memory the process has held so far, 0 where the system does not say.
    """

    done: WorkloadResult
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.done.frames / self.wall_s

    @property
    def cpu_ms(self) -> float:
        """Processor time per frame."""
        return 1000 * self.cpu_s / self.done.frames


@dataclass(frozen=True, slots=True)
class CandidateResult:
    """A candidate after all rounds: medians, and the whole of its middle turn."""

    name: str
    fps: float
    cpu_ms: float
    peak_memory_bytes: int
    middle: ResourceUsage


def peak_memory_bytes() -> int:
    """Returns the most memory this process has held, 0 where the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most << 10


def measure_workload(turn: Workload) -> ResourceUsage:
    """Takes one turn in this process and says what it took."""
    start_s, cpu_s = time.perf_counter(), time.process_time()
    done = turn()
    return ResourceUsage(done, time.perf_counter() - start_s, time.process_time() - cpu_s, peak_memory_bytes())


class CandidateProcess:
    """A candidate in its own process; a context that ends it.

    Args:
        make: a function of a module, or a `partial` of one.
    """

    def __init__(self, make: WorkloadFactory) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would share what this process has loaded
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, make), daemon=True)
        self._process.start()
        there.close()

    def turn(self) -> ResourceUsage:
        """Lets it do its job once.

        Raises:
            Exception: what the candidate raised.
            EOFError: its process died.
        """
        self._here.send(True)
        answer = self._here.recv()
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, ResourceUsage)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._here.close()  # it ends when it reads that
        self._process.join(5)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()


def _serve(there: Connection, make: WorkloadFactory) -> None:
    try:
        turn = make()
        turn()  # fills caches
    except BaseException as error:
        failed = error
        turn = partial(_again, failed)
    while True:
        try:
            there.recv()
        except (EOFError, OSError, KeyboardInterrupt):
            return
        try:
            there.send(measure_workload(turn))
        except BaseException as error:
            there.send(error)


def _again(error: BaseException) -> WorkloadResult:
    raise error


def compare(candidates: Mapping[str, WorkloadFactory], rounds: int) -> list[CandidateResult]:
    """Lets all take turns, so that the noise of the machine falls on all alike."""
    usages: dict[str, list[ResourceUsage]] = {name: [] for name in candidates}
    with ExitStack() as stack:
        processes = {name: stack.enter_context(CandidateProcess(make)) for name, make in candidates.items()}
        for _ in range(rounds):
            for name, process in processes.items():
                usages[name].append(process.turn())
    return [_standing(name, taken) for name, taken in usages.items()]


def _standing(name: str, taken: Sequence[ResourceUsage]) -> CandidateResult:
    middle = sorted(taken, key=lambda usage: usage.wall_s)[len(taken) // 2]
    return CandidateResult(
        name,
        statistics.median(usage.fps for usage in taken),
        statistics.median(usage.cpu_ms for usage in taken),
        max(usage.peak_memory_bytes for usage in taken),
        middle,
    )
