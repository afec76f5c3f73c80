"""Runs each probe in its own process, so that a driver that crashes or hangs stops only that probe.

A child writes its findings as lines of JSON after a mark, to the pipe that also takes what libraries print; the parent
has one thread per child that reads it. A child that is stuck in a driver cannot even be killed, so nobody waits for
its end.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace

from streamdet.doctor.check_result import CheckResult, Status, one_line
from streamdet.errors import StreamdetError
from streamdet.redact import redact

_MARK = "\x1e"
_AFTER_KILL_S = 0.5
_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from streamdet.doctor.run_probes import child; child(*sys.argv[2:])"
)


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe of the machine.

    Attributes:
        name: of the finding that says that the probe itself failed.
        module: of streamdet.doctor; its function ``probe`` yields the findings.
        argument: for that function.
        fix: what to do where the probe crashes or hangs.
    """

    name: str
    module: str
    argument: str = ""
    fix: str = ""


@dataclass(slots=True)
class _Running:
    probe: Probe
    process: subprocess.Popen[str]
    checks: list[CheckResult] = field(default_factory=list)
    last_words: str = ""
    reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self.read, name=f"doctor {self.probe.name}", daemon=True)

    def read(self) -> None:
        """Takes findings until the child closes its end; runs in a thread."""
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError, OSError):  # the pipe was closed under it
            for line in self.process.stdout:
                if line.startswith(_MARK):
                    found = json.loads(line[1:])
                    self.checks.append(CheckResult(**{**found, "status": Status[found["status"]]}))
                elif line.strip():
                    self.last_words = line.strip()


def run_probes_in_children(looks: Sequence[Probe], limit_s: float) -> list[CheckResult]:
    """Returns what all looks find, in their order.

    Args:
        looks: what to run; all at the same time.
        limit_s: a probe that takes longer is given up, and that is a finding.

    Raises:
        StreamdetError: the system starts no more processes, or no more threads.
    """
    deadline = time.monotonic() + limit_s
    running: list[_Running] = []
    try:
        for probe in looks:
            running.append(_Running(probe, _start(probe)))
            try:
                running[-1].reader.start()
            except RuntimeError as error:
                raise StreamdetError(f"doctor cannot probe {probe.name}: {error}; end other programs") from None
        for one in running:
            one.reader.join(max(0.0, deadline - time.monotonic()))
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.process.wait(max(0.01, deadline - time.monotonic()))
        return [check for one in running for check in _findings(one, limit_s)]
    finally:
        for one in running:
            if one.process.poll() is None:
                one.process.kill()
        deadline = time.monotonic() + _AFTER_KILL_S
        for one in running:
            if one.reader.ident is not None:  # it was started
                one.reader.join(max(0.0, deadline - time.monotonic()))
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.process.wait(max(0.01, deadline - time.monotonic()))
            if not one.reader.is_alive() and one.process.stdout is not None:
                one.process.stdout.close()


def _start(probe: Probe) -> subprocess.Popen[str]:
    arguments = [json.dumps(sys.path), probe.module, probe.name, probe.argument]
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", _CHILD, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise StreamdetError(f"doctor cannot start a process to probe {probe.name}: {error.strerror}") from None


def _findings(one: _Running, limit_s: float) -> Iterator[CheckResult]:
    yield from list(one.checks)
    code = one.process.poll()
    if code == 0:
        return
    if code is None:
        detail = f"no answer within {limit_s:g} s"
    elif code < 0:
        with contextlib.suppress(ValueError):
            code = signal.Signals(-code).name  # type: ignore[assignment]
        detail = f"crashes ({code})"
    else:
        detail = f"ended with code {code}"
    if one.last_words and code is not None:
        detail += f": {redact(one.last_words)}"
    yield CheckResult(one.probe.name, Status.FAIL, detail, one.probe.fix or "reinstall streamdet and its packages")


def child(module: str, name: str, argument: str) -> None:
    """Looks, in a process of its own, and writes what is found."""
    results = os.dup(1)
    os.dup2(2, 1)  # what libraries print belongs to the chatter
    began = time.perf_counter()
    for check in safely(name, module, argument):
        now = time.perf_counter()
        found = asdict(replace(check, took_s=round(now - began, 4)))
        os.write(results, f"\n{_MARK}{json.dumps({**found, 'status': check.status.name})}\n".encode())
        began = time.perf_counter()
    os._exit(0)  # a driver may crash or hang once more when it is unloaded; there is nothing left to close


def safely(name: str, module: str, argument: str = "") -> Iterator[CheckResult]:
    """Passes on what a probe finds; on a broken machine anything may go wrong, and that is a finding too."""
    try:
        yield from importlib.import_module(f"streamdet.doctor.{module}").probe(argument)
    except Exception as error:
        yield CheckResult(name, Status.FAIL, one_line(error), "reinstall streamdet and its packages")
