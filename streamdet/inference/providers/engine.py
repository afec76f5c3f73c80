"""Engines: one loaded model each, arrays in, arrays out."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamdet.errors import ModelError
from streamdet.inference.providers.io_binding import IoBinding
from streamdet.model_spec.signature import TensorInfo

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


class Engine(Protocol):
    """A model loaded by a runtime.

    Every engine must pass the checks of `tests/inference/providers/checks.py`.

    Attributes:
        precision: the precision it computes in, as shown to the user, for instance "bf16".
        notes: what the user should know about how it runs, one clause each.
        inputs: in graph order.
        outputs: in graph order.
    """

    precision: str
    notes: tuple[str, ...]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def run(self, batch: NDArray[Any]) -> list[NDArray[Any]]:
        """Runs the model once, on its first input.

        Returns:
            New arrays that belong to the caller, in the order of `outputs`.

        Raises:
            Exception: any error of the runtime.
        """


class OnnxEngine:
    """An engine of ONNX Runtime, on any of its providers. See `Engine`."""

    def __init__(self, session: Any, precision: str, notes: tuple[str, ...] = (), device: str = "") -> None:
        """Takes a session that runs on the requested provider.

        Args:
            session: an `onnxruntime.InferenceSession`.
            precision: see `Engine`.
            notes: see `Engine`.
            device: keep inputs and outputs in the memory of this device, for instance "cuda:0"; "" leaves copies to the
                runtime.

        Raises:
            ModelError: an input or output has a type that numpy does not have.
        """
        self.precision = precision
        self.notes = notes
        self.inputs = tuple(tensor_info(tensor) for tensor in session.get_inputs())
        self.outputs = tuple(tensor_info(tensor) for tensor in session.get_outputs())
        self._session = session
        self._binding = IoBinding(session, self.inputs[0], self.outputs, device) if device else None

    def run(self, batch: NDArray[Any]) -> list[NDArray[Any]]:
        """Runs the model once. See `Engine`.

        A CPU session does not use a binding, since it saves nothing: runs with fixed buffers, with new buffers and
        without a binding were within 1 % of each other, for outputs of 5 MB as for small ones.
        """
        if self._binding is not None:
            return self._binding.run(batch)
        results: list[NDArray[Any]] = self._session.run(None, {self.inputs[0].name: batch})
        return results


def tensor_info(tensor: Any) -> TensorInfo:
    """Returns name, shape and dtype of a session's input or output. Raises ModelError if numpy lacks the type."""
    if tensor.type not in _DTYPES:
        raise ModelError(f"{tensor.name} has the unsupported type {tensor.type}")
    return TensorInfo(tensor.name, tuple(tensor.shape), np.dtype(_DTYPES[tensor.type]))
