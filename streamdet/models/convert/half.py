"""Half precision, by ONNX Runtime's own converter."""

from __future__ import annotations

import warnings

import onnx

from streamdet.errors import ModelError
from streamdet.models.graph import sort_nodes
from streamdet.models.load import operator_types

# The new front works on 0..255 values, of which half precision keeps no fraction.
_FRONT = ("image_nchw", "image_float", "image_centred")


def to_half(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Returns the model computed in FP16; its inputs and outputs keep their types.

    Raises:
        ModelError: it is not a float32 model.
    """
    if any("QuantizeLinear" in operator for operator in operator_types(model)):
        raise ModelError(f"{name} is quantised already: convert the model it was made from to fp16")
    if any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in model.graph.initializer):
        raise ModelError(f"{name} is in FP16 already: leave out --precision")
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    kept = [node.name for node in model.graph.node if node.name in _FRONT]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of every weight too small for a half
        half = convert_float_to_float16(
            model, keep_io_types=True, op_block_list=DEFAULT_OP_BLOCK_LIST, node_block_list=kept
        )
    del half.graph.value_info[:]
    sort_nodes(half)  # the converter puts its casts last
    return half
