"""The flagship's network is found in any export, and other networks are rejected."""

import numpy as np
import onnx
import onnxruntime
import pytest

from streamdet.errors import ModelError
from streamdet.model_spec.default_boxes import flagship_box_count
from streamdet.models.find_ssd import OPSET, find_ssd, to_heads
from streamdet.models.onnx_file import parse_onnx
from streamdet.models.ssd_resnet34 import SsdOutputs, build_ssd_resnet34

from . import disguise
from .nets import model_with

SIZE = 448


@pytest.fixture(scope="module")
def published():
    return build_ssd_resnet34(SsdOutputs.PUBLISHED, seed=5, size=SIZE)


def run(model: onnx.ModelProto, image: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(["loc", "conf"], {session.get_inputs()[0].name: image})


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).standard_normal((1, 3, SIZE, SIZE), dtype=np.float32)


@pytest.fixture(scope="module")
def expected(image):
    """Returns the outputs of the heads form; the same seed has the same weights."""
    return run(build_ssd_resnet34(SsdOutputs.HEADS, seed=5, size=SIZE), image)


@pytest.mark.parametrize(
    "variant",
    [*disguise.QUICK, *(pytest.param(variant, marks=pytest.mark.slow) for variant in disguise.ONE_BY_ONE)],
    ids=lambda variant: variant.__name__,
)
def test_heads_of_any_export(published, image, expected, variant):
    heads = to_heads(find_ssd(variant(published), "net.onnx", SIZE))
    onnx.checker.check_model(heads, full_check=True)
    shapes = {v.name: [d.dim_value or d.dim_param for d in v.type.tensor_type.shape.dim] for v in heads.graph.output}
    count = flagship_box_count(SIZE)
    assert shapes == {"loc": ["batch", 4, count], "conf": ["batch", 81, count]}
    (image_input,) = heads.graph.input
    assert image_input.name == "image"
    dimensions = [d.dim_value or d.dim_param for d in image_input.type.tensor_type.shape.dim]
    assert dimensions == ["batch", 3, SIZE, SIZE]
    assert max(o.version for o in heads.opset_import) >= OPSET
    assert not heads.graph.value_info
    used = {name for node in heads.graph.node for name in node.input}
    assert {tensor.name for tensor in heads.graph.initializer} <= used
    for found, wanted in zip(run(heads, image), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_extracted_heads_are_found(published, image, expected):
    once = to_heads(find_ssd(published, "net.onnx", 0))
    twice = to_heads(find_ssd(once, "net.onnx", 0))
    batch = np.concatenate([image, image[:, :, ::-1]])
    found = run(twice, batch)
    assert [values.shape[0] for values in found] == [2, 2]
    for values, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(values[:1], wanted, rtol=1e-4, atol=1e-4)


def classifier() -> onnx.ModelProto:
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, x = [], [], "image"
    for i, (before, after) in enumerate(((3, 8), (8, 16), (16, 16))):
        weights.append(numpy_helper.from_array(np.zeros((after, before, 3, 3), np.float32), f"w{i}"))
        nodes.append(helper.make_node("Conv", [x, f"w{i}"], [f"y{i}"], strides=[2, 2], pads=[1] * 4))
        x = f"y{i}"
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["logits"]))
    ports = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 224, 224])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)]
    return helper.make_model(helper.make_graph(nodes, "resnet", ports, outputs, weights))


LOOKED_FOR = "looked for 12 head convolutions (3x3, stride 3, padding 1), two on each of 6 feature maps"


@pytest.mark.parametrize(
    ("make", "found"),
    [
        pytest.param(lambda _: classifier(), "found 0 of them among 3 convolutions", id="a classifier"),
        pytest.param(lambda _: model_with({"x": [1, 3, 8, 8]}, {"y": [1]}), "found 0 of them", id="no convolution"),
        pytest.param(disguise.without_a_head, "found 11 of them among 51", id="missing head"),
        pytest.param(
            disguise.with_another_stride,
            "found feature maps 256x28x28, 512x14x14, 512x7x7, 256x4x4, 256x1x1",
            id="wrong strides",
        ),
    ],
)
def test_other_network_is_rejected(published, make, found):
    with pytest.raises(ModelError) as error:
        find_ssd(make(published), "net.onnx", 0)
    assert "net.onnx is not the network of ssd-resnet34-1200" in str(error.value)
    assert LOOKED_FOR in str(error.value)
    assert found in str(error.value)


@pytest.mark.parametrize("name", ["yolox_nano", "fastestdet"])
def test_trained_networks_of_other_kinds_are_rejected(data_dir, name):
    data = (data_dir / "models" / f"{name}.onnx").read_bytes()
    with pytest.raises(ModelError, match="found 0 of them among"):
        find_ssd(parse_onnx(data, name), name, 416)


def test_cycle_is_rejected(published):
    model = disguise.copy(published)
    first = next(node for node in model.graph.node if node.op_type == "Relu")
    head = disguise.first_head(model)
    first.input[0] = head.output[0]
    with pytest.raises(ModelError, match="has a cycle"):
        find_ssd(model, "net.onnx", 0)
