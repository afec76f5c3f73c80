"""`streamdet train` on the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from multiprocessing import resource_tracker
from pathlib import Path

import onnx
import pytest

from streamdet.cli.main import execute
from streamdet.models.bundled import bundled_model
from streamdet.models.catalog import resolve_model
from streamdet.models.ssd_small import SmallSsdConfig, build_small, stored_weights
from tests.models.nets import model_with
from tests.models.small import random_weights
from tests.running import ROOT, SLOW, Running, accept_ctrl_c
from tests.train.sample_data import write_rectangles

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="training needs PyTorch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four images with annotations, faulty annotations, a model that is not a small SSD, and one with other classes."""
    path = tmp_path_factory.mktemp("train")
    write_rectangles(path)
    tree = json.loads((path / "truth.json").read_text())
    (path / "same_name.json").write_text(json.dumps(tree | {"categories": [{"id": k, "name": "red"} for k in (1, 2)]}))
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
def test_without_pytorch_the_message_explains_the_installation(cli, folder, tmp_path, monkeypatch, argv):
    monkeypatch.setitem(sys.modules, "torch", None)
    code, out, errors = cli(*argv.format(f=folder, o=tmp_path).split())
    assert (code, out) == (2, [])
    assert errors == ["streamdet: training needs PyTorch: pip install torch"]


@pytest.fixture(scope="module")
def running_resource_tracker():
    """Starts Python's resource tracker, which worker processes need: its pipe stays open until Python exits."""
    resource_tracker.ensure_running()


@needs_torch
@pytest.mark.timeout(120)
@pytest.mark.usefixtures("running_resource_tracker")
def test_train_demo_prints_progress_of_rendering_training_and_evaluation(cli, tmp_path, monkeypatch):
    from streamdet.evaluate import street

    monkeypatch.setattr(street, "HELD_OUT", street.StreetSet((1,), (0, 75)))
    argv = ["demo", "-o", tmp_path / "x.onnx", "--scenes", 1, "--epochs", 1, "--device", "cpu"]
    code, out, errors = cli(*argv)
    assert code == 0, errors
    assert out[-1].startswith("on 2 pictures of 1 scenes")
    words = [line.partition(" s: ")[2].split(",")[0] for line in errors]
    assert words == ["rendering scenes 1/1", "epoch 1", "evaluating"]
    assert errors[-1].endswith("evaluating, 2 of 2")


@needs_torch
@pytest.mark.parametrize(
    ("argv", "words"),
    [
        pytest.param("demo -o {o}/x.pt", "train writes .onnx files: give -o x.onnx", id="wrong ending"),
        pytest.param("demo -o {o}", "{o} is a folder; give the name of a file in it", id="folder as output"),
        pytest.param("demo -o .", ". is a folder; give the name of a file in it", id="current folder as output"),
        pytest.param("demo -o {o}/no/x.onnx", "there is no folder {o}/no; create it first", id="missing output folder"),
        pytest.param("demo -o {o}/x.onnx --scenes 0", "Invalid value for '--scenes'", id="no scenes"),
        pytest.param("demo -o {o}/x.onnx --seed 1001", "Invalid value for '--seed'", id="seed too large"),
        pytest.param("demo -o {o}/x.onnx --scenes 99999999", "fewer --scenes", id="not enough disk space"),
        pytest.param("demo -o {o}/x.onnx --device abacus", "PyTorch has no device 'abacus' here", id="unknown device"),
        pytest.param("demo", "Missing option '-o'", id="no output"),
        pytest.param(f"{COCO} --device cuda:77", "PyTorch has no device 'cuda:77' here", id="missing CUDA device"),
        pytest.param(
            f"{COCO} --size 416",
            "--size '416' is not a size: give WIDTHxHEIGHT, for example 416x256",
            id="one number as size",
        ),
        pytest.param(
            f"{COCO} --size 100x64",
            "--size 100x64: sides must be multiples of 32 from 64",
            id="size not a multiple of 32",
        ),
        pytest.param(f"{COCO} --size 9984x64", "from 64 to 2048, got 9984x64", id="size too large"),
        pytest.param(f"{COCO} --size 0x0", "from 64 to 2048, got 0x0", id="zero size"),
        pytest.param(f"{COCO} --size -64x64", "is not a size", id="negative size"),
        pytest.param(
            f"{COCO} --classes red,elk",
            "'elk' is not a category of the annotations, which are: red, blue",
            id="unknown class",
        ),
        pytest.param(f"{COCO} --epochs 0", "Invalid value for '--epochs'", id="no epochs"),
        pytest.param(f"{COCO} --rate -1", "Invalid value for '--rate'", id="negative learning rate"),
        pytest.param(
            f"{COCO} --start {{f}}/foreign.onnx", "not a model made by `streamdet train`", id="start: another model"
        ),
        pytest.param(
            f"{COCO} --start synthetic-shapes", "not a model made by `streamdet train`", id="start: synthetic-shapes"
        ),
        pytest.param(f"{COCO} --start {{f}}/truth.json", "truth.json is not an ONNX model", id="start: text file"),
        pytest.param(f"{COCO} --start {{f}}/nowhere.onnx", "no model '{f}/nowhere.onnx'", id="start: missing file"),
        pytest.param(
            "coco {f}/nowhere -a {f}/truth.json -o {o}/x.onnx",
            "there is no folder {f}/nowhere",
            id="missing images folder",
        ),
        pytest.param("coco {f}/empty -a {f}/truth.json -o {o}/x.onnx", "4 of the 4 pictures", id="empty images folder"),
        pytest.param(
            "coco {f} -a {f}/nowhere.json -o {o}/x.onnx", "nowhere.json does not exist", id="missing annotations"
        ),
        pytest.param("coco {f} -a {f}/001.png -o {o}/x.onnx", "001.png is not valid JSON", id="image as annotations"),
        pytest.param("coco {f} -a {f}/same_name.json -o {o}/x.onnx", "two categories", id="two categories of one name"),
        pytest.param(
            "coco {f} -a {f}/unused.json -o {o}/x.onnx --classes elk",
            "no annotation of",
            id="class without annotations",
        ),
    ],
)
def test_usage_errors_are_one_line_and_nothing_is_written(cli, folder, tmp_path, argv, words):
    code, out, errors = cli(*(part.format(f=folder, o=tmp_path) for part in argv.split()))
    assert code in (1, 2, 3)
    (line,) = errors
    assert line.startswith("streamdet: ")
    assert words.format(f=folder, o=tmp_path) in line
    assert "bug in streamdet" not in line
    assert out == []
    assert list(tmp_path.iterdir()) == []


