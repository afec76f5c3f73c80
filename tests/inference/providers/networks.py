"""Small networks for tests of providers."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from streamdet.inference.providers import CheckedModel, Precision
from streamdet.models.onnx_file import onnx_signature


def convolution(shape=("batch", 3, 16, 16), channels=8, dtype=TensorProto.FLOAT, seed=0):
    """Returns a 3x3 convolution, one output of the same size, with random weights."""
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    weights = np.random.default_rng(seed).standard_normal((channels, 3, 3, 3)).astype(kind)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "w"], ["y"], pads=[1, 1, 1, 1])],
        "convolution",
        [helper.make_tensor_value_info("image", dtype, list(shape))],
        [helper.make_tensor_value_info("y", dtype, [shape[0], channels, *shape[2:]])],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def with_nms(shape=(1, 3, 16, 16)):
    """Returns a network with an output of unknown size, from operators that run on the CPU."""
    model = convolution(shape)
    graph = model.graph
    graph.node.extend([helper.make_node("Relu", ["y"], ["z"]), helper.make_node("NonZero", ["z"], ["found"])])
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("found", TensorProto.INT64, [4, "n"]))
    return model


def quantized(shape=("batch", 3, 16, 16), channels=8):
    """Returns a quantized convolution: symmetric, as TensorRT requires, with scales of 1/16 and 1/64."""
    constants = {
        "step": np.float32(1 / 16),
        "zero": np.int8(0),
        "w": np.random.default_rng(0).integers(-127, 128, (channels, 3, 3, 3), np.int8),
        "steps": np.full(channels, 1 / 64, np.float32),
        "zeros": np.zeros(channels, np.int8),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["image", "step", "zero"], ["bytes"]),
        helper.make_node("DequantizeLinear", ["bytes", "step", "zero"], ["x"]),
        helper.make_node("DequantizeLinear", ["w", "steps", "zeros"], ["v"], axis=0),
        helper.make_node("Conv", ["x", "v"], ["y"], pads=[1, 1, 1, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "quantized",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [shape[0], channels, *shape[2:]])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def network(model, weights=Precision.FP32):
    return CheckedModel(model.SerializeToString(), "net.onnx", onnx_signature(model).inputs, weights)


def batch(count=1, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 3, 16, 16), dtype=np.float32)
