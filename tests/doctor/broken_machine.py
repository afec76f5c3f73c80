"""Broken machines, simulated with environment variables and small files, on which the real command runs."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60
"""For probes that end: generous, because a busy machine is no failure."""


@dataclass(frozen=True)
class Report:
    code: int
    text: str
    verdict: dict[str, Any]
    checks: dict[str, dict[str, Any]]

    def status(self, name: str) -> str:
        return self.checks[name]["status"]

    def all_of(self, name: str) -> str:
        return f"{self.checks[name]['detail']} {self.checks[name]['fix']}"


_COMMAND = """
import sys
import streamdet.doctor as doctor
from streamdet.__main__ import main
only = sys.argv.pop(1).split(",")
doctor.PROBES = [probe for probe in doctor.PROBES if probe.name in only or only == [""]]
main()
"""


def doctor(*paths: Path, timeout_s: float = TIMEOUT_S, only: tuple[str, ...] = (), **variables: str | None) -> Report:
    """Runs the command on the broken machine.

    Args:
        paths: folders put before all others in Python's path.
        timeout_s: limit for each probe.
        only: names of the probes to run, since each is a process; all by default.
        variables: environment variables; None removes one.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    environment.pop("LD_LIBRARY_PATH", None)
    for name, value in variables.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, ",".join(only), "doctor", "--json", "--timeout", str(timeout_s)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=110,
    )
    assert done.stderr == "", done.stderr
    found = json.loads(done.stdout)
    return Report(done.returncode, done.stdout, found["verdict"], {check["name"]: check for check in found["checks"]})


def distribution(folder: Path, name: str, version: str) -> None:
    """Writes pip's record of an installed package."""
    record = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def shim(folder: Path, package: str, change: str) -> Path:
    """Writes a package that imports the real package of the same name as `real`, and changes it."""
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text(
        f"""import os, signal, sys
_here = os.path.dirname(os.path.dirname(__file__))
sys.path.remove(_here)
del sys.modules[{package!r}]
import {package} as real
sys.path.insert(0, _here)
{change}
"""
    )
    return folder


CUDA_DRIVER = """
#include <string.h>
#include <stddef.h>
#include <unistd.h>
int cuInit(unsigned flags) { while (HANGS) pause(); return CODE; }
int cuDriverGetVersion(int *version) { *version = VERSION; return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGet(int *device, int number) { *device = number; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, "Fake GPU", size); return 0; }
int cuDeviceTotalMem_v2(size_t *size, int device) { *size = (size_t)8 << 30; return 0; }
int cuDeviceGetAttribute(int *value, int which, int device) { *value = which == 75 ? 9 : 0; return 0; }
"""


def nvidia_driver(folder: Path, version: int = 13_000, code: int = 0, hangs: bool = False) -> Path:
    """Compiles a driver that reports a GPU; skips if there is no compiler."""
    defined = (f"-DVERSION={version}", f"-DCODE={code}", f"-DHANGS={int(hangs)}")
    return library(folder, "libcuda.so.1", CUDA_DRIVER, *defined)


def library(folder: Path, name: str, source: str = "", *options: str) -> Path:
    """Compiles a shared library and returns its folder; skips if there is no compiler."""
    if sys.platform != "linux" or shutil.which("gcc") is None:
        pytest.skip("fake libraries need gcc on Linux")
    folder.mkdir(parents=True, exist_ok=True)
    command = ["gcc", "-shared", "-fPIC", "-w", *options, "-x", "c", "-", "-o", str(folder / name)]
    subprocess.run(command, input=source, text=True, check=True, capture_output=True)
    return folder
