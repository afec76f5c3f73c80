"""`streamdet train`, typed as a user would."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest

from streamdet.cli.main import execute
from streamdet.models.bundled import bundled_model
from streamdet.models.catalog import resolve_model
from streamdet.models.ssd_small import SmallSsdConfig, build_small, stored_weights
from tests.models.nets import model_with
from tests.models.small import random_weights
from tests.running import ROOT, SLOW, Running, hear_ctrl_c
from tests.train.sample_data import write_rectangles

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="training needs PyTorch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four pictures and what is in them, and models that are no small SSD, or one for others."""
    path = tmp_path_factory.mktemp("train")
    write_rectangles(path)
    tree = json.loads((path / "truth.json").read_text())
    (path / "twins.json").write_text(json.dumps(tree | {"categories": [{"id": k, "name": "red"} for k in (1, 2)]}))
    (path / "unused.json").write_text(
        json.dumps(tree | {"categories": [*tree["categories"], {"id": 3, "name": "elk"}]})
    )
    onnx.save(model_with({"images": [1, 3, 64, 64]}, {"rows": [1, 5, 6]}), path / "foreign.onnx")
    onnx.save(
        build_small(SmallSsdConfig(("red", "blue"), 96, 64), random_weights(SmallSsdConfig(("red", "blue"), 96, 64))),
        path / "own.onnx",
    )
    (path / "empty").mkdir()
    return path


@pytest.fixture
def cli(capfd):
    def run(*argv):
        capfd.readouterr()
        code = execute(["train", *(str(a) for a in argv)])
        out, err = capfd.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run


COCO = "coco {f} -a {f}/truth.json -o {o}/x.onnx"
QUICK = "--epochs 1 --batch 2 --size 96x64 --device cpu --threads 1"


@pytest.mark.parametrize("argv", ["demo -o {o}/x.onnx", COCO])
def test_without_pytorch_it_says_how_to_get_it(cli, folder, tmp_path, monkeypatch, argv):
    monkeypatch.setitem(sys.modules, "torch", None)
    code, out, complaints = cli(*argv.format(f=folder, o=tmp_path).split())
    assert (code, out) == (2, [])
    assert complaints == ["streamdet: training needs PyTorch: pip install torch"]


@needs_torch
@pytest.mark.timeout(120)
def test_the_demo_tells_how_far_rendering_training_and_measuring_are(cli, tmp_path, monkeypatch):
    from streamdet.evaluate import street

    monkeypatch.setattr(street, "HELD_OUT", street.StreetSet((1,), (0, 75)))
    argv = ["demo", "-o", tmp_path / "x.onnx", "--scenes", 1, "--epochs", 1, "--device", "cpu"]
    code, out, told = cli(*argv)
    assert code == 0, told
    assert out[-1].startswith("on 2 pictures of 1 scenes")
    words = [line.partition(" s: ")[2].split(",")[0] for line in told]
    assert words == ["rendering scenes 1/1", "epoch 1", "measuring"]
    assert told[-1].endswith("measuring, 2 of 2")


@needs_torch
@pytest.mark.parametrize(
    ("argv", "words"),
    [
        pytest.param("demo -o {o}/x.pt", "train writes .onnx files: give -o x.onnx", id="suffix"),
        pytest.param("demo -o {o}", "{o} is a folder; give the name of a file in it", id="a folder"),
        pytest.param("demo -o .", ". is a folder; give the name of a file in it", id="this folder"),
        pytest.param("demo -o {o}/no/x.onnx", "there is no folder {o}/no; create it first", id="no folder"),
        pytest.param("demo -o {o}/x.onnx --scenes 0", "Invalid value for '--scenes'", id="no scenes"),
        pytest.param("demo -o {o}/x.onnx --seed 1001", "Invalid value for '--seed'", id="seed"),
        pytest.param("demo -o {o}/x.onnx --scenes 99999999", "fewer --scenes", id="no room"),
        pytest.param("demo -o {o}/x.onnx --device abacus", "PyTorch has no device 'abacus' here", id="device"),
        pytest.param("demo", "Missing option '-o'", id="no output"),
        pytest.param(f"{COCO} --device cuda:77", "PyTorch has no device 'cuda:77' here", id="coco: device"),
        pytest.param(f"{COCO} --size 416", "--size '416' does not fit: write for example 416x256", id="size"),
        pytest.param(f"{COCO} --size 100x64", "--size 100x64: sides must be multiples of 32 from 64", id="size of 100"),
        pytest.param(f"{COCO} --size 9984x64", "from 64 to 2048, got 9984x64", id="size, large"),
        pytest.param(f"{COCO} --size 0x0", "from 64 to 2048, got 0x0", id="size 0"),
        pytest.param(f"{COCO} --size -64x64", "does not fit", id="size, negative"),
        pytest.param(
            f"{COCO} --classes red,elk", "'elk' is no category of the annotations: they are red, blue", id="elk"
        ),
        pytest.param(f"{COCO} --epochs 0", "Invalid value for '--epochs'", id="no epochs"),
        pytest.param(f"{COCO} --rate -1", "Invalid value for '--rate'", id="rate"),
        pytest.param(f"{COCO} --start {{f}}/foreign.onnx", "it is no model that `streamdet train` made", id="foreign"),
        pytest.param(f"{COCO} --start synthetic-shapes", "it is no model that `streamdet train` made", id="shapes"),
        pytest.param(f"{COCO} --start {{f}}/truth.json", "truth.json is not an ONNX model", id="start of text"),
        pytest.param(f"{COCO} --start {{f}}/nowhere.onnx", "no model '{f}/nowhere.onnx'", id="start of nothing"),
        pytest.param("coco {f}/nowhere -a {f}/truth.json -o {o}/x.onnx", "there is no folder {f}/nowhere", id="photos"),
        pytest.param("coco {f}/empty -a {f}/truth.json -o {o}/x.onnx", "4 of the 4 pictures", id="empty"),
        pytest.param("coco {f} -a {f}/nowhere.json -o {o}/x.onnx", "nowhere.json does not exist", id="annotations"),
        pytest.param("coco {f} -a {f}/001.png -o {o}/x.onnx", "001.png is not JSON", id="annotations of pixels"),
        pytest.param("coco {f} -a {f}/twins.json -o {o}/x.onnx", "two categories", id="twins"),
        pytest.param(
            "coco {f} -a {f}/unused.json -o {o}/x.onnx --classes elk", "none of the annotations of", id="nothing of it"
        ),
    ],
)
def test_mistakes_are_told_in_one_line_before_anything_begins(cli, folder, tmp_path, argv, words):
    code, out, complaints = cli(*(part.format(f=folder, o=tmp_path) for part in argv.split()))
    assert code in (1, 2, 3)
    (line,) = complaints
    assert line.startswith("streamdet: ")
    assert words.format(f=folder, o=tmp_path) in line
    assert "defect of streamdet" not in line
    assert out == []
    assert list(tmp_path.iterdir()) == []


