"""What a session runs on: one loaded network, arrays in, arrays out."""

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
    """A network loaded by some runtime.

    Attributes:
        precision: what it computes in, for people: "bf16".
        notes: what a user should know about how it runs, a clause each.
        inputs: in the graph's order.
        outputs: in the graph's order.
    """

    precision: str
    notes: tuple[str, ...]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def run(self, batch: NDArray[Any]) -> list[NDArray[Any]]:
        """Runs the network once, on its first input.

        Returns:
            New arrays that belong to the caller, in the order of `outputs`.

        Raises:
            Exception: whatever the runtime says.
        """


class OnnxEngine:
    """ONNX Runtime, on any of its providers. See `Engine`."""

    def __init__(self, session: Any, precision: str, notes: tuple[str, ...] = (), device: str = "") -> None:
        """Takes a session that was found to run where it should.

        Args:
            session: an `onnxruntime.InferenceSession`.
            precision: see `Engine`.
            notes: see `Engine`.
            device: keep inputs and outputs in this memory, as in "cuda:0"; "" leaves copies to the runtime.

        Raises:
            ModelError: an input or output is of a type that numpy does not have.
        """
        self.precision = precision
        self.notes = notes
        self.inputs = tuple(tensor_info(tensor) for tensor in session.get_inputs())
        self.outputs = tuple(tensor_info(tensor) for tensor in session.get_outputs())
        self._session = session
        self._binding = IoBinding(session, self.inputs[0], self.outputs, device) if device else None

    def run(self, batch: NDArray[Any]) -> list[NDArray[Any]]:
        """Runs the network once. See `Engine`.

        On a processor a binding saves nothing: runs with fixed buffers, fresh buffers and none came within 1 % of each
        other, for outputs of 5 MB as for small ones. There the runtime's own way is taken.
        """
        if self._binding is not None:
            return self._binding.run(batch)
        results: list[NDArray[Any]] = self._session.run(None, {self.inputs[0].name: batch})
        return results


def tensor_info(tensor: Any) -> TensorInfo:
    """Returns one of a session's inputs or outputs. Raises ModelError where numpy has no such type."""
    if tensor.type not in _DTYPES:
        raise ModelError(f"{tensor.name} is a {tensor.type}, which is not supported")
    return TensorInfo(tensor.name, tuple(tensor.shape), np.dtype(_DTYPES[tensor.type]))
