"""Prepares a float graph for quantization: a recent opset, named nodes, folded and fused operators."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import onnx

from streamdet.errors import ModelError
from streamdet.models.onnx_file import ModelFile, parse_onnx
from streamdet.quantize import early_transpose, focus, silu
from streamdet.redact import redact

PER_CHANNEL_OPSET = 13
"""First opset whose QuantizeLinear has an axis."""

_TARGET_OPSET = 17


def prepare(file: ModelFile) -> onnx.ModelProto:
    """Returns an equivalent float graph: opset 13 or newer, batch normalization folded, node names unique.

    Raises:
        ModelError: the model cannot be read, cannot be converted to a newer opset, or is already quantized.
    """
    model = parse_onnx(file.data, file.name)
    if any(node.op_type in ("QuantizeLinear", "DequantizeLinear", "QLinearConv") for node in model.graph.node):
        raise ModelError(f"{file.name} is already quantized: give the float model it was made from")
    kept = {entry.key: entry.value for entry in model.metadata_props}
    model = _fold(_convert_opset(model, file.name), file.name)
    onnx.helper.set_model_props(model, kept)
    _name_nodes(model)
    early_transpose.move_transpose_before_concat(model)
    silu.fuse(model)
    focus.fuse(model)
    return model


def _convert_opset(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset >= PER_CHANNEL_OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, _TARGET_OPSET)
    except Exception as error:
        raise ModelError(
            f"{name} has opset {opset}, INT8 needs {PER_CHANNEL_OPSET}, and the conversion failed "
            f"({redact(str(error)).splitlines()[0]}): export it again with a newer opset"
        ) from None


def _fold(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Folds constants and batch normalization with ONNX Runtime, into standard operators only."""
    from streamdet.inference.providers import onnxruntime_module

    ort = onnxruntime_module()
    options: Any = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory(prefix="streamdet-") as folder:
        path = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(path)
        try:
            ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelError(f"{name} cannot be loaded: {redact(str(error)).splitlines()[0]}") from None
        return onnx.load(path)


def _name_nodes(model: onnx.ModelProto) -> None:
    """Names nodes whose name is missing or not unique after their operator and output."""
    taken: set[str] = set()
    for node in model.graph.node:
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{node.output[0]}"
        taken.add(node.name)
