"""A small YOLOX-like detector with weights set to detect bright blobs, and images of blobs."""

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from streamdet.model_spec.spec import Contract, ModelSpec, Resize
from streamdet.models.onnx_file import ModelFile

SIZE = 64
CELLS = 8 * 8 + 4 * 4 + 2 * 2
SPEC = ModelSpec(
    name="blobs", contract=Contract.YOLOX, width=SIZE, height=SIZE, rgb=False, resize=Resize.STRETCH, conf=0.3, iou=0.5
)


def detector(opset=13, fragile=False, seed=0) -> onnx.ModelProto:
    """Returns a network of convolutions: a stem, two pointwise ones, a depthwise one, and three heads.

    Its score for an object is the mean brightness of a cell; all other weights are small and random.

    Args:
        opset: of the graph.
        fragile: give the layer "fragile" a huge weight for a channel that is always zero, so that per-channel scales
            lose the weight that matters.
    """
    random = np.random.default_rng(seed)
    nodes, weights = [], []

    def constant(name, values, dtype=np.float32):
        weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def conv(x, name, kernel, bias, **attributes):
        inputs = [x, constant(f"{name}_w", kernel), constant(f"{name}_b", bias)]
        nodes.append(helper.make_node("Conv", inputs, [name], name, **attributes))
        return name

    def silu(x):
        nodes.append(helper.make_node("Sigmoid", [x], [f"{x}_gate"], f"{x}_sigmoid"))
        nodes.append(helper.make_node("Mul", [x, f"{x}_gate"], [f"{x}_silu"], f"{x}_mul"))
        return f"{x}_silu"

    kernel = 0.002 * random.standard_normal((8, 3, 8, 8)) / 64
    kernel[0] += 4 / 255 / 192  # mean brightness, 0..4
    bias = 0.01 * random.standard_normal(8)
    kernel[7], bias[7] = 0, 0
    x = silu(conv("images", "stem", kernel, bias, strides=[8, 8]))
    mix = 0.1 * random.standard_normal((8, 8, 1, 1))
    mix[0] = 0
    mix[0, 0] = 1
    mix[:, 7] = 0
    if fragile:
        mix[0, 7] = 1000.0
    x = silu(conv(x, "fragile", mix, np.zeros(8)))
    kernel = np.zeros((8, 1, 3, 3))
    kernel[:, 0, 1, 1] = 1
    x = silu(conv(x, "depthwise", kernel, np.zeros(8), group=8, pads=[1, 1, 1, 1]))
    kernel = np.eye(8)[:, :, None, None] + 0.02 * random.standard_normal((8, 8, 1, 1))
    x = silu(conv(x, "pointwise", kernel, np.zeros(8)))
    levels = [x]
    for name in ("half", "quarter"):
        nodes.append(helper.make_node("MaxPool", [x], [name], name, kernel_shape=[2, 2], strides=[2, 2]))
        levels.append(x := name)
    rows = []
    for i, x in enumerate(levels):
        kernel = np.zeros((6, 8, 1, 1))
        kernel[4, 0] = 6 if i == 0 else 0.0
        kernel[5, 0] = 2
        y = conv(x, f"head_{i}", kernel, [0.5, 0.5, 0.2, 0.2, -9, 2])
        halves = {} if opset >= 13 else {"split": [4, 2]}
        cut = [y, "halves"] if opset >= 13 else [y]
        nodes.append(helper.make_node("Split", cut, [f"{y}_box", f"{y}_score"], f"{y}_split", axis=1, **halves))
        nodes.append(helper.make_node("Sigmoid", [f"{y}_score"], [f"{y}_sure"], f"{y}_sigmoid"))
        nodes.append(helper.make_node("Concat", [f"{y}_box", f"{y}_sure"], [f"{y}_all"], f"{y}_concat", axis=1))
        shape = constant(f"{y}_shape", [0, 6, -1], np.int64)
        nodes.append(helper.make_node("Reshape", [f"{y}_all", shape], [f"{y}_flat"], f"{y}_reshape"))
        rows.append(f"{y}_flat")
    nodes.append(helper.make_node("Concat", rows, ["cells"], "cells", axis=2))
    nodes.append(helper.make_node("Transpose", ["cells"], ["output"], "transpose", perm=[0, 2, 1]))
    if opset >= 13:
        constant("halves", [4, 2], np.int64)
    graph = helper.make_graph(
        nodes,
        "blobs",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, CELLS, 6])],
        weights,
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=helper.find_min_ir_version_for(opsets))


def as_file(model) -> ModelFile:
    return ModelFile(model.SerializeToString(), "blobs.onnx")


def write_photos(folder, count=8):
    """Writes images of bright discs on dark noise; returns their paths."""
    random = np.random.default_rng(5)
    paths = []
    for i in range(count):
        image = random.integers(0, 40, (SIZE, SIZE, 3), np.uint8)
        for _ in range(3):
            center = tuple(int(v) for v in random.integers(8, SIZE - 8, 2))
            color = tuple(int(v) for v in random.integers(150, 256, 3))
            cv2.circle(image, center, int(random.integers(4, 9)), color, -1)
        paths.append(folder / f"{i}.png")
        cv2.imwrite(str(paths[-1]), image)
    return paths
