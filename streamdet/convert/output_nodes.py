"""Appends nodes after the raw heads of a network: top-K selection, or box decoding and NMS as in the published file."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from streamdet.errors import ModelError, UsageError
from streamdet.model_spec.default_boxes import flagship_box_count, flagship_boxes_cxcywh
from streamdet.models.onnx_graph import free_names, opset_of, rename_values, upgrade_opset
from streamdet.models.ssd_resnet34 import build_nms_tail


def add_top_k(model: onnx.ModelProto, count: int, classes: int, size: int) -> onnx.ModelProto:
    """Returns the model with `loc` (n, 4, K), `conf` (n, classes, K) and `index` (n, K) of the top K boxes.

    Boxes are ranked by the highest probability of a class, background excluded: the number that score thresholds are
    compared with. All boxes above a threshold are therefore among the K, if there are at most K. Boxes keep their
    order, so that ties are broken as before.

    Args:
        model: with raw heads.
        count: K.
        classes: including the background.
        size: side of the input, in pixels.

    Raises:
        UsageError: K is not less than the number of boxes.
    """
    boxes = flagship_box_count(size)
    if count >= boxes:
        raise UsageError(f"--top-boxes must be less than the number of boxes, {boxes}, got {count}")
    graph = model.graph
    free_names(graph, {"raw_loc", "raw_conf"})
    rename_values(graph, {"loc": "raw_loc", "conf": "raw_conf"})
    values = {
        "top_first": np.array([1], np.int64),
        "top_end": np.array([classes], np.int64),
        "top_axis": np.array([1], np.int64),
        "top_count": np.array([count], np.int64),
        "top_loc_rows": np.array([1, 4, 1], np.int64),
        "top_conf_rows": np.array([1, classes, 1], np.int64),
    }
    nodes: list[onnx.NodeProto] = []

    def node(operator: str, inputs: list[str], outputs: list[str], **attributes: object) -> None:
        nodes.append(helper.make_node(operator, inputs, outputs, outputs[0], **attributes))

    node("Softmax", ["raw_conf"], ["top_probability"], axis=1)
    node("Slice", ["top_probability", "top_first", "top_end", "top_axis"], ["top_foreground"])
    if opset_of(model) < 18:
        node("ReduceMax", ["top_foreground"], ["top_best"], axes=[1], keepdims=0)
    else:  # since opset 18 the axes are an input
        node("ReduceMax", ["top_foreground", "top_axis"], ["top_best"], keepdims=0)
    node("TopK", ["top_best", "top_count"], ["top_scores", "top_order"], axis=1, sorted=0)
    # Sort the indices. As floats, which represent them exactly: not every device sorts integers.
    node("Cast", ["top_order"], ["top_places"], to=onnx.TensorProto.FLOAT)
    node("TopK", ["top_places", "top_count"], ["top_ascending", "top_unused"], axis=1, largest=0)
    node("Cast", ["top_ascending"], ["index"], to=onnx.TensorProto.INT64)
    node("Unsqueeze", ["index", "top_axis"], ["top_column"])
    for name in ("loc", "conf"):
        node("Expand", ["top_column", f"top_{name}_rows"], [f"top_{name}_places"])
        node("GatherElements", [f"raw_{name}", f"top_{name}_places"], [name], axis=2)
    free_names(graph, {*values, *(name for new in nodes for name in new.output)})
    graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in values.items())
    graph.node.extend(nodes)
    del graph.output[:]
    for name, shape in (("loc", ["batch", 4, count]), ("conf", ["batch", classes, count])):
        graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    graph.output.append(helper.make_tensor_value_info("index", onnx.TensorProto.INT64, ["batch", count]))
    return model


def add_decode_and_nms(model: onnx.ModelProto, classes: int, size: int) -> onnx.ModelProto:
    """Returns the model with box decoding and NMS inside: always 200 rows, unused ones with score and label 0.

    Raises:
        ModelError: the graphs cannot be merged.
    """
    end = upgrade_opset(build_nms_tail(flagship_boxes_cxcywh(size), classes, padded=True), opset_of(model))
    end = onnx.compose.add_prefix(end, "tail/", rename_inputs=False, rename_outputs=False)
    end.ir_version = model.ir_version
    try:
        return onnx.compose.merge_models(model, end, [("loc", "loc"), ("conf", "conf")])
    except ValueError as error:
        raise ModelError(f"cannot append decoding and NMS: {error}") from None
