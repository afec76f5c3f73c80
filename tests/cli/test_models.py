"""`streamdet models list`, `info` and `build`."""

import json

import onnx
import pytest
from typer.testing import CliRunner

from streamdet.cli.models import app
from streamdet.cli.models.info import info
from streamdet.errors import StreamdetError
from tests.models.nets import model_with


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("STREAMDET_MODELS", str(tmp_path / "models"))

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        if isinstance(result.exception, StreamdetError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return invoke


def test_list(run, tmp_path):
    text = run("list")
    assert "ssd-resnet34-1200  (80.4 MB, Apache-2.0, not downloaded)" in text
    assert str(tmp_path / "models") in text
    assert [m["downloaded"] for m in json.loads(run("list", "--json"))["models"]] == [False, False]


def test_info(run, data_dir):
    path = str(data_dir / "models" / "yolox_nano.onnx")
    text = run("info", path)
    for words in (
        "images float32 (1, 3, 416, 416)",
        "output float32 (1, 3549, 85)",
        "yolox",
        "0.904463 M trainable",
        "1.045",
    ):
        assert words in text
    read = json.loads(run("info", path, "--json"))
    assert (read["contract"], read["classes"], read["opset"], read["random_weights"]) == ("yolox", 80, 11, False)


def test_build_then_info(run, tmp_path):
    path = tmp_path / "flagship.onnx"
    assert "random weights, it detects nothing" in run(
        "build", "ssd-resnet34-1200-onnx", "--seed", "5", "-o", str(path)
    )
    text = run("info", str(path))
    for words in ("19.972534 M trainable", "432.832 GFLOPs", "loc float32 (batch, 4, 15130)", "it detects nothing"):
        assert words in text
    assert json.loads(run("info", str(path), "--json"))["random_weights"] is True
    assert "seed 5" in onnx.load(path).metadata_props[1].value


def test_info_of_a_classifier(run, tmp_path):
    from ..models.nets import model_with

    path = tmp_path / "classifier.onnx"
    path.write_bytes(model_with({"x": [1, 3, 32, 32]}, {"y": [1, 10]}).SerializeToString())
    text = run("info", str(path))
    assert "not recognized: classifier.onnx has no known output contract" in text
    assert json.loads(run("info", str(path), "--json"))["contract"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("info", "nothing.onnx"), "no model 'nothing.onnx'"),
        (("build", "yolox-nano", "-o", "x.onnx"), "cannot build 'yolox-nano': only ssd-resnet34-1200 can be built"),
        (("build", "ssd-resnet34-1200", "-o", "no/such/folder/x.onnx"), "there is no folder"),
        (("build", "ssd-resnet34-1200", "-o", "."), "is a folder; give the name of a file in it"),
    ],
)
def test_usage_errors(run, arguments, message):
    with pytest.raises(StreamdetError) as error:
        run(*arguments)
    assert message in str(error.value)


def test_info_prints_no_control_characters(tmp_path, monkeypatch):
    ports = {"im\x1b[2Jage": [1, 3, 64, 64]}, {"rows\x1b[2J": [1, 5, 6]}
    onnx.save(model_with(*ports, metadata={"a\x1b[2Jk": "v\x1b[2J\x07"}), tmp_path / "net.onnx")
    shown = []
    monkeypatch.setattr("typer.echo", shown.append)
    info(str(tmp_path / "net.onnx"))
    assert "metadata     a [2Jk = v [2J " in shown
    assert all(line.isprintable() for line in shown)
