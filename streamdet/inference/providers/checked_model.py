"""Reads and checks a model file, and collects what providers need to know about it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from streamdet.errors import ModelError
from streamdet.inference.providers.cpu_threads import HEAVY_GFLOPS, check_threads, default_threads
from streamdet.inference.providers.names import Precision
from streamdet.inference.providers.options import CheckedModel
from streamdet.models.onnx_file import ModelFile, onnx_signature, operator_types, parse_onnx, read_model
from streamdet.models.openvino_ir import ir_signature, is_ir, read_weights
from streamdet.models.operation_count import count_operations

if TYPE_CHECKING:
    import onnx

_HEAVY_BYTES = 8 << 20


def read_checked_model(model: Path | bytes | ModelFile, threads: int = 0) -> tuple[CheckedModel, int]:
    """Reads and checks a model.

    Args:
        model: a file, or its content.
        threads: CPU threads of inference; 0 chooses by the operations per picture.

    Returns:
        The model, and its number of threads.

    Raises:
        ModelError: the file cannot be read, or is not a model.
        UsageError: the number of threads is invalid.
    """
    check_threads(threads)
    file = read_model(model)
    if is_ir(file):  # its operations are not counted: weights of this size mean many operations
        weights = read_weights(file)
        heavy = HEAVY_GFLOPS if len(weights) > _HEAVY_BYTES else 0.0
        checked = CheckedModel(file.data, file.name, ir_signature(file).inputs, binary=weights)
        return checked, threads or default_threads(heavy)
    data, name = file
    graph = parse_onnx(data, name)
    checked = CheckedModel(data, name, onnx_signature(graph).inputs, stored_precision(graph), signed=is_signed(graph))
    return checked, threads or default_threads(_gflops(graph))


def stored_precision(graph: onnx.ModelProto) -> Precision:
    """Returns INT8 for a quantized model, else the precision that most weights are stored in."""
    if any("QuantizeLinear" in operator or operator.startswith("QLinear") for operator in operator_types(graph)):
        return Precision.INT8
    tensors = list(graph.graph.initializer)
    tensors += [
        a.t for node in graph.graph.node if node.op_type == "Constant" for a in node.attribute if a.HasField("t")
    ]
    half = sum(math.prod(tensor.dims) for tensor in tensors if tensor.data_type == tensor.FLOAT16)
    full = sum(math.prod(tensor.dims) for tensor in tensors if tensor.data_type == tensor.FLOAT)
    return Precision.FP16 if half > full else Precision.FP32


def is_signed(graph: onnx.ModelProto) -> bool:
    """Returns whether everything quantized is quantized to signed bytes with a zero point of 0."""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            zero_point = constants.get(node.input[2]) if len(node.input) > 2 else None  # without one: unsigned
            if zero_point is None or zero_point.data_type != zero_point.INT8 or numpy_helper.to_array(zero_point).any():
                return False
    return True


def _gflops(graph: onnx.ModelProto) -> float:
    try:
        return count_operations(graph).gflops
    except ModelError:  # the runtime reports inconsistent shapes
        return 0.0
