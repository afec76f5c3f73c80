"""Top-K selection inside a network keeps all boxes above the score threshold; decoding and NMS inside a network."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from streamdet.bench.postprocess import synthetic_heads
from streamdet.convert.output_nodes import add_decode_and_nms, add_top_k
from streamdet.detect.output_contracts import bind_decoder
from streamdet.detect.postprocess import PostprocessRules
from streamdet.errors import ModelError, UsageError
from streamdet.inference.session import Session
from streamdet.model_spec.signature import TensorInfo
from streamdet.model_spec.spec import Contract
from streamdet.models.onnx_file import onnx_signature
from streamdet.models.recognize import recognize

SIZE, COUNT = 1200, 15130
RULES = PostprocessRules(0.05, 0.5, np.ones(80, np.bool_))


def heads_only(opset: int = 17) -> onnx.ModelProto:
    """Returns a model that splits a single input of 85 rows into the heads, to run the new nodes in a session."""
    nodes = [helper.make_node("Split", ["rows", "sizes"], ["loc", "conf"], "split", axis=1)]
    sizes = onnx.numpy_helper.from_array(np.array([4, 81], np.int64), "sizes")
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", rows, COUNT])
        for name, rows in (("loc", 4), ("conf", 81))
    ]
    inputs = [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["batch", 85, COUNT])]
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(
        helper.make_graph(nodes, "heads", inputs, outputs, [sizes]), opset_imports=opsets, ir_version=8
    )


def spec_of(outputs):
    return recognize(onnx_signature(_with_image_input(outputs)), "net")


def _with_image_input(outputs) -> onnx.ModelProto:
    ports = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])]
    graph = helper.make_graph([helper.make_node("Identity", ["image"], ["x"])], "net", ports, outputs)
    return helper.make_model(graph)


@pytest.fixture(scope="module")
def batch():
    pairs = [synthetic_heads(seed, objects=30) for seed in range(2)]
    return np.stack([np.concatenate([loc, conf]) for loc, conf in pairs])


@pytest.fixture(scope="module")
def from_all_boxes(batch):
    """Returns the detections of our post-processing on all boxes of the heads."""
    model = heads_only()
    spec = spec_of(model.graph.output)
    decoder = bind_decoder(spec, onnx_signature(model).outputs)
    values = {"loc": batch[:, :4], "conf": batch[:, 4:]}
    return [decoder.decode(values, i, RULES) for i in range(len(batch))]


def assert_equal(actual, expected):
    np.testing.assert_array_equal(actual.boxes_xyxy, expected.boxes_xyxy)
    np.testing.assert_array_equal(actual.scores, expected.scores)
    np.testing.assert_array_equal(actual.class_ids, expected.class_ids)


@pytest.mark.parametrize("opset", [17, 18], ids=["axes as attribute", "axes as input"])
def test_top_k_changes_no_detection(batch, from_all_boxes, opset):
    model = add_top_k(heads_only(opset), 2000, 81, SIZE)
    onnx.checker.check_model(model, full_check=True)
    spec = spec_of(model.graph.output)
    assert (spec.contract, len(spec.labels)) == (Contract.SSD_HEADS, 80)
    with Session(model.SerializeToString(), provider="cpu") as session:
        outputs = session.run(batch)
        decoder = bind_decoder(spec, session.outputs)
    assert (np.diff(outputs["index"]) > 0).all()
    assert sum(array[0].nbytes for array in outputs.values()) < 700_000 < 5_000_000 < batch[0].nbytes
    for i, expected in enumerate(from_all_boxes):
        assert len(expected) > 20
        assert_equal(decoder.decode(outputs, i, RULES), expected)


def test_a_small_k_keeps_the_best(batch, from_all_boxes):
    """If K is less than the number of boxes above the threshold, those with the lowest scores are left out."""
    model = add_top_k(heads_only(), 40, 81, SIZE)
    with Session(model.SerializeToString(), provider="cpu") as session:
        found = bind_decoder(spec_of(model.graph.output), session.outputs).decode(session.run(batch), 0, RULES)
    assert 0 < len(found) < len(from_all_boxes[0])
    np.testing.assert_array_equal(found.scores[:10], from_all_boxes[0].scores[:10])


@pytest.mark.parametrize("count", [COUNT, 20_000])
def test_k_must_be_less_than_the_number_of_boxes(count):
    with pytest.raises(UsageError, match="must be less than the number of boxes, 15130, got"):
        add_top_k(heads_only(), count, 81, SIZE)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (np.array([[0, COUNT]]), "index beyond its 15130 default boxes"),
        (np.array([[-1, 3]]), "index beyond"),
        (np.array([[0, 1, 2]]), "expected integers (n, 2)"),
        (np.array([[0.0, 1.0]]), "expected integers"),
        (np.zeros((0, 2), np.int64), "expected integers"),
    ],
    ids=["past the end", "negative", "another length", "fractions", "empty batch"],
)
def test_an_invalid_index_is_rejected(index, message):
    ports = [
        helper.make_tensor_value_info("loc", TensorProto.FLOAT, [1, 4, 2]),
        helper.make_tensor_value_info("conf", TensorProto.FLOAT, [1, 81, 2]),
        helper.make_tensor_value_info("index", TensorProto.INT64, [1, 2]),
    ]
    single = np.dtype(np.float32)
    outputs = [
        TensorInfo("loc", (1, 4, 2), single),
        TensorInfo("conf", (1, 81, 2), single),
        TensorInfo("index", (1, 2), np.dtype("int64")),
    ]
    decoder = bind_decoder(spec_of(ports), outputs)
    values = {"loc": np.zeros((1, 4, 2), np.float32), "conf": np.zeros((1, 81, 2), np.float32), "index": index}
    with pytest.raises(ModelError) as error:
        decoder.decode(values, 0, RULES)
    assert message in str(error.value)


def test_decoding_and_nms_always_output_200_rows(batch, from_all_boxes):
    model = heads_only()
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    model = add_decode_and_nms(model, 81, SIZE)
    onnx.checker.check_model(model, full_check=True)
    with Session(model.SerializeToString(), provider="cpu") as session:
        outputs_of_scene, outputs_of_zeros = (session.run(rows) for rows in (batch[:1], np.zeros_like(batch[:1])))
    for outputs in (outputs_of_scene, outputs_of_zeros):
        assert {name: array.shape for name, array in outputs.items()} == {
            "bboxes": (1, 200, 4),
            "labels": (1, 200),
            "scores": (1, 200),
        }
    count = len(from_all_boxes[0])
    assert count < 200
    np.testing.assert_allclose(outputs_of_scene["scores"][0, :count], from_all_boxes[0].scores, atol=1e-5)
    for outputs, rows in ((outputs_of_scene, count), (outputs_of_zeros, 0)):
        assert not outputs["scores"][0, rows:].any()
        assert not outputs["labels"][0, rows:].any()
        assert not outputs["bboxes"][0, rows:].any()
