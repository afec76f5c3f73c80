"""Options of all providers, and the checked model that they run."""

from __future__ import annotations

from dataclasses import dataclass

from streamdet.errors import UsageError
from streamdet.inference.providers.names import Precision, Provider
from streamdet.model_spec.signature import Tensor

_SUPPORTED = {
    Provider.CPU: (Precision.FP32, Precision.INT8),
    # No INT8: its convolutions are floating point; a quantized network is computed in fp32 between conversions.
    Provider.CUDA: (Precision.FP32, Precision.FP16),
    Provider.TENSORRT: (Precision.FP32, Precision.FP16, Precision.BF16, Precision.INT8),
    Provider.OPENVINO: (Precision.FP32, Precision.FP16, Precision.BF16, Precision.INT8),
}


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """A checked model, and what providers need to know about it.

    Attributes:
        data: content of an ONNX file or an OpenVINO .xml file.
        name: name in messages.
        inputs: inputs as the file declares them.
        weights: precision of the stored weights: FP32, FP16, or INT8 if quantized.
        binary: weights of an OpenVINO .xml; None for ONNX.
        signed: all quantized values are signed bytes with a zero point of 0.
    """

    data: bytes
    name: str
    inputs: tuple[Tensor, ...]
    weights: Precision = Precision.FP32
    binary: bytes | None = None
    signed: bool = True


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """Options of all providers; each uses those that apply to it.

    Attributes:
        precision: precision to compute in.
        threads: CPU threads of inference.
        device_id: number of the GPU.
        max_batch: maximum batch size; TensorRT builds its engine for batches up to it.
        cuda_graph: replay all kernels of a batch as one recorded CUDA graph, if the network allows it.
    """

    precision: Precision = Precision.AUTO
    threads: int = 1
    device_id: int = 0
    max_batch: int = 8
    cuda_graph: bool = False

    def check(self, provider: Provider, model: CheckedModel) -> None:
        """Checks that `provider` can compute with the weights and in the requested precision.

        Raises:
            UsageError: it cannot; the message states the alternatives.
        """
        if provider is Provider.TENSORRT and not model.signed:
            # "Only symmetric quantization is supported", int8 with zero points of 0 (TensorRT, page of IQuantizeLayer);
            # its parser refuses a bias in int32 as well (onnx-tensorrt, issue 850).
            raise UsageError(
                f"{model.name} is quantized for CPUs; tensorrt takes only signed bytes with a zero point of 0, "
                "and biases in float: give it the float model, with --precision fp16"
            )
        requested = self.precision
        if requested is Precision.AUTO:
            return
        if requested not in _SUPPORTED[provider]:
            supported = ", ".join(["auto", *(precision.value for precision in _SUPPORTED[provider])])
            raise UsageError(
                f"the {provider.short} provider cannot compute in {requested.value} (it can do {supported}); "
                "leave the precision on auto, or choose another provider"
            )
        if requested is Precision.INT8 and model.weights is not Precision.INT8:
            raise UsageError(
                f"{model.name} is not quantized, so it cannot run in int8: quantize it with "
                "`streamdet models convert --precision int8`, or leave the precision on auto"
            )
        if provider is Provider.CUDA and requested is Precision.FP16 and model.weights is not Precision.FP16:
            raise UsageError(
                f"{model.name} has {model.weights.value} weights, and the cuda provider computes in their precision: "
                "convert it with `streamdet models convert --precision fp16`, or use --provider tensorrt"
            )
