"""`streamdet models convert` on the command line."""

from __future__ import annotations

import json

import onnx
import pytest

from streamdet.cli.main import execute
from streamdet.models.ssd_resnet34 import SsdOutputs, build_ssd_resnet34
from tests.models.nets import model_with

SIZE = 448


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("convert")
    onnx.save(build_ssd_resnet34(SsdOutputs.PUBLISHED, seed=3, size=SIZE), path / "published.onnx")
    onnx.save(model_with({"images": [1, 3, 64, 64]}, {"rows": [1, 5, 6]}), path / "other.onnx")
    (path / "empty").mkdir()
    (path / "list.txt").write_text("nowhere.jpg\n")
    return path


@pytest.fixture
def cli(capfd):
    def run(*argv):
        capfd.readouterr()
        code = execute(["models", *(str(a) for a in argv)])
        out, err = capfd.readouterr()
        return code, out.splitlines(), [line for line in err.splitlines() if line.startswith("streamdet: ")]

    return run


def test_convert_then_info(cli, folder, tmp_path):
    path = tmp_path / "bytes.onnx"
    path.write_text("old content")
    code, lines, errors = cli("convert", folder / "published.onnx", "-o", path, "--input-type", "uint8")
    assert (code, errors) == (0, [])
    text = "\n".join(lines)
    for words in (
        "verifying on a synthetic scene; --images DIR verifies on your own photos",
        f"wrote {path} (",
        "verification: 600 of 600 detections on 3 images agree",
        "warning: random weights, it detects nothing",
    ):
        assert words in text
    assert [p.name for p in tmp_path.iterdir()] == ["bytes.onnx"]
    code, lines, _ = cli("info", path)
    text = "\n".join(lines)
    for words in (
        "image uint8 (batch, 3, 448, 448)",
        "converted    from published.onnx (SHA-256 ",
        "with --input-type uint8",
        "verified     600 of 600 detections on 3 images agree with its source",
        "random weights: it detects nothing",
    ):
        assert words in text
    assert "metadata     streamdet.spec" not in text
    read = json.loads("\n".join(cli("info", path, "--json")[1]))
    assert read["converted"]["verification"]["detections"] == 600


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        pytest.param("{f}/nowhere.onnx -o {o}/x.onnx", "no model '{f}/nowhere.onnx'", id="missing source"),
        pytest.param(
            "{f}/other.onnx -o {o}/x.onnx", "other.onnx is not the network of ssd-resnet34-1200", id="another network"
        ),
        pytest.param("{f}/other.onnx -o {o}/x.onnx", "looked for 12 head convolutions", id="another network, reason"),
        pytest.param(
            "{f}/other.onnx -o {o}/x.onnx --precision fp16 --top-boxes 9",
            "is not the network",
            id="another network, with options",
        ),
        pytest.param(
            "{f}/published.onnx -o {o}/x.bin", "--format onnx writes .onnx files: give -o x.onnx", id="wrong ending"
        ),
        pytest.param(
            "{f}/published.onnx -o {o}/x.onnx --format openvino",
            "--format openvino writes .xml files",
            id="openvino ending",
        ),
        pytest.param(
            "{f}/published.onnx -o {o}/no/x.onnx",
            "there is no folder {o}/no; create it first",
            id="missing output folder",
        ),
        pytest.param(
            "{f}/published.onnx -o {o}/x.onnx --images {f}/nowhere",
            "nowhere: no such file or folder",
            id="missing photos",
        ),
        pytest.param("{f}/published.onnx -o .", ". is a folder; give the name of a file in it", id="folder as output"),
        pytest.param("{f}/published.onnx -o {f}/published.onnx", "is the model being converted", id="source as output"),
        pytest.param(
            "{f}/published.onnx -o {o}/x.onnx --batch many", "--batch must be dynamic or a number", id="batch"
        ),
        pytest.param("{f}/published.onnx -o {o}/x.onnx --batch 0", "--batch must be dynamic or a number", id="batch 0"),
        pytest.param(
            "{f}/published.onnx -o {o}/x.onnx --input-size 100", "must be from 448 to 4096", id="input size too small"
        ),
        pytest.param(
            "{f}/published.onnx -o {o}/x.onnx --top-boxes 99999",
            "--top-boxes must be less than the number of boxes, 2256, got 99999",
            id="too many top boxes",
        ),
        pytest.param(
            "{f}/published.onnx -o {o}/x.onnx --form published --batch 2",
            "give --form heads",
            id="batch of the published form",
        ),
        pytest.param(
            "{f}/published.onnx -o {o}/x.onnx --precision fp8",
            "Invalid value for '--precision'",
            id="unknown precision",
        ),
        pytest.param(
            "{f}/published.onnx -o {o}/x.onnx --precision int8",
            "int8 needs --calibration",
            id="int8 without calibration",
        ),
        pytest.param(
            "{f}/published.onnx -o {o}/x.onnx --images {f}/empty",
            "no image in the directory",
            id="folder without photos",
        ),
        pytest.param("{f}/other.onnx -o {o}/x.onnx", "--precision fp16 or int8 alone", id="another network, advice"),
        pytest.param(
            "{f}/published.onnx -o {o}/x.onnx --max-loss 0.1",
            "--max-loss requires --precision int8",
            id="max loss without int8",
        ),
        pytest.param(
            "{f}/published.onnx -o {o}/x.onnx --calibration {f} -a x",
            "--calibration, --annotations requires --precision int8",
            id="calibration without int8",
        ),
        pytest.param(
            "{f}/published.onnx -o {o}/x.onnx --images {f}/list.txt",
            "1 of 1 files are missing, e.g. {f}/nowhere.jpg",
            id="missing photo in a list",
        ),
    ],
)
def test_usage_errors(cli, folder, tmp_path, argv, words):
    code, out, errors = cli("convert", *(part.format(f=folder, o=tmp_path) for part in argv.split()))
    assert code in (1, 2)
    (line,) = errors
    assert words.format(f=folder, o=tmp_path) in line
    assert "bug in streamdet" not in line
    assert not [text for text in out if text.startswith("wrote")]
    assert list(tmp_path.iterdir()) == []
