"""Half precision (FP16), with ONNX Runtime's converter."""

from __future__ import annotations

import warnings

import onnx

from streamdet.convert.input_transform import INPUT_NODES
from streamdet.errors import ModelError
from streamdet.models.onnx_file import operator_types
from streamdet.models.onnx_graph import sort_nodes


def check_float32(model: onnx.ModelProto, name: str) -> None:
    """Checks that a model is in float32: lost precision cannot be restored.

    Raises:
        ModelError: the model is quantized, or in FP16.
    """
    if any("QuantizeLinear" in operator for operator in operator_types(model)):
        raise ModelError(f"{name} is already quantized: convert the model it was made from")
    if any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in model.graph.initializer):
        raise ModelError(f"{name} is already in FP16: convert the model it was made from")


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns a float32 model that computes in FP16; its inputs and outputs keep their types."""
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    # The input nodes of a conversion compute on 0..255 values, of which half precision keeps no fraction.
    kept = [node.name for node in model.graph.node if node.name in INPUT_NODES]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter warns of every weight too small for FP16
        half = convert_float_to_float16(
            model, keep_io_types=True, op_block_list=DEFAULT_OP_BLOCK_LIST, node_block_list=kept
        )
    del half.graph.value_info[:]
    sort_nodes(half)  # the converter puts its casts last
    return half