@needs_torch
@pytest.mark.parametrize(
    ("start", "words"),
    [
        pytest.param("ssd-demo", "started from ssd-demo, but for 8 weights that do not fit", id="ssd-demo"),
        pytest.param("{f}/own.onnx", "started from {f}/own.onnx", id="a file of its own"),
        pytest.param("none", None, id="none"),
    ],
)
def test_training_on_pictures_of_ones_own(cli, folder, tmp_path, start, words):
    path = tmp_path / "mine.onnx"
    path.write_text("what was there before")
    argv = f"{COCO} {QUICK} --rate 1e-9 --start {start}".format(f=folder, o=tmp_path)
    code, out, complaints = cli(*argv.replace("x.onnx", "mine.onnx").split())
    assert code == 0
    assert not [line for line in complaints if line.startswith("streamdet: ")]
    assert out[0].startswith(f"wrote {path} (")
    assert [line for line in out if "started" in line] == ([] if words is None else [words.format(f=folder)])
    assert out[-1].startswith("measure it on pictures it has not seen: streamdet eval coco -m ")
    spec, file = resolve_model(path)
    assert (spec.labels, spec.width, spec.height) == (("red", "blue"), 96, 64)
    model = onnx.load_model_from_string(file.data)
    said = json.loads({entry.key: entry.value for entry in model.metadata_props}["streamdet.trained"])
    assert said["learned_from"] == "truth.json"  # and not where it lies: models are given away
    if start == "ssd-demo":
        before, after = (
            stored_weights(onnx.load_model_from_string(bundled_model("ssd-demo")[1].data)),
            stored_weights(model),
        )
        assert abs(after["stage1.0.a.weight"] - before["stage1.0.a.weight"]).max() < 1e-5
    assert [p.name for p in tmp_path.iterdir()] == ["mine.onnx"]


@needs_torch
def test_quiet_and_some_classes(cli, folder, tmp_path):
    argv = f"{COCO} {QUICK} --start none --classes red -q".format(f=folder, o=tmp_path)
    code, out, complaints = cli(*argv.split())
    assert (code, complaints) == (0, [])
    assert [line.split(":")[0] for line in out] == ["measure it on pictures it has not seen"]
    assert resolve_model(tmp_path / "x.onnx")[0].labels == ("red",)


@needs_torch
def test_ctrl_c_leaves_the_model_of_the_last_epoch(folder, tmp_path):
    path, logs = tmp_path / "out" / "x.onnx", tmp_path / "logs"
    path.parent.mkdir()
    logs.mkdir()
    argv = f"train {COCO} {QUICK} --start none".format(f=folder, o=path.parent).replace("epochs 1", "epochs 99999")
    with Running(*argv.split(), folder=logs) as running:
        running.wait_for("a second epoch", lambda: path.exists() and epochs_of(path) > 1)
        running.signal()
        assert running.ends() == 130
        assert "Traceback" not in running.stderr
    assert [p.name for p in path.parent.iterdir()] == ["x.onnx"]
    assert resolve_model(path)[0].labels == ("red", "blue")


def epochs_of(path):
    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    return json.loads(metadata["streamdet.trained"])["epochs_done"]


@needs_torch
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to see a process's children")
@pytest.mark.parametrize("whom", [os.kill, getattr(os, "killpg", None)], ids=["one process", "all, as a terminal does"])
def test_ctrl_c_while_scenes_are_rendered_leaves_nothing(tmp_path, whom):
    path, log = tmp_path / "out", tmp_path / "log"
    path.mkdir()
    command = [sys.executable, "-m", "streamdet", "train", "demo", "-o", str(path / "x.onnx"), "--scenes", "300"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            preexec_fn=hear_ctrl_c,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + SLOW
        while not (workers := workers_of(process.pid)):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        whom(process.pid, signal.SIGINT)
        assert process.wait(SLOW) == 130
    finally:
        process.kill()
        process.wait()
    assert log.read_text() == ""
    assert list(path.iterdir()) == []
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def workers_of(pid):
    """Ids of the processes that render for a process."""
    children = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        children += (task / "children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
