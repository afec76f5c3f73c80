"""An engine of OpenVINO's own runtime, for CPUs that its plug-in does not support and for its .xml format."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdet.inference.providers.openvino_properties import choose_precision, precision_label, properties
from streamdet.inference.providers.options import CheckedModel, ProviderOptions
from streamdet.models.openvino_ir import openvino_tensor_info
from streamdet.openvino_runtime import openvino_core


class OpenVinoEngine:
    """A model compiled by OpenVINO for the CPU. See `Engine`."""

    def __init__(self, model: CheckedModel, options: ProviderOptions) -> None:
        """Compiles a model.

        Raises:
            UsageError: the CPU cannot compute in the requested precision.
            Exception: any error of OpenVINO that the model causes.
        """
        core = openvino_core()
        precision, self.notes = choose_precision(model, options, core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
        graph = core.read_model(model.data, model.binary or b"")
        compiled = core.compile_model(graph, "CPU", properties(model, options, precision))
        self.precision = precision_label(model, precision)
        self.inputs = tuple(openvino_tensor_info(port) for port in compiled.inputs)
        self.outputs = tuple(openvino_tensor_info(port) for port in compiled.outputs)
        self._request = compiled.create_infer_request()

    def run(self, batch: NDArray[Any]) -> list[NDArray[Any]]:
        """Runs the model once. See `Engine`."""
        if batch.dtype != self.inputs[0].dtype:  # OpenVINO would convert it
            raise ValueError(f"Unexpected input data type: got {batch.dtype}, expected {self.inputs[0].dtype}")
        results = self._request.infer([np.ascontiguousarray(batch)], share_inputs=True, share_outputs=False)
        return list(results.values())
