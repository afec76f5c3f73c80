"""Writes an ONNX model in OpenVINO's own format (IR), reads it back and runs it."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdet.errors import ModelError, UsageError
from streamdet.models.openvino_ir import openvino_tensor_info
from streamdet.openvino_runtime import has_openvino, openvino_core, openvino_module
from streamdet.redact import redact


def require_openvino() -> None:
    """Raises UsageError where the package `openvino` is not installed."""
    if not has_openvino():
        raise UsageError("--format openvino needs the openvino package: pip install 'streamdet[convert]'")


def to_ir(data: bytes, fp16: bool, metadata: Mapping[str, str]) -> tuple[bytes, bytes]:
    """Returns the content of the .xml and the .bin file for an ONNX model.

    Args:
        data: the ONNX model.
        fp16: store weights as FP16.
        metadata: to write as runtime information `streamdet/KEY`.

    Raises:
        ModelError: OpenVINO cannot read the model.
    """
    try:
        model = openvino_core().read_model(io.BytesIO(data))
        for key, value in metadata.items():
            model.set_rt_info(value, ["streamdet", key.removeprefix("streamdet.")])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.xml"
            openvino_module().save_model(model, str(path), compress_to_fp16=fp16)
            return path.read_bytes(), path.with_suffix(".bin").read_bytes()
    except RuntimeError as error:
        reason = redact(" ".join(str(error).split()))[:300]
        raise ModelError(f"OpenVINO cannot read the converted model: {reason}") from None


class IrNetwork:
    """An IR model compiled for the CPU in float32; implements `model_runner.RunnableNetwork`."""

    def __init__(self, xml: bytes, weights: bytes) -> None:
        core = openvino_core()
        tensor = openvino_module().Tensor(np.frombuffer(weights, np.uint8).copy())
        model = core.read_model(xml, tensor)
        # Without the hint a CPU with AMX computes in BF16, and the verification would measure that.
        self._compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        self.input = openvino_tensor_info(model.inputs[0])
        self.outputs = tuple(map(openvino_tensor_info, model.outputs))

    def run(self, batch: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Runs it on a batch; the arrays are copies."""
        results = self._compiled([batch])
        return {port.name: np.array(results[i]) for i, port in enumerate(self.outputs)}

    def close(self) -> None:
        """Releases it."""
        self._compiled = None