@needs_torch
@pytest.mark.parametrize(
    ("start", "words"),
    [
        pytest.param("ssd-demo", "started from ssd-demo, except 8 weights that do not fit", id="ssd-demo"),
        pytest.param("{f}/own.onnx", "started from {f}/own.onnx", id="trained file"),
        pytest.param("none", None, id="none"),
    ],
)
def test_training_on_annotated_images_writes_a_model(cli, folder, tmp_path, start, words):
    path = tmp_path / "mine.onnx"
    path.write_text("old content")
    argv = f"{COCO} {QUICK} --rate 1e-9 --start {start}".format(f=folder, o=tmp_path)
    code, out, errors = cli(*argv.replace("x.onnx", "mine.onnx").split())
    assert code == 0
    assert not [line for line in errors if line.startswith("streamdet: ")]
    assert out[0].startswith(f"wrote {path} (")
    assert [line for line in out if "started" in line] == ([] if words is None else [words.format(f=folder)])
    assert out[-1].startswith("to evaluate it on other images: streamdet eval coco -m ")
    spec, file = resolve_model(path)
    assert (spec.labels, spec.width, spec.height) == (("red", "blue"), 96, 64)
    model = onnx.load_model_from_string(file.data)
    metadata = json.loads({entry.key: entry.value for entry in model.metadata_props}["streamdet.trained"])
    assert metadata["learned_from"] == "truth.json"  # without its folder: models are shared
    if start == "ssd-demo":
        before, after = (
            stored_weights(onnx.load_model_from_string(bundled_model("ssd-demo")[1].data)),
            stored_weights(model),
        )
        assert abs(after["stage1.0.a.weight"] - before["stage1.0.a.weight"]).max() < 1e-5
    assert [p.name for p in tmp_path.iterdir()] == ["mine.onnx"]


@needs_torch
def test_quiet_prints_only_the_next_step(cli, folder, tmp_path):
    argv = f"{COCO} {QUICK} --start none --classes red -q".format(f=folder, o=tmp_path)
    code, out, errors = cli(*argv.split())
    assert (code, errors) == (0, [])
    assert [line.split(":")[0] for line in out] == ["to evaluate it on other images"]
    assert resolve_model(tmp_path / "x.onnx")[0].labels == ("red",)


@needs_torch
def test_ctrl_c_keeps_the_model_of_the_last_epoch(folder, tmp_path):
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
@pytest.mark.parametrize(
    "whom", [os.kill, getattr(os, "killpg", None)], ids=["main process", "process group, as a terminal does"]
)
def test_ctrl_c_during_rendering_leaves_no_files_or_processes(tmp_path, whom):
    path, log = tmp_path / "out", tmp_path / "log"
    path.mkdir()
    command = [sys.executable, "-m", "streamdet", "train", "demo", "-o", str(path / "x.onnx"), "--scenes", "300"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            preexec_fn=accept_ctrl_c,
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
    """Returns the ids of the worker processes that render for a process."""
    children = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        children += (task / "children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
