"""OpenVINO IR files: an .xml file with the graph, and a .bin file of the same name with the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from streamdet.errors import ModelError
from streamdet.model_spec.signature import Signature, TensorInfo
from streamdet.models.onnx_file import ModelFile, onnx_signature, parse_onnx, read_model
from streamdet.openvino_runtime import has_openvino, openvino_core
from streamdet.redact import redact

CONVERTED_MODEL_FIELDS: dict[str, Any] = {"rgb": False, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
"""Input of models converted by Open Model Zoo: BGR, 0..255, with mean and scale folded into the graph."""

_METADATA_GROUP = "streamdet"


def is_ir(file: ModelFile) -> bool:
    """Returns whether a file is an OpenVINO .xml, and not a web page."""
    return b"<net " in file.data[:4096]


def read_weights(file: ModelFile) -> bytes:
    """Returns the content of the .bin file next to an .xml file.

    Raises:
        ModelError: the .bin file is missing or cannot be read.
    """
    path = Path(file.name).with_suffix(".bin")
    if not path.is_file():
        raise ModelError(f"{file.name} has its weights in {path.name}, which is not next to it: put it there")
    return read_model(path).data


def ir_signature(file: ModelFile) -> Signature:
    """Returns inputs, outputs and streamdet's metadata of an OpenVINO model file.

    Raises:
        ModelError: OpenVINO is not installed, or cannot read the file.
    """
    if not has_openvino():
        raise ModelError(
            f"{file.name} is an OpenVINO model: pip install openvino, or give the ONNX file that it was converted from"
        )
    weights = read_weights(file)
    try:
        return parse_ir_signature(file.data, weights)
    except RuntimeError as error:
        reason = redact(" ".join(str(error).split()))[-200:]
        raise ModelError(f"OpenVINO cannot read {file.name}: {reason}; convert it again") from None


def parse_ir_signature(xml: bytes, weights: bytes) -> Signature:
    """Returns the same as `ir_signature`, from the content of the two files.

    Raises:
        RuntimeError: OpenVINO cannot read them.
    """
    model = openvino_core().read_model(xml, weights)
    metadata: dict[str, str] = {}
    if model.has_rt_info(_METADATA_GROUP):
        entries = model.get_rt_info(_METADATA_GROUP).value
        metadata = {f"{_METADATA_GROUP}.{key}": str(getattr(value, "value", value)) for key, value in entries.items()}
    return Signature(
        tuple(map(openvino_tensor_info, model.inputs)), tuple(map(openvino_tensor_info, model.outputs)), metadata
    )


def model_signature(file: ModelFile) -> Signature:
    """Returns inputs, outputs and metadata of an ONNX or OpenVINO model file.

    Raises:
        ModelError: the file cannot be read.
    """
    return ir_signature(file) if is_ir(file) else onnx_signature(parse_onnx(*file))


def openvino_tensor_info(port: Any) -> TensorInfo:
    """Returns an input or output of an OpenVINO model under its name in the graph.

    OpenVINO gives a tensor several unordered names if it removed steps that change nothing. The name of the node is the
    right one.
    """
    node_name = port.get_node().get_friendly_name().removesuffix("/sink_port_0")
    name = node_name if node_name in port.get_names() else port.get_any_name()
    shape = tuple(d.get_length() if d.is_static else None for d in port.get_partial_shape())
    return TensorInfo(name, shape, np.dtype(port.get_element_type().to_dtype()))
