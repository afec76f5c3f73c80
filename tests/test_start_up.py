"""What a run imports before its first frame: counted, because seconds depend on the machine.

A user waits for all of this before the first picture. A change that adds a package or another command's modules to a
plain run fails here, so that the addition is a decision.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sources.clips import encode

ROOT = Path(__file__).parent.parent

SCRIPT = """
import json, sys
from streamdet.cli.main import execute

code = execute(["run", sys.argv[1], "-m", "synthetic-shapes", "-o", sys.argv[2], "-q", "--provider", "cpu"])
from streamdet.kernels import compilations
print(json.dumps({"code": code, "modules": sorted(sys.modules), "kernels": compilations()}))
"""

# Packages that these import in turn are not listed; Numba imports scipy if it is installed.
NEVER = (
    "matplotlib",
    "motmetrics",
    "openvino",
    "openvino_telemetry",
    "pandas",
    "PIL",
    "psutil",
    "pycocotools",
    "sklearn",
    "supervision",
    "torch",
    "trackers",
    "uvicorn",
)
OTHER_COMMANDS = (
    "streamdet.api",
    "streamdet.bench",
    "streamdet.doctor",
    "streamdet.evaluate",
    "streamdet.quantize",
    "streamdet.models.ssd_resnet34",
    "streamdet.sinks.window",
    "streamdet.sources.camera",
    "streamdet.sources.network",
    "streamdet.scenes.street",
)
MAX_MODULES = 170  # 152 when this was written
MAX_KERNELS = 40  # 27 when this was written; each specialization takes some milliseconds to read from the cache


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    clip = encode(folder / "clip.mp4", 4, (64, 48))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(clip), str(folder / "out.mp4")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
    )
    printed = json.loads(done.stdout.splitlines()[-1])
    assert printed["code"] == 0, done.stderr
    return printed


def test_a_run_imports_no_unneeded_package(loaded):
    assert sorted({name.partition(".")[0] for name in loaded["modules"]} & set(NEVER)) == []


def test_a_run_imports_no_other_command(loaded):
    assert [name for name in loaded["modules"] if name.startswith(OTHER_COMMANDS)] == []


def test_a_run_imports_a_limited_number_of_modules_and_kernels(loaded):
    ours = [name for name in loaded["modules"] if name.startswith("streamdet")]
    assert 80 < len(ours) <= MAX_MODULES
    assert 10 < loaded["kernels"] <= MAX_KERNELS
