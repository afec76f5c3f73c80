"""Half precision, by ONNX Runtime's own converter."""

from __future__ import annotations

import warnings

import onnx

from streamdet.convert.input_transform import INPUT_NODES
from streamdet.errors import ModelError
from streamdet.models.onnx_file import operator_types
from streamdet.models.onnx_graph import sort_nodes


def check_float32(model: onnx.ModelProto, name: str) -> None:
    """Refuses what is not in float32 any more: precision that is gone does not come back.

    Raises:
        ModelError: it is quantised, or in FP16.
    """
    if any("QuantizeLinear" in operator for operator in operator_types(model)):
        raise ModelError(f"{name} is quantised already: convert the model it was made from")
    if any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in model.graph.initializer):
        raise ModelError(f"{name} is in FP16 already: convert the model it was made from")


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns a float32 model computed in FP16; its inputs and outputs keep their types."""
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    # A new front works on 0..255 values, of which half precision keeps no fraction.
    kept = [node.name for node in model.graph.node if node.name in INPUT_NODES]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of every weight too small for a half
        half = convert_float_to_float16(
            model, keep_io_types=True, op_block_list=DEFAULT_OP_BLOCK_LIST, node_block_list=kept
        )
    del half.graph.value_info[:]
    sort_nodes(half)  # the converter puts its casts last
    return half
