"""Every example that needs no hardware runs as a user would run it."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import streamdet

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
SCENE = "synthetic:shapes?frames=30&size=320x240"
MODEL = "synthetic-shapes"


def run(name, *arguments, folder):
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    environment = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=100, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_record_file(tmp_path):
    assert "30 of 30 frames" in run("record_file.py", SCENE, MODEL, "out.mp4", folder=tmp_path)
    assert (tmp_path / "out.mp4").stat().st_size > 1000
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) >= 30


def test_rtsp_example_on_a_scene(tmp_path):
    printed = run("rtsp.py", SCENE, MODEL, "out.mp4", "0.5", folder=tmp_path)
    assert "0.00 s" in printed


def test_multi_camera(tmp_path):
    printed = run("multi_camera.py", MODEL, ".", SCENE, SCENE.replace("30", "20"), folder=tmp_path)
    assert "synthetic: 30 shown, 0 dropped" in printed
    assert "synthetic-2: 20 shown, 0 dropped" in printed
    assert (tmp_path / "synthetic-2.mp4").exists()


def test_own_stage(tmp_path):
    assert "15 frames shown, {'stage': 15} dropped" in run("own_stage.py", SCENE, MODEL, "out.mp4", folder=tmp_path)


def test_own_sink(tmp_path):
    assert "30 frames written to objects.csv" in run("own_sink.py", SCENE, MODEL, "objects.csv", folder=tmp_path)
    rows = (tmp_path / "objects.csv").read_text().splitlines()
    assert rows[0] == "time_s,class,track,score,left,top,right,bottom"
    assert len(rows) > 30
    assert {row.split(",")[1] for row in rows[1:]} <= {"disc", "box", "triangle"}


def test_own_tracker(tmp_path):
    printed = run("own_tracker.py", SCENE, MODEL, "out.mp4", folder=tmp_path)
    objects, frames = int(printed.split()[0]), int(printed.split()[3])
    assert frames == 30
    assert 1 <= objects < 30
    assert (tmp_path / "out.mp4").stat().st_size > 1000


def test_supervision_zones(tmp_path):
    pytest.importorskip("supervision")
    assert "crossed:" in run("supervision_zones.py", SCENE, MODEL, folder=tmp_path)


def test_own_model(tmp_path, data_dir):
    (tmp_path / "own_model.yaml").write_text((EXAMPLES / "own_model.yaml").read_text())
    (tmp_path / "fastestdet.onnx").symlink_to((data_dir / "models" / "fastestdet.onnx").resolve())
    video = str(data_dir / "videos" / "people-walking.mp4")
    program = (
        "import sys, streamdet; streamdet.run(sys.argv[1], 'own_model.yaml', outputs=['out.jsonl'], max_frames=20)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, video], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, timeout=100
    )
    assert done.returncode == 0
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert sum(d["class_name"] == "person" for r in records for d in r["detections"]) > 40


def imports_of(text):
    """Returns the modules that a Python text imports."""
    modules = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module)
    return modules


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_examples_import_the_public_api_only(example):
    modules = imports_of((EXAMPLES / example).read_text())
    assert "streamdet" in modules
    assert not [module for module in modules if module.startswith("streamdet.")]


def test_readme_imports_the_public_api_only():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        assert not [module for module in imports_of(block) if module.startswith("streamdet.")]


def test_readme_names_public_names():
    names = set(re.findall(r"\bstreamdet\.([A-Za-z_]+)", (ROOT / "README.md").read_text())) - {"__all__"}
    assert {"run", "stream"} & names
    assert names <= set(streamdet.__all__)


def test_webcam_compiles():
    compile((EXAMPLES / "webcam.py").read_text(), "webcam.py", "exec")
