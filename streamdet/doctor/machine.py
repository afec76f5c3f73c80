"""The interpreter, the processors, the memory, and what a container leaves of them."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from streamdet.doctor.check_result import CheckResult, Status
from streamdet.doctor.processor import Processor, read_processor

_PYTHON = ((3, 11), (3, 13))

# A small detector and the pipeline on 1080p video take about 0.6 GB.
_LEAST_MEMORY = 1e9

# Bytes of "no limit" in control groups of version 1: the largest multiple of a page in 63 bits.
_NO_LIMIT = 1 << 62


def probe(_: str = "") -> Iterator[CheckResult]:
    """Looks at the interpreter, the processors and the memory."""
    yield _python()
    yield _processors(read_processor())
    yield _arithmetic(read_processor())
    if sys.platform == "linux":
        yield _memory()
        yield _shared_memory()


def _python() -> CheckResult:
    lowest, highest = (".".join(map(str, version)) for version in _PYTHON)
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if _PYTHON[0] <= sys.version_info[:2] <= _PYTHON[1]:
        return CheckResult("python", Status.OK, detail)
    return CheckResult("python", Status.WARN, detail, f"use Python {lowest} to {highest}: others are not tested")


def _processors(processor: Processor) -> CheckResult:
    from streamdet.inference.providers import HEAVY_GFLOPS, available_cpus, default_threads

    usable, there = available_cpus(), os.cpu_count() or 1
    detail = f"{usable} usable" + (
        f" of {there} (this process or container may use no more)" if usable != there else ""
    )
    model = f", {processor.model}" if processor.model else ""
    light, heavy = default_threads(), default_threads(HEAVY_GFLOPS)
    inference = f"{light} for inference" + (f", {heavy} for heavy networks" if heavy != light else "")
    return CheckResult("processors", Status.OK, f"{detail}{model}; {inference}, unless told otherwise")


def _arithmetic(processor: Processor) -> CheckResult:
    name = "arithmetic"
    if not processor.flags:
        return CheckResult(name, Status.ABSENT, "the processor's instructions cannot be listed here")
    if processor.is_x86 and "avx2" not in processor.flags:
        return CheckResult(
            name, Status.WARN, "no AVX2: inference is several times slower", "use a newer processor or a GPU"
        )
    return CheckResult(name, Status.OK, processor.arithmetic())


def _memory(meminfo: Path = Path("/proc/meminfo"), groups: Path = Path("/sys/fs/cgroup")) -> CheckResult:
    values = {}
    for line in meminfo.read_text().splitlines():
        key, _, value = line.partition(":")
        values[key] = int(value.split()[0]) * 1024
    total, free = values["MemTotal"], values["MemAvailable"]
    detail = f"{free / 1e9:.1f} GB free of {total / 1e9:.1f} GB"
    limit, used = _group_memory(groups)
    if limit is not None and limit < total:
        free = min(free, limit - used)
        detail = f"{free / 1e9:.1f} GB free of the {limit / 1e9:.1f} GB that this container may use"
    if free < _LEAST_MEMORY:
        return CheckResult(
            "memory", Status.WARN, detail, "end other programs, or give the container more (docker run -m 4g)"
        )
    return CheckResult("memory", Status.OK, detail)


def _group_memory(groups: Path) -> tuple[int | None, int]:
    """Returns the limit of this control group, None where there is none, and what is used; both in bytes."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            most = int((groups / limit).read_text())
            return (most if most < _NO_LIMIT else None), int((groups / used).read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return None, 0


def _shared_memory(folder: Path = Path("/dev/shm")) -> CheckResult:
    """Nothing of streamdet lives there; X11 windows and other libraries beside it do."""
    try:
        size = shutil.disk_usage(folder).total
    except OSError:
        return CheckResult("shared memory", Status.ABSENT, f"no {folder}; streamdet does not need it")
    return CheckResult("shared memory", Status.OK, f"{folder} holds {size / 1e6:,.0f} MB; streamdet itself needs none")
