"""Counting parameters and operations on graphs small enough to count by hand."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamdet.errors import ModelError
from streamdet.models.model_info import inspect_model
from streamdet.models.onnx_file import ModelFile
from streamdet.models.operation_count import count_operations, count_parameters


def graph_of(nodes, inputs, weights, outputs):
    ports = [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in inputs.items()]
    results = [helper.make_tensor_value_info(k, TensorProto.FLOAT, None) for k in outputs]
    tensors = [numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in weights.items()]
    return helper.make_model(helper.make_graph(nodes, "g", ports, results, tensors))


ROWS = [
    pytest.param(
        [helper.make_node("Conv", ["x", "w", "b"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1])],
        {"x": ["n", 3, 8, 8]}, {"w": (5, 3, 3, 3), "b": (5,)},
        140, 2 * (5 * 4 * 4) * 27, id="convolution, any batch",
    ),
    pytest.param(
        [helper.make_node("Conv", ["x", "w"], ["y"], group=4)],
        {"x": [1, 4, 6, 6]}, {"w": (8, 1, 3, 3)},
        72, 2 * (8 * 4 * 4) * 9, id="grouped convolution",
    ),
    pytest.param(
        [helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])],
        {"x": [1, 4, 6, 6]}, {"w": (4, 2, 2, 2)},
        32, 2 * (4 * 6 * 6) * 8, id="transposed convolution",
    ),
    pytest.param(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)],
        {"x": [1, 10]}, {"w": (7, 10), "b": (7,)},
        77, 2 * 70, id="fully connected",
    ),
    pytest.param(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        {"x": [2, 5, 10]}, {"w": (10, 3)},
        30, 2 * 2 * 5 * 3 * 10, id="matrix product",
    ),
    pytest.param(
        [helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"])],
        {"x": [1, 4, 6, 6]}, {"s": (4,), "b": (4,), "m": (4,), "v": (4,)},
        8, 0, id="running statistics are not trained",
    ),
    pytest.param(
        [helper.make_node("Conv", ["x", "w"], ["a"]), helper.make_node("Conv", ["a", "w"], ["y"])],
        {"x": [1, 2, 6, 6]}, {"w": (2, 2, 1, 1)},
        4, 2 * 2 * (2 * 6 * 6) * 2, id="shared weights count once",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "inputs", "weights", "trainable", "flops"), ROWS)
def test_parameters_and_operations_are_counted(nodes, inputs, weights, trainable, flops):
    model = graph_of(nodes, inputs, weights, ["y"])
    before = model.SerializeToString()
    assert count_parameters(model) == (trainable, sum(int(np.prod(s)) for s in weights.values()))
    counted = count_operations(model)
    assert (sum(counted.products.values()), counted.integer, counted.uncounted) == (flops, 0, 0)
    assert model.SerializeToString() == before


def test_unknown_shapes_are_reported_as_uncounted():
    nodes = [helper.make_node("NonZero", ["x"], ["i"]), helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT)]
    nodes += [helper.make_node("Transpose", ["f"], ["t"]), helper.make_node("MatMul", ["t", "w"], ["y"])]
    counted = count_operations(graph_of(nodes, {"x": [3, 4]}, {"w": (2, 2)}, ["y"]))
    assert (counted.products, counted.uncounted) == ({"MatMul": 0}, 1)


BROKEN = [
    pytest.param([helper.make_node("Conv", ["x"], ["y"])], {"Conv": 0}, id="no weights"),
    pytest.param(
        [helper.make_node("Identity", ["a"], ["b"]), helper.make_node("Identity", ["b"], ["a"]),
         helper.make_node("MatMul", ["x", "a"], ["y"])],
        {"MatMul": 0}, id="cycle",
    ),
    pytest.param(
        [helper.make_node("Cast", [], ["a"]), helper.make_node("MatMul", ["x", "a"], ["y"])],
        {"MatMul": 0}, id="cast without an input",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "products"), BROKEN)
def test_broken_graphs_have_no_count(nodes, products):
    model = graph_of(nodes, {"x": [1, 3, 8, 8]}, {}, ["y"])
    assert count_parameters(model) == (0, 0)
    counted = count_operations(model)
    assert (counted.products, counted.uncounted) == (products, 1)


def test_operator_without_output_is_rejected():
    model = graph_of([helper.make_node("Relu", ["x"], [])], {"x": [1, 3, 8, 8]}, {}, ["y"])
    with pytest.raises(ModelError, match=r"its operator Relu has no output"):
        inspect_model(ModelFile(model.SerializeToString(), "a.onnx"), None)


ELEMENTWISE = [
    pytest.param([helper.make_node("Relu", ["x"], ["y"])], 4 * 36, id="one per value"),
    pytest.param([helper.make_node("BatchNormalization", ["x", *"ssss"], ["y"])], 2 * 4 * 36, id="scale and shift"),
    pytest.param(
        [helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[3, 3])], 4 * 4 * 9, id="pooling",
    ),
    pytest.param([helper.make_node("Transpose", ["x"], ["y"])], 0, id="transposing is free"),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "operations"), ELEMENTWISE)
def test_elementwise_operations_are_counted(nodes, operations):
    counted = count_operations(graph_of(nodes, {"x": [1, 4, 6, 6]}, {"s": (4,)}, ["y"]))
    assert (counted.elementwise, counted.products) == (operations, {})


def test_quantized_network_counts_like_its_source():
    weight = numpy_helper.from_array(np.zeros((5, 3, 3, 3), np.int8), "w")
    scale = numpy_helper.from_array(np.ones((), np.float32), "s")
    zero = numpy_helper.from_array(np.zeros((), np.uint8), "z")
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "s"], ["v"]),
        helper.make_node("Conv", ["d", "v"], ["a"]),
        helper.make_node("Conv", ["x", "v"], ["y"]),  # its data are float: not counted as done on integers
    ]
    model = graph_of(nodes, {"x": [1, 3, 6, 6]}, {}, ["a", "y"])
    model.graph.initializer.extend([weight, scale, zero])
    each = 2 * (5 * 4 * 4) * 27
    counted = count_operations(model)
    assert count_parameters(model)[0] == 135
    assert (counted.products, counted.integer) == ({"Conv": 2 * each}, each)


def test_counts_of_a_trained_model_equal_the_published_ones(data_dir):
    info = inspect_model(data_dir / "models" / "yolox_nano.onnx")
    # Megvii's table: 0.91 M parameters, 1.08 GFLOPs (which counts more than convolutions).
    assert info.graph.trainable == pytest.approx(0.91e6, rel=0.01)
    assert info.graph.arithmetic.gflops == pytest.approx(1.08, rel=0.05)
    assert (info.graph.opset, info.unknown, info.spec.labels[0]) == (11, "", "person")
