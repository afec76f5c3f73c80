"""What follows the raw heads inside a network: the choice of the likeliest boxes, or all of the published tail."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from streamdet.errors import ModelError, UsageError
from streamdet.model_spec.default_boxes import flagship_box_count, flagship_boxes_cxcywh
from streamdet.models.onnx_graph import free_names, opset_of, rename_values, upgrade_opset
from streamdet.models.ssd_resnet34 import build_nms_tail


def add_top_k(model: onnx.ModelProto, count: int, classes: int, size: int) -> onnx.ModelProto:
    """Returns the model with `loc` (n, 4, K), `conf` (n, 1 + classes, K) and `index` (n, K) of the likeliest boxes.

    A box counts by the greatest probability of its classes, the very number a threshold is compared with. Whatever
    passes it is therefore among the chosen, as long as no more than K boxes do. They keep their order, so that equal
    scores are treated as before.

    Raises:
        UsageError: there are fewer boxes.
    """
    boxes = flagship_box_count(size)
    if count >= boxes:
        raise UsageError(f"--top-boxes must be less than the {boxes} there are, got {count}")
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
    else:  # from here on the axes are an input
        node("ReduceMax", ["top_foreground", "top_axis"], ["top_best"], keepdims=0)
    node("TopK", ["top_best", "top_count"], ["top_scores", "top_order"], axis=1, sorted=0)
    # In ascending order of their places. As floats, which hold them exactly: not every device sorts integers.
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
    """Returns the model with decoding and NMS inside: always 200 rows, empty ones with score and label 0.

    Raises:
        ModelError: the operators do not fit together.
    """
    end = upgrade_opset(build_nms_tail(flagship_boxes_cxcywh(size), classes, padded=True), opset_of(model))
    end = onnx.compose.add_prefix(end, "tail/", rename_inputs=False, rename_outputs=False)
    end.ir_version = model.ir_version
    try:
        return onnx.compose.merge_models(model, end, [("loc", "loc"), ("conf", "conf")])
    except ValueError as error:
        raise ModelError(f"cannot put the published tail behind it: {error}") from None
