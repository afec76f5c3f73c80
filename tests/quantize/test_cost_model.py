"""Layers that are faster in float, integer nodes between layers, and shared scales of a Concat."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamdet.models.onnx_file import ModelFile
from streamdet.quantize.concat_scales import share_concat_scales
from streamdet.quantize.cost_model import layers_faster_in_float
from streamdet.quantize.graph import Graph, integer_nodes_between
from streamdet.quantize.prepare import prepare
from streamdet.quantize.scale_zero_point import scale_for_range


def conv_chain(*layers, join=False):
    """Returns the graph of convolutions (channels, kernel, groups), each with a SiLU, for an input of 64 x 64.

    Args:
        layers: from the first to the last.
        join: the last layer reads the concatenated first two.
    """
    nodes, constants, x, inputs = [], [], "x", 3
    for i, (channels, kernel, groups) in enumerate(layers):
        if join and i == len(layers) - 1:
            nodes.append(helper.make_node("Concat", ["s0", "s1"], ["joined"], "join", axis=1))
            x, inputs = "joined", layers[0][0] + layers[1][0]
        weights = np.zeros((channels, inputs // groups, kernel, kernel), np.float32)
        constants.append(numpy_helper.from_array(weights, f"w{i}"))
        around = {"pads": [kernel // 2] * 4, "group": groups}
        nodes.append(helper.make_node("Conv", [x, f"w{i}"], [f"y{i}"], f"conv{i}", **around))
        nodes.append(helper.make_node("Sigmoid", [f"y{i}"], [f"g{i}"], f"gate{i}"))
        nodes.append(helper.make_node("Mul", [f"y{i}", f"g{i}"], [f"s{i}"], f"silu{i}"))
        x, inputs = f"s{i}", channels
    ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 64, 64])]
    out = [helper.make_tensor_value_info(x, TensorProto.FLOAT, None)]
    opsets = [helper.make_opsetid("", 13)]
    net = helper.make_graph(nodes, "net", ports, out, constants)
    return Graph.of(
        prepare(ModelFile(helper.make_model(net, opset_imports=opsets, ir_version=8).SerializeToString(), "net"))
    )


def test_first_layers_with_few_channels_stay_in_float():
    graph = conv_chain((16, 3, 1), (16, 1, 1), (16, 3, 16), (512, 1, 1), (512, 1, 1), (512, 3, 512), (512, 1, 1))
    assert layers_faster_in_float(graph) == ["conv0", "conv1", "conv2", "conv3"]


def test_layers_with_many_channels_are_all_quantized():
    assert layers_faster_in_float(conv_chain((256, 5, 1), (256, 1, 1), (256, 3, 1))) == []


def test_all_layers_may_be_faster_in_float():
    assert len(layers_faster_in_float(conv_chain((8, 1, 1), (8, 3, 8)))) == 2


def test_a_concat_with_one_float_input_computes_on_integers():
    graph = conv_chain((8, 1, 1), (8, 1, 1), (8, 1, 1), join=True)
    assert "join" in integer_nodes_between(graph, ["conv1", "conv2"])
    assert "join" not in integer_nodes_between(graph, ["conv2"])


def test_inputs_and_output_of_a_concat_share_a_scale():
    graph = conv_chain((8, 1, 1), (8, 1, 1), (8, 1, 1), join=True)
    scales = {
        "s0": scale_for_range(-1, 2),
        "s1": scale_for_range(-2, 1),
        "joined": scale_for_range(-2, 2),
        "y0": scale_for_range(-9, 9),
    }
    shared = share_concat_scales(graph, scales)
    assert shared["s0"] == shared["s1"] == shared["joined"]
    assert shared["s0"].scale == pytest.approx(4 / 255, rel=0.01)
    assert shared["y0"] == scales["y0"]
    scales["s0"] = scale_for_range(0, 0.1)  # the shared scale would be too coarse for it
    assert share_concat_scales(graph, scales) == scales
