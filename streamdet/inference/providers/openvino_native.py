"""OpenVINO's own runtime: for processors its plug-in does not take, and for its own .xml format."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdet.inference.providers.openvino_properties import choose_precision, precision_label, properties
from streamdet.inference.providers.options import CheckedModel, ProviderOptions
from streamdet.models.openvino_ir import openvino_tensor_info
from streamdet.openvino_runtime import openvino_core


class OpenVinoEngine:
    """A network compiled by OpenVINO for the processor. See `Engine`."""

    def __init__(self, network: CheckedModel, options: ProviderOptions) -> None:
        """Compiles a network.

        Raises:
            UsageError: the processor cannot compute in the precision asked for.
            Exception: whatever OpenVINO says where the model is at fault.
        """
        core = openvino_core()
        precision, self.notes = choose_precision(
            network, options, core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        )
        model = core.read_model(network.data, network.binary or b"")
        compiled = core.compile_model(model, "CPU", properties(network, options, precision))
        self.precision = precision_label(network, precision)
        self.inputs = tuple(openvino_tensor_info(port) for port in compiled.inputs)
        self.outputs = tuple(openvino_tensor_info(port) for port in compiled.outputs)
        self._request = compiled.create_infer_request()

    def run(self, batch: NDArray[Any]) -> list[NDArray[Any]]:
        """Runs the network once. See `Engine`."""
        if batch.dtype != self.inputs[0].dtype:  # OpenVINO would convert it
            raise ValueError(f"Unexpected input data type: got {batch.dtype}, expected {self.inputs[0].dtype}")
        results = self._request.infer([np.ascontiguousarray(batch)], share_inputs=True, share_outputs=False)
        return list(results.values())
