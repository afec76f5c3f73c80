"""What every provider is told, and what it has to know about the network."""

from __future__ import annotations

from dataclasses import dataclass

from streamdet.errors import UsageError
from streamdet.inference.providers.names import Precision, Provider
from streamdet.model_spec.signature import Tensor

_CAN = {
    Provider.CPU: (Precision.FP32, Precision.INT8),
    # No INT8: its convolutions are floating point, a quantised network is computed in fp32 between conversions.
    Provider.CUDA: (Precision.FP32, Precision.FP16),
    Provider.TENSORRT: (Precision.FP32, Precision.FP16, Precision.BF16, Precision.INT8),
    Provider.OPENVINO: (Precision.FP32, Precision.FP16, Precision.BF16, Precision.INT8),
}


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """A checked model, and what choosing options for it takes.

    Attributes:
        data: the ONNX file's content, or an OpenVINO .xml's.
        name: for messages.
        inputs: as the file declares them.
        weights: what its weights are stored in: FP32, FP16, or INT8 where it is quantised.
        binary: the weights of an OpenVINO .xml; None for ONNX.
        signed: all its bytes are signed, with zero in the middle.
    """

    data: bytes
    name: str
    inputs: tuple[Tensor, ...]
    weights: Precision = Precision.FP32
    binary: bytes | None = None
    signed: bool = True


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """What every provider is told; each takes what it has a use for.

    Attributes:
        precision: arithmetic to run in.
        threads: for inference on the CPU.
        device_id: number of the GPU.
        max_batch: the most pictures that will go together; TensorRT builds its engine for batches up to it.
        cuda_graph: replay all kernels of a batch as one recorded graph, where the network allows it.
    """

    precision: Precision = Precision.AUTO
    threads: int = 1
    device_id: int = 0
    max_batch: int = 8
    cuda_graph: bool = False

    def check(self, provider: Provider, network: CheckedModel) -> None:
        """Refuses weights that `provider` cannot compute with, and a precision that it cannot compute in.

        Raises:
            UsageError: says what can be done instead.
        """
        if provider is Provider.TENSORRT and not network.signed:
            # "Only symmetric quantization is supported", int8 with zero points of 0 (TensorRT, page of IQuantizeLayer);
            # its parser refuses a bias in int32 as well (onnx-tensorrt, issue 850).
            raise UsageError(
                f"{network.name} is quantised for processors, tensorrt takes only signed bytes with zero in the "
                "middle, and biases in float: give it the float model, with --precision fp16"
            )
        wanted = self.precision
        if wanted is Precision.AUTO:
            return
        if wanted not in _CAN[provider]:
            can = ", ".join(["auto", *(precision.value for precision in _CAN[provider])])
            raise UsageError(
                f"the {provider.short} provider cannot compute in {wanted.value} (it can do {can}); "
                "leave the precision on auto, or choose another provider"
            )
        if wanted is Precision.INT8 and network.weights is not Precision.INT8:
            raise UsageError(
                f"{network.name} is not quantised, so it cannot run in int8: make one that is with "
                "`streamdet models convert --precision int8`, or leave the precision on auto"
            )
        if provider is Provider.CUDA and wanted is Precision.FP16 and network.weights is not Precision.FP16:
            raise UsageError(
                f"{network.name} has {network.weights.value} weights, and the cuda provider computes in what it is "
                "given: make one in fp16 with `streamdet models convert --precision fp16`, or use --provider tensorrt"
            )
