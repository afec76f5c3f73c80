"""The interpreter, the processors, the memory, and the limits that a container sets."""

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
_MIN_FREE_BYTES = 1e9

# Control groups of version 1 report "no limit" as the largest multiple of a page in 63 bits.
_NO_LIMIT = 1 << 62


def probe(_: str = "") -> Iterator[CheckResult]:
    """Checks the interpreter, the processors and the memory."""
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

    usable, total = available_cpus(), os.cpu_count() or 1
    detail = f"{usable} usable" + (f" of {total} (the limit of this process or container)" if usable != total else "")
    model = f", {processor.model}" if processor.model else ""
    light, heavy = default_threads(), default_threads(HEAVY_GFLOPS)
    inference = f"{light} for inference" + (f", {heavy} for heavy networks" if heavy != light else "")
    return CheckResult("processors", Status.OK, f"{detail}{model}; {inference}, by default")


def _arithmetic(processor: Processor) -> CheckResult:
    name = "arithmetic"
    if not processor.flags:
        return CheckResult(name, Status.ABSENT, "the instruction sets of the processor cannot be listed on this system")
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
        detail = f"{free / 1e9:.1f} GB free of the {limit / 1e9:.1f} GB limit of this container"
    if free < _MIN_FREE_BYTES:
        return CheckResult(
            "memory", Status.WARN, detail, "end other programs, or raise the limit of the container (docker run -m 4g)"
        )
    return CheckResult("memory", Status.OK, detail)


def _group_memory(groups: Path) -> tuple[int | None, int]:
    """Returns the memory limit of this control group, None for no limit, and the memory in use; both in bytes."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            maximum = int((groups / limit).read_text())
            return (maximum if maximum < _NO_LIMIT else None), int((groups / used).read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return None, 0


def _shared_memory(folder: Path = Path("/dev/shm")) -> CheckResult:
    """Streamdet does not use shared memory, but X11 windows and other libraries do."""
    try:
        size = shutil.disk_usage(folder).total
    except OSError:
        return CheckResult("shared memory", Status.ABSENT, f"no {folder}; streamdet does not need it")
    return CheckResult("shared memory", Status.OK, f"{folder} holds {size / 1e6:,.0f} MB; streamdet itself needs none")
