"""Rewritten graphs compute the same: focus, SiLU, transposes, upsampling, batch normalization."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamdet.models.onnx_file import ModelFile
from streamdet.quantize import early_transpose, focus, silu, upsample
from streamdet.quantize.graph import Graph
from streamdet.quantize.prepare import prepare


def run(model, inputs):
    """Runs a model on ONNX Runtime."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def focus_model(offsets, size=8):
    """Returns a model that slices its input like YOLO's focus and convolves it."""
    random = np.random.default_rng(1)
    constants = {
        "zero": [0], "one": [1], "end": [(1 << 63) - 1], "rows": [2], "columns": [3], "two": [2],
    }  # fmt: skip
    weights = [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in constants.items()]
    weights.append(numpy_helper.from_array(random.standard_normal((5, 12, 3, 3)).astype(np.float32), "w"))
    nodes = []
    for i, (row, column) in enumerate(offsets):
        nodes.append(helper.make_node("Slice", ["x", ("zero", "one")[row], "end", "rows", "two"], [f"r{i}"]))
        nodes.append(helper.make_node("Slice", [f"r{i}", ("zero", "one")[column], "end", "columns", "two"], [f"p{i}"]))
    nodes.append(helper.make_node("Concat", [f"p{i}" for i in range(4)], ["cut"], axis=1))
    nodes.append(helper.make_node("Conv", ["cut", "w"], ["y"], "stem", pads=[1, 1, 1, 1]))
    ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, size, size])]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "focus", ports, out, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def test_a_focus_becomes_one_convolution():
    model = focus_model([(0, 0), (1, 0), (0, 1), (1, 1)])
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
    expected = run(model, {"x": x})[0]
    focus.fuse(model)
    assert [node.op_type for node in model.graph.node] == ["Conv"]
    np.testing.assert_allclose(run(model, {"x": x})[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("offsets", "size"),
    [([(0, 0), (0, 0), (0, 1), (1, 1)], 8), ([(0, 0), (1, 0), (0, 1), (1, 1)], 7)],
    ids=["one slice twice", "an odd size"],
)
def test_other_slices_stay_unchanged(offsets, size):
    model = focus_model(offsets, size)
    before = model.SerializeToString()
    focus.fuse(model)
    assert model.SerializeToString() == before


def test_silu_is_fused_and_split_again():
    nodes = [
        helper.make_node("Sigmoid", ["x"], ["gate"], "sigmoid"),
        helper.make_node("Mul", ["gate", "x"], ["y"], "mul"),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 4, 4]) for name in "xy"]
    model = helper.make_model(
        helper.make_graph(nodes, "net", ports[:1], ports[1:]),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    x = np.random.default_rng(0).standard_normal((1, 3, 4, 4)).astype(np.float32)
    expected = run(model, {"x": x})[0]
    silu.fuse(model)
    assert [node.op_type for node in model.graph.node] == ["QuickGelu"]
    np.testing.assert_allclose(run(model, {"x": x})[0], expected, atol=1e-6)
    silu.split(model)
    assert [(node.op_type, node.domain) for node in model.graph.node] == [("Sigmoid", ""), ("Mul", "")]
    assert [entry.domain for entry in model.opset_import] == [""]
    np.testing.assert_allclose(run(model, {"x": x})[0], expected, atol=1e-6)


@pytest.mark.parametrize("read_twice", [False, True])
def test_a_transpose_moves_before_the_concat(read_twice):
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["a"], "a"),
        helper.make_node("MaxPool", ["x"], ["half"], "half", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Reshape", ["half", "flat"], ["b"], "b"),
        helper.make_node("Concat", ["a", "b"], ["joined"], "joined", axis=2),
        helper.make_node("Transpose", ["joined"], ["y"], "transpose", perm=[0, 2, 1]),
        helper.make_node("Relu", ["joined" if read_twice else "x"], ["z"], "other"),
    ]
    ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 4, 6])]
    out = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "yz"]
    flat = [numpy_helper.from_array(np.array([0, 3, -1], np.int64), "flat")]
    net = helper.make_graph(nodes, "net", ports, out, flat)
    model = helper.make_model(net, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    before = model.SerializeToString()
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 6)).astype(np.float32)
    expected = run(model, {"x": x})[0]
    early_transpose.move_transpose_before_concat(model)
    assert (model.SerializeToString() == before) == read_twice
    np.testing.assert_array_equal(run(model, {"x": x})[0], expected)


@pytest.mark.parametrize(
    ("modes", "scales", "is_repetition"),
    [
        ({"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, (2, 2), True),
        ({}, (2, 2), True),
        ({"coordinate_transformation_mode": "asymmetric", "nearest_mode": "ceil"}, (2, 2), False),
        ({"mode": "linear"}, (2, 2), False),
        ({}, (2, 1), False),
        ({}, (3, 3), False),
    ],
    ids=["asymmetric", "half pixel", "ceil", "linear", "rows only", "three times"],
)
def test_upsampling_by_copies_equals_resize(modes, scales, is_repetition):
    resize = helper.make_node("Resize", ["x", "", "scales"], ["y"], **modes)
    after = (1, 2, 3 * scales[0], 5 * scales[1])
    assert upsample.is_upsample_2x(resize, {"x": (1, 2, 3, 5), "y": after}) == is_repetition
    if is_repetition:
        nodes, constants = upsample.upsample_2x_nodes("x", "z", (1, 2, 3, 5))
        constants.append(numpy_helper.from_array(np.array([1, 1, *scales], np.float32), "scales"))
        ports = [helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", 2, None, None]) for name in "xyz"]
        net = helper.make_graph([resize, *nodes], "net", ports[:1], ports[1:], constants)
        model = helper.make_model(net, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        x = np.random.default_rng(0).integers(0, 256, (4, 2, 3, 5), np.uint8)
        np.testing.assert_array_equal(*run(model, {"x": x}))


def test_prepare_folds_batch_normalization_and_keeps_metadata():
    from streamdet.models.ssd_resnet34 import SsdOutputs, build_ssd_resnet34

    model = build_ssd_resnet34(SsdOutputs.HEADS, size=448)
    prepared = prepare(ModelFile(model.SerializeToString(), "flagship"))
    operators = {node.op_type for node in prepared.graph.node}
    assert "BatchNormalization" not in operators
    assert {entry.key: entry.value for entry in prepared.metadata_props}["streamdet.random_weights"] == "1"
    graph = Graph.of(prepared)
    assert len(graph.layers) == 51
    assert all(layer.macs for layer in graph.layers)
    heads = [layer for layer in graph.layers if graph.consumers[layer.output][0].op_type == "Reshape"]
    assert len(heads) == 12
