"""OpenVINO's own format: written from an ONNX model, read back and run."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdet.errors import ModelError, UsageError
from streamdet.models.signature import Port
from streamdet.redact import redact


def load_openvino() -> Any:
    """Returns the package `openvino`.

    Raises:
        UsageError: it is not installed.
    """
    # Merely imported, it reports to Google Analytics from a thread, unless its telemetry package is missing. None here
    # makes it missing for this process, and openvino has a stub for that.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        raise UsageError("--format openvino needs the openvino package: pip install 'streamdet[convert]'") from None
    return openvino


def to_ir(data: bytes, half: bool, notes: Mapping[str, str]) -> tuple[bytes, bytes]:
    """Returns the content of the .xml and of the .bin of an ONNX model.

    Args:
        data: the ONNX model.
        half: store weights as FP16.
        notes: what to write beside the graph, as runtime information `streamdet/KEY`.

    Raises:
        ModelError: OpenVINO cannot read the model.
    """
    openvino = load_openvino()
    try:
        model = openvino.Core().read_model(io.BytesIO(data))
        for key, value in notes.items():
            model.set_rt_info(value, ["streamdet", key.removeprefix("streamdet.")])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.xml"
            openvino.save_model(model, str(path), compress_to_fp16=half)
            return path.read_bytes(), path.with_suffix(".bin").read_bytes()
    except RuntimeError as error:
        reason = redact(" ".join(str(error).split()))[:300]
        raise ModelError(f"OpenVINO cannot read the converted model: {reason}") from None


class IrNetwork:
    """A written model, read back and compiled for the CPU in float32; see `proof.Network`."""

    def __init__(self, xml: bytes, weights: bytes) -> None:
        openvino = load_openvino()
        core = openvino.Core()
        tensor = openvino.Tensor(np.frombuffer(weights, np.uint8).copy())
        model = core.read_model(xml, tensor)
        # Without the hint a CPU with AMX computes in BF16, and the proof would measure that.
        self._compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        self.input = _port(model.inputs[0])
        self.outputs = tuple(_port(port) for port in model.outputs)

    def run(self, batch: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Runs it; the arrays belong to the caller."""
        results = self._compiled([batch])
        return {port.name: np.array(results[i]) for i, port in enumerate(self.outputs)}

    def close(self) -> None:
        """Frees it."""
        self._compiled = None


def _port(port: Any) -> Port:
    shape = tuple(d.get_length() if d.is_static else None for d in port.partial_shape)
    return Port(port.any_name, shape, np.dtype(port.element_type.to_dtype()))
