"""The choice of the likeliest boxes inside a network leaves everything that passes a threshold."""

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
from streamdet.models.recognise import recognise

SIZE, COUNT = 1200, 15130
RULES = PostprocessRules(0.05, 0.5, np.ones(80, np.bool_))


def heads_alone(opset: int = 17) -> onnx.ModelProto:
    """Takes all heads as one "picture" of 85 rows, so that a session with one input can run the tails alone."""
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
    return recognise(onnx_signature(_pictured(outputs)), "net")


def _pictured(outputs) -> onnx.ModelProto:
    ports = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])]
    graph = helper.make_graph([helper.make_node("Identity", ["image"], ["x"])], "net", ports, outputs)
    return helper.make_model(graph)


@pytest.fixture(scope="module")
def batch():
    scenes = [synthetic_heads(seed, objects=30) for seed in range(2)]
    return np.stack([np.concatenate([loc, conf]) for loc, conf in scenes])


@pytest.fixture(scope="module")
def plain(batch):
    """What our own post-processing finds in the whole heads."""
    model = heads_alone()
    spec = spec_of(model.graph.output)
    decoder = bind_decoder(spec, onnx_signature(model).outputs)
    values = {"loc": batch[:, :4], "conf": batch[:, 4:]}
    return [decoder.decode(values, i, RULES) for i in range(len(batch))]


def assert_equal(found, wanted):
    np.testing.assert_array_equal(found.boxes_xyxy, wanted.boxes_xyxy)
    np.testing.assert_array_equal(found.scores, wanted.scores)
    np.testing.assert_array_equal(found.class_ids, wanted.class_ids)


@pytest.mark.parametrize("opset", [17, 18], ids=["axes as attribute", "axes as input"])
def test_top_boxes_change_nothing(batch, plain, opset):
    model = add_top_k(heads_alone(opset), 2000, 81, SIZE)
    onnx.checker.check_model(model, full_check=True)
    spec = spec_of(model.graph.output)
    assert (spec.contract, len(spec.labels)) == (Contract.SSD_HEADS, 80)
    with Session(model.SerializeToString(), provider="cpu") as session:
        outputs = session.run(batch)
        decoder = bind_decoder(spec, session.outputs)
    assert (np.diff(outputs["index"]) > 0).all()
    assert sum(array[0].nbytes for array in outputs.values()) < 700_000 < 5_000_000 < batch[0].nbytes
    for i, wanted in enumerate(plain):
        assert len(wanted) > 20
        assert_equal(decoder.decode(outputs, i, RULES), wanted)


def test_too_few_boxes_keep_the_best(batch, plain):
    """With fewer boxes than pass, what is left out is the weakest."""
    model = add_top_k(heads_alone(), 40, 81, SIZE)
    with Session(model.SerializeToString(), provider="cpu") as session:
        found = bind_decoder(spec_of(model.graph.output), session.outputs).decode(session.run(batch), 0, RULES)
    assert 0 < len(found) < len(plain[0])
    np.testing.assert_array_equal(found.scores[:10], plain[0].scores[:10])


@pytest.mark.parametrize("count", [COUNT, 20_000])
def test_more_boxes_than_there_are(count):
    with pytest.raises(UsageError, match="must be less than the 15130 there are"):
        add_top_k(heads_alone(), count, 81, SIZE)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (np.array([[0, COUNT]]), "index beyond the 15130 default boxes"),
        (np.array([[-1, 3]]), "index beyond"),
        (np.array([[0, 1, 2]]), "expected whole numbers (n, 2)"),
        (np.array([[0.0, 1.0]]), "expected whole numbers"),
        (np.zeros((0, 2), np.int64), "expected whole numbers"),
    ],
    ids=["past the end", "negative", "another length", "fractions", "no picture"],
)
def test_an_index_that_cannot_be(index, message):
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


def test_the_published_tail_always_gives_200_rows(batch, plain):
    model = heads_alone()
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    model = add_decode_and_nms(model, 81, SIZE)
    onnx.checker.check_model(model, full_check=True)
    with Session(model.SerializeToString(), provider="cpu") as session:
        found, nothing = (session.run(rows) for rows in (batch[:1], np.zeros_like(batch[:1])))
    for outputs in (found, nothing):
        assert {name: array.shape for name, array in outputs.items()} == {
            "bboxes": (1, 200, 4),
            "labels": (1, 200),
            "scores": (1, 200),
        }
    count = len(plain[0])
    assert count < 200
    np.testing.assert_allclose(found["scores"][0, :count], plain[0].scores, atol=1e-5)
    for outputs, rows in ((found, count), (nothing, 0)):
        assert not outputs["scores"][0, rows:].any()
        assert not outputs["labels"][0, rows:].any()
        assert not outputs["bboxes"][0, rows:].any()
