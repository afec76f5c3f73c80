"""Integer weights and bias correction."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamdet.quantize.graph import Graph
from streamdet.quantize.options import QuantizeOptions
from streamdet.quantize.statistics import TensorStatistics
from streamdet.quantize.weights import quantize_weights


def statistics_of(values):
    """Returns the statistics of one tensor with these values."""
    statistics = TensorStatistics()
    statistics.add(np.asarray(values, np.float32).reshape(1, 1, -1))
    return statistics


def conv_graph(weights, bias=None, **attributes):
    inputs = ["x", "w", "b"] if bias is not None else ["x", "w"]
    node = helper.make_node("Conv", inputs, ["y"], "conv", **attributes)
    channels = weights.shape[1] * attributes.get("group", 1)
    constants = [numpy_helper.from_array(weights.astype(np.float32), "w")]
    constants += [] if bias is None else [numpy_helper.from_array(bias.astype(np.float32), "b")]
    ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, 8, 8])]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    return Graph.of(helper.make_model(helper.make_graph([node], "net", ports, out, constants))), node


@pytest.mark.parametrize("group", [1, 4])
def test_bias_correction_keeps_the_mean(group):
    random = np.random.default_rng(0)
    graph, node = conv_graph(random.standard_normal((4, 4 // group, 1, 1)), group=group)
    x = random.uniform(0, 9, (1, 4, 50)).astype(np.float32)
    statistics = TensorStatistics()
    statistics.add(x)
    result = quantize_weights(graph, node, statistics, QuantizeOptions(per_channel=False))
    weights, rounded = graph.constant("w")[..., 0, 0], result.values[..., 0, 0] * result.scales
    if group > 1:
        weights, rounded = np.diag(weights[:, 0]), np.diag(rounded[:, 0])
    expected, actual = (weights @ x[0]).mean(axis=1), (rounded @ x[0]).mean(axis=1)
    np.testing.assert_allclose(actual + result.bias, expected, atol=1e-5)
    assert np.abs(actual - expected).max() > 1e-3  # there was something to correct


def test_a_channel_with_zero_weights():
    graph, node = conv_graph(np.zeros((2, 3, 3, 3)), np.ones(2))
    result = quantize_weights(graph, node, statistics_of(np.ones(3)), QuantizeOptions(bias_correction=False))
    assert (result.values == 0).all()
    np.testing.assert_array_equal(result.bias, 1)
    np.testing.assert_array_equal(result.scales, 1)
