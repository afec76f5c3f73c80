"""Nothing is compiled after a run has started: compiling a kernel would delay a frame by seconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sources.clips import encode

ROOT = Path(__file__).parent.parent

# A synthetic source compiles the kernels of its scene when it is opened, before its first frame.
SCRIPT = """
import json, sys
from streamdet.build import build
from streamdet.config import parse_config
from streamdet.kernels import KERNELS
def compiled():
    return {f"{k.__module__}.{k.__name__}": len(k.signatures) for k in KERNELS if ".scenes." not in k.__module__}

prepared = build(parse_config(json.loads(sys.argv[1])))
before = compiled()
(stream,) = prepared.run().streams
assert stream.shown > 20 and stream.inferred > 5, stream
print(json.dumps({name: count for name, count in compiled().items() if count != before[name]}))
"""


@pytest.mark.parametrize("mode", ["every-frame", "live", "smooth"])
def test_kernels_are_ready_before_the_first_frame(mode, tmp_path):
    config = {
        "sources": ["synthetic:shapes?frames=45&size=320x240&live=" + str(int(mode != "every-frame"))],
        "outputs": [str(tmp_path / "out.mp4"), str(tmp_path / "out.jsonl")],
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(config)], capture_output=True, text=True, timeout=100, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}


@pytest.mark.parametrize("region", [None, [0.2, 0.2, 1, 1]])
def test_the_gate_is_ready_before_the_first_frame(region, tmp_path):
    clip = encode(tmp_path / "clip.mp4", 25, (320, 240))  # its pictures differ, so the gate admits them
    config = {
        "sources": [str(clip)],
        "source": {"detect": {"gate": True, "region": region}},
        "model": "synthetic-shapes",
        "outputs": [str(tmp_path / "out.mp4")],
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(config)], capture_output=True, text=True, timeout=100, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}
