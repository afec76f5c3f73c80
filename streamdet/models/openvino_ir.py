"""OpenVINO's own format: an .xml file with the graph, and a .bin file of the same name with the weights."""

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
"""How Open Model Zoo's converted networks are fed: BGR, 0..255, with mean and scale folded into the graph."""

_NOTES = "streamdet"


def is_ir(file: ModelFile) -> bool:
    """Returns whether a file is the .xml of a network, and not a web page."""
    return b"<net " in file.data[:4096]


def read_weights(file: ModelFile) -> bytes:
    """Returns what is in the .bin file beside an .xml file.

    Raises:
        ModelError: it is missing or cannot be read.
    """
    path = Path(file.name).with_suffix(".bin")
    if not path.is_file():
        raise ModelError(f"{file.name} has its weights in {path.name}, which is not beside it: put it there")
    return read_model(path).data


def ir_signature(file: ModelFile) -> Signature:
    """Returns inputs, outputs and streamdet's own notes of an OpenVINO network.

    Raises:
        ModelError: OpenVINO is not installed, or cannot read it.
    """
    if not has_openvino():
        raise ModelError(
            f"{file.name} is an OpenVINO model: pip install openvino, or give the ONNX file that it was made from"
        )
    weights = read_weights(file)
    try:
        return parse_ir_signature(file.data, weights)
    except RuntimeError as error:
        reason = redact(" ".join(str(error).split()))[-200:]
        raise ModelError(f"OpenVINO cannot read {file.name}: {reason}; convert it again") from None


def parse_ir_signature(xml: bytes, weights: bytes) -> Signature:
    """Returns the same, of what is in the two files.

    Raises:
        RuntimeError: OpenVINO cannot read it.
    """
    model = openvino_core().read_model(xml, weights)
    notes: dict[str, str] = {}
    if model.has_rt_info(_NOTES):
        found = model.get_rt_info(_NOTES).value
        notes = {f"{_NOTES}.{key}": str(getattr(value, "value", value)) for key, value in found.items()}
    return Signature(
        tuple(map(openvino_tensor_info, model.inputs)), tuple(map(openvino_tensor_info, model.outputs)), notes
    )


def model_signature(file: ModelFile) -> Signature:
    """Returns inputs, outputs and metadata of a model file of either kind.

    Raises:
        ModelError: it cannot be read.
    """
    return ir_signature(file) if is_ir(file) else onnx_signature(parse_onnx(*file))


def openvino_tensor_info(port: Any) -> TensorInfo:
    """Returns an input or output of an OpenVINO model under the name that the graph calls it by.

    OpenVINO gives a tensor several names where steps that change nothing were removed, in no order. An output's own is
    that of its node.
    """
    own = port.get_node().get_friendly_name().removesuffix("/sink_port_0")
    name = own if own in port.get_names() else port.get_any_name()
    shape = tuple(d.get_length() if d.is_static else None for d in port.get_partial_shape())
    return TensorInfo(name, shape, np.dtype(port.get_element_type().to_dtype()))
