"""Inputs and outputs that stay at fixed addresses of a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdet.inference.providers.onnx_runtime import onnxruntime_module
from streamdet.model_spec.signature import TensorInfo, fixed_size


@dataclass(frozen=True, slots=True)
class _Buffers:
    """What one shape of batch is run with.

    Attributes:
        image: device memory that the batch is copied into.
        results: device memory of the outputs, where all their shapes are known before; else empty.
        binding: ties them to the session.
        run_options: names the recorded graph that belongs to these addresses.
    """

    image: Any
    results: tuple[Any, ...]
    binding: Any
    run_options: Any


class IoBinding:
    """Runs a session from and into fixed device memory: one allocation per shape of batch, one copy each way.

    A GPU needs it for speed, and for graph capture: a recorded graph reads and writes the addresses it was recorded
    with, and one graph is kept for each shape (ONNX Runtime's documentation of the CUDA provider, "Using CUDA Graphs").
    Graphs belong to the thread that runs, and are recorded in its first run of a shape. What the documentation does not
    settle: whether other threads of the process may call CUDA meanwhile, an encoder on the GPU for one.
    The device is a parameter, so that on "cpu:0" the same lines run without any GPU.
    """

    def __init__(self, session: Any, image: TensorInfo, outputs: Sequence[TensorInfo], device: str) -> None:
        """Binds nothing yet: the first batch of a shape does.

        Args:
            session: an `onnxruntime.InferenceSession`.
            image: its input.
            outputs: all of its outputs.
            device: kind and number, as in "cuda:0".
        """
        kind, _, number = device.partition(":")
        self._session = session
        self._image = image
        self._outputs = tuple(outputs)
        self._device = (kind, int(number or 0))
        self._buffers: dict[tuple[int, ...], _Buffers] = {}

    def run(self, batch: NDArray[Any]) -> list[NDArray[Any]]:
        """Runs the session.

        Args:
            batch: in any memory layout; only read, and free to change as soon as this returns.

        Returns:
            The outputs in their order, in memory of their own: the next run writes over the bound buffers.

        Raises:
            Exception: whatever the runtime says, also of a batch that does not fit.
        """
        if batch.dtype != self._image.dtype:  # the copy below would take bytes for what they are not
            raise ValueError(f"Unexpected input data type: got {batch.dtype}, expected {self._image.dtype}")
        if batch.shape not in self._buffers:
            self._buffers[batch.shape] = self._bind(batch.shape)
        buffers = self._buffers[batch.shape]
        buffers.image.update_inplace(batch)
        if not buffers.results:
            # The runtime allocates them, and would want the next run to fit into what it allocated for this one.
            for port in self._outputs:
                buffers.binding.bind_output(port.name, *self._device)
        self._session.run_with_iobinding(buffers.binding, buffers.run_options)
        if not buffers.results:
            return [np.array(result) for result in buffers.binding.copy_outputs_to_cpu()]
        # Of device memory `numpy()` is a copy already, of the host's a view.
        own = self._device[0] != "cpu"
        return [value.numpy() if own else value.numpy().copy() for value in buffers.results]

    def _bind(self, shape: tuple[int, ...]) -> _Buffers:
        ort = onnxruntime_module()
        image = ort.OrtValue.ortvalue_from_shape_and_type(list(shape), self._image.dtype.type, *self._device)
        binding = self._session.io_binding()
        binding.bind_ortvalue_input(self._image.name, image)
        results = []
        if fixed_outputs(self._image, self._outputs):
            for port in self._outputs:
                dimensions = list(_shape(port, self._image, shape))
                value = ort.OrtValue.ortvalue_from_shape_and_type(dimensions, port.dtype.type, *self._device)
                binding.bind_ortvalue_output(port.name, value)
                results.append(value)
        options = ort.RunOptions()
        # Ids are the caller's to choose; 0 is taken. One per shape: another shape has other addresses.
        options.add_run_config_entry("gpu_graph_id", str(len(self._buffers) + 1))
        return _Buffers(image, tuple(results), binding, options)


def fixed_outputs(image: TensorInfo, outputs: Sequence[TensorInfo]) -> bool:
    """Returns whether the shapes of all outputs follow from the shape of the batch.

    They do not where the network has its own NMS, and says only afterwards how much it found.
    """
    example = tuple(fixed_size(dimension) or 1 for dimension in image.shape)
    return all(0 not in _shape(port, image, example) for port in outputs)


def _shape(port: TensorInfo, image: TensorInfo, batch: tuple[int, ...]) -> tuple[int, ...]:
    """Returns an output's shape for a batch, with 0 for what only a run tells.

    >>> image = Port("x", ("n", 3, 8, 8), np.dtype("float32"))
    >>> _shape(Port("y", ("n", 4), np.dtype("float32")), image, (2, 3, 8, 8))
    (2, 4)
    >>> _shape(Port("y", (1, "found"), np.dtype("float32")), image, (2, 3, 8, 8))
    (1, 0)
    """
    named = {name: size for name, size in zip(image.shape, batch, strict=False) if isinstance(name, str)}
    return tuple(fixed_size(dimension) or named.get(str(dimension), 0) for dimension in port.shape)
