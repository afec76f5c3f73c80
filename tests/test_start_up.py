"""What a run loads before its first frame: counted, since seconds depend on the machine.

Everything here is on the way of a user who waits for a picture. Whoever adds a package or a branch of the program to a
plain run finds out here, and may decide that it is worth it.
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

# What Python packages these bring along themselves is theirs; scipy is, where it is installed, Numba's.
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
OTHER_BRANCHES = (
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
MOST_OF_OURS = 170  # 152 when this was written
MOST_KERNELS = 40  # 27 when this was written: specialisations: each takes some milliseconds to be read from the cache


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
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["code"] == 0, done.stderr
    return told


def test_a_run_loads_no_package_it_does_not_need(loaded):
    assert sorted({name.partition(".")[0] for name in loaded["modules"]} & set(NEVER)) == []


def test_a_run_loads_no_other_branch_of_the_program(loaded):
    assert [name for name in loaded["modules"] if name.startswith(OTHER_BRANCHES)] == []


def test_a_run_loads_no_more_than_it_did(loaded):
    ours = [name for name in loaded["modules"] if name.startswith("streamdet")]
    assert 80 < len(ours) <= MOST_OF_OURS
    assert 10 < loaded["kernels"] <= MOST_KERNELS
