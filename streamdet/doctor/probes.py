"""Runs each probe in its own process, so that a driver that crashes or hangs stops only that probe."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from streamdet.doctor.check_result import CheckResult, Status, one_line
from streamdet.errors import StreamdetError
from streamdet.isolation import ChildEnded, ChildProcess, ChildTimeout, ParentConnection

_PACKAGE = "streamdet.doctor"
_AFTER_KILL_S = 0.5
_REINSTALL = "reinstall streamdet and its packages"


@dataclass(frozen=True, slots=True)
class Probe:
    """One examination of the machine.

    Attributes:
        name: name of the result that reports a crash or a hang of the probe itself.
        module: module of streamdet.doctor; its function ``probe`` yields the results.
        argument: argument of that function.
        fix: what to do when the probe crashes or hangs.
    """

    name: str
    module: str
    argument: str = ""
    fix: str = ""


def run_probes(probes: Sequence[Probe], timeout_s: float) -> list[CheckResult]:
    """Returns the results of all probes, in their order. All probes run at the same time.

    Args:
        probes: what to run.
        timeout_s: a probe that takes longer is killed, and reported as failed.

    Raises:
        StreamdetError: the system starts no more processes or threads.
    """
    deadline = time.monotonic() + timeout_s
    children: list[ChildProcess] = []
    try:
        for probe in probes:
            children.append(_start(probe))
        return [
            result
            for probe, child in zip(probes, children, strict=True)
            for result in _results(probe, child, deadline, timeout_s)
        ]
    finally:
        for child in children:
            child.kill()
        deadline = time.monotonic() + _AFTER_KILL_S
        for child in children:
            child.close(deadline - time.monotonic())


def _start(probe: Probe) -> ChildProcess:
    arguments = (probe.name, f"{_PACKAGE}.{probe.module}", probe.argument)
    try:
        return ChildProcess(f"{__name__}:send_results", *arguments, name=f"doctor {probe.name}")
    except OSError as error:
        raise StreamdetError(f"doctor cannot start a process for the probe {probe.name}: {error.strerror}") from None
    except RuntimeError as error:
        raise StreamdetError(f"doctor cannot run the probe {probe.name}: {error}; end other programs") from None


def _results(probe: Probe, child: ChildProcess, deadline: float, timeout_s: float) -> Iterator[CheckResult]:
    fix = probe.fix or _REINSTALL
    try:
        while True:
            yield child.receive(deadline - time.monotonic())
    except ChildEnded:
        if child.exit_code != 0:
            yield CheckResult(probe.name, Status.FAIL, child.describe_end(), fix)
    except ChildTimeout:
        yield CheckResult(probe.name, Status.FAIL, f"no answer within {timeout_s:g} s", fix)


def send_results(parent: ParentConnection, name: str, module: str, argument: str) -> None:
    """Runs a probe and sends its results; this is the function that runs in the child process."""
    started_s = time.perf_counter()
    for result in probe_safely(name, module, argument):
        now_s = time.perf_counter()
        parent.send(replace(result, took_s=round(now_s - started_s, 4)))
        started_s = time.perf_counter()


def probe_safely(name: str, module: str, argument: str = "") -> Iterator[CheckResult]:
    """Yields the results of a probe. An exception becomes a failed result: a broken machine can raise any exception."""
    try:
        yield from importlib.import_module(module).probe(argument)
    except Exception as error:
        yield CheckResult(name, Status.FAIL, one_line(error), _REINSTALL)
