"""I/O binding: inputs and outputs at fixed addresses of a device."""

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
    """The buffers of one batch shape.

    Attributes:
        image: device memory that the batch is copied into.
        results: device memory of the outputs if all their shapes are known before a run; else empty.
        binding: binds them to the session.
        run_options: names the recorded graph of these addresses.
    """

    image: Any
    results: tuple[Any, ...]
    binding: Any
    run_options: Any


class IoBinding:
    """Runs a session with fixed device memory: one allocation per batch shape, one copy each way.

    A GPU needs this for speed and for graph capture: a recorded graph reads and writes the addresses it was recorded
    with, and one graph is kept per shape (ONNX Runtime's page on the CUDA provider, "Using CUDA Graphs"). A graph
    belongs to the thread that runs it, and is recorded in the first run of a shape. The documentation does not state
    whether other threads of the process, such as a GPU encoder, may call CUDA meanwhile.
    The device is a parameter, so that the same code runs on "cpu:0" without a GPU.
    """

    def __init__(self, session: Any, image: TensorInfo, outputs: Sequence[TensorInfo], device: str) -> None:
        """Prepares the binding; the first batch of a shape allocates its buffers.

        Args:
            session: an `onnxruntime.InferenceSession`.
            image: its input.
            outputs: all of its outputs.
            device: kind and number, for instance "cuda:0".
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
            batch: any memory layout; only read. The caller may change it afterwards.

        Returns:
            The outputs in order, as copies: the next run overwrites the bound buffers.

        Raises:
            Exception: any error of the runtime, for instance for a batch that does not fit.
        """
        if batch.dtype != self._image.dtype:  # the copy below would misread the bytes
            raise ValueError(f"Unexpected input data type: got {batch.dtype}, expected {self._image.dtype}")
        if batch.shape not in self._buffers:
            self._buffers[batch.shape] = self._bind(batch.shape)
        buffers = self._buffers[batch.shape]
        buffers.image.update_inplace(batch)
        if not buffers.results:
            # The runtime allocates these. Without a new binding, the next outputs would have to fit the same memory.
            for port in self._outputs:
                buffers.binding.bind_output(port.name, *self._device)
        self._session.run_with_iobinding(buffers.binding, buffers.run_options)
        if not buffers.results:
            return [np.array(result) for result in buffers.binding.copy_outputs_to_cpu()]
        # `numpy()` of device memory is a copy, of host memory a view.
        is_copy = self._device[0] != "cpu"
        return [value.numpy() if is_copy else value.numpy().copy() for value in buffers.results]

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
        # The caller chooses the ids; 0 is reserved. One per shape, since another shape has other addresses.
        options.add_run_config_entry("gpu_graph_id", str(len(self._buffers) + 1))
        return _Buffers(image, tuple(results), binding, options)


def fixed_outputs(image: TensorInfo, outputs: Sequence[TensorInfo]) -> bool:
    """Returns whether the shapes of all outputs follow from the shape of the batch.

    They do not if the network includes NMS: the number of detections is known only after a run.
    """
    example = tuple(fixed_size(dimension) or 1 for dimension in image.shape)
    return all(0 not in _shape(port, image, example) for port in outputs)


def _shape(port: TensorInfo, image: TensorInfo, batch: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape of an output for a batch, with 0 for dimensions that only a run determines.

    >>> image = TensorInfo("x", ("n", 3, 8, 8), np.dtype("float32"))
    >>> _shape(TensorInfo("y", ("n", 4), np.dtype("float32")), image, (2, 3, 8, 8))
    (2, 4)
    >>> _shape(TensorInfo("y", (1, "count"), np.dtype("float32")), image, (2, 3, 8, 8))
    (1, 0)
    """
    named = {name: size for name, size in zip(image.shape, batch, strict=False) if isinstance(name, str)}
    return tuple(fixed_size(dimension) or named.get(str(dimension), 0) for dimension in port.shape)
