"""OpenVINO IR files: recognized, with the input of Open Model Zoo's conversions, and run."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamdet.cli.main import execute
from streamdet.errors import ModelError, UsageError
from streamdet.inference.detector import load_detector
from streamdet.inference.session import Session
from streamdet.model_spec.spec import Contract
from streamdet.models.catalog import resolve_model
from streamdet.models.model_info import inspect_model
from streamdet.models.recognize import IMAGENET_NORMALIZATION
from streamdet.openvino_runtime import has_openvino, openvino_module
from streamdet.picture import Picture

pytestmark = pytest.mark.skipif(not has_openvino(), reason="the package openvino is not installed")

BOX = (0.25, 0.5, 0.75, 1.0)


def published():
    """Returns a network with the outputs of the published flagship: one person, whose score is the brightness."""
    constants = {"bboxes_0": np.array([[BOX]], np.float32), "labels_0": np.array([[1]], np.int64)}
    constants |= {"shape": np.array([1, 1], np.int64), "white": np.float32(255)}
    nodes = [
        helper.make_node("Identity", ["bboxes_0"], ["bboxes"]),
        helper.make_node("Identity", ["labels_0"], ["labels"]),
        helper.make_node("GlobalMaxPool", ["image"], ["most"]),
        helper.make_node("ReduceMean", ["most"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Reshape", ["mean", "shape"], ["flat"]),
        helper.make_node("Div", ["flat", "white"], ["scores"]),
    ]
    outputs = [("bboxes", TensorProto.FLOAT, (1, 1, 4)), ("labels", TensorProto.INT64, (1, 1))]
    outputs.append(("scores", TensorProto.FLOAT, (1, 1)))
    graph = helper.make_graph(
        nodes,
        "published",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info(*output) for output in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.fixture
def xml(tmp_path):
    def write(metadata=None):
        openvino = openvino_module()
        model = openvino.Core().read_model(published().SerializeToString(), b"")
        for key, value in (metadata or {}).items():
            model.set_rt_info(value, ["streamdet", key])
        openvino.save_model(model, str(tmp_path / "net.xml"))
        return tmp_path / "net.xml"

    return write


def test_converted_network_has_the_input_of_open_model_zoo(xml):
    spec, _ = resolve_model(xml())
    assert spec.contract is Contract.SSD_PUBLISHED
    assert (spec.width, spec.height, spec.rgb, spec.mean, spec.std) == (32, 32, False, (0, 0, 0), (1, 1, 1))


def test_metadata_is_read(xml):
    spec, _ = resolve_model(xml({"random_weights": "yes", "about": "made for a test"}))
    assert spec.random_weights
    assert spec.about == "made for a test"
    assert spec.mean == IMAGENET_NORMALIZATION["mean"]  # files with metadata do not get Open Model Zoo's input


def test_info_shows_the_model(xml, capsys):
    path = xml({"converted": "no JSON", "accuracy": "another one"})
    assert execute(["models", "info", str(path)]) == 0
    text = capsys.readouterr().out
    for words in (
        "input        image float32 (1, 3, 32, 32)",
        "output       bboxes float32 (1, 1, 4)",
        "contract     ssd-published",
        "format       OpenVINO",
        "metadata     streamdet.accuracy = another one",
    ):
        assert words in text
    assert execute(["models", "info", str(path), "--json"]) == 0
    read = json.loads(capsys.readouterr().out)
    assert (read["contract"], read["gflops"], read["converted"]) == ("ssd-published", None, None)
    assert read["size_bytes"] == path.stat().st_size + path.with_suffix(".bin").stat().st_size


def test_info_without_openvino_is_an_error(xml, monkeypatch):
    monkeypatch.setattr("streamdet.models.openvino_ir.has_openvino", lambda: False)
    with pytest.raises(ModelError, match="is an OpenVINO model: pip install openvino"):
        inspect_model(xml())


def test_detects_the_person(xml):
    with load_detector(xml()) as detector:
        assert detector.provider == "openvino"
        detector.warm_up()
        (found,) = detector.detect([Picture.from_bgr(np.full((100, 200, 3), 204, np.uint8))])
    np.testing.assert_allclose(found.detections.boxes_xyxy, [[50, 50, 150, 100]], atol=0.01)
    np.testing.assert_allclose(found.detections.scores, [0.8], atol=0.01)
    assert list(found.detections.class_names) == ["person"]


def test_only_openvino_runs_it(xml):
    with pytest.raises(UsageError, match="use --provider openvino, or the ONNX file"):
        Session(xml(), provider="cpu")


def test_missing_weights_file_is_an_error(xml):
    path = xml()
    path.with_suffix(".bin").unlink()
    with pytest.raises(ModelError, match=r"has its weights in net\.bin, which is not next to it"):
        resolve_model(path)


def test_truncated_file_is_an_error(xml):
    path = xml()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"OpenVINO cannot read .*net\.xml") as caught:
        resolve_model(path)
    assert "\n" not in str(caught.value)


def test_loading_without_openvino_is_an_error(xml, monkeypatch):
    path = xml()
    monkeypatch.setattr("streamdet.models.openvino_ir.has_openvino", lambda: False)
    with pytest.raises(ModelError, match="is an OpenVINO model: pip install openvino"):
        resolve_model(path)


def test_other_xml_is_rejected(tmp_path):
    path = tmp_path / "page.xml"
    path.write_text("<?xml version='1.0'?><html/>")
    with pytest.raises(ModelError, match="a web page or XML"):
        resolve_model(path)
