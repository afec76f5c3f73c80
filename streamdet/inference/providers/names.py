"""Names of providers and precisions, and the error for a provider that is not available."""

from __future__ import annotations

from enum import Enum

from streamdet.errors import HardwareError, UsageError


class Provider(Enum):
    """The execution providers; the value is the name in ONNX Runtime."""

    TENSORRT = "TensorrtExecutionProvider"
    CUDA = "CUDAExecutionProvider"
    OPENVINO = "OpenVINOExecutionProvider"
    CPU = "CPUExecutionProvider"

    @property
    def short(self) -> str:
        """The name on the command line."""
        return self.name.lower()


class Precision(Enum):
    """Precision of the arithmetic. AUTO lets the provider choose; INT8 only checks that the model is quantized."""

    AUTO = "auto"
    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"


AUTO_ORDER = (Provider.CUDA, Provider.OPENVINO, Provider.CPU)
"""The providers that ``auto`` tries. TensorRT must be requested: it builds an engine for minutes first."""

INSTALL_CUDA = 'pip install "onnxruntime-gpu[cuda,cudnn]"'
"""Installs the CUDA libraries that this ONNX Runtime was built for."""

_HINTS = {
    Provider.CUDA: f"install the CUDA libraries with: {INSTALL_CUDA} (and an NVIDIA driver)",
    Provider.TENSORRT: f"install TensorRT 10 and {INSTALL_CUDA} (and an NVIDIA driver)",
    Provider.OPENVINO: "install it with: pip install openvino",
    Provider.CPU: "reinstall onnxruntime",
}


class ProviderMissing(HardwareError):
    """A provider is not available.

    Attributes:
        reason: why, without the fix.
        hint: the fix.
    """

    def __init__(self, provider: Provider, reason: str) -> None:
        super().__init__(f"{provider.short} is not available: {reason}; {_HINTS[provider]}, or use --provider auto")
        self.reason = reason
        self.hint = _HINTS[provider]


def parse_provider(name: str) -> Provider | None:
    """Returns the provider of that name, None for ``auto``.

    Raises:
        UsageError: the name is unknown.
    """
    if name == "auto":
        return None
    try:
        return Provider[name.upper()]
    except KeyError:
        known = ", ".join(["auto", *(provider.short for provider in Provider)])
        suggestion = "; for an NVIDIA GPU that is cuda" if name.isdecimal() or name.startswith(("cuda:", "gpu")) else ""
        raise UsageError(f"unknown provider {name!r}; choose one of {known}{suggestion}") from None


def parse_precision(name: str) -> Precision:
    """Returns the precision of that name.

    Raises:
        UsageError: the name is unknown.
    """
    try:
        return Precision(name)
    except ValueError:
        known = ", ".join(precision.value for precision in Precision)
        raise UsageError(f"unknown precision {name!r}; choose one of {known}") from None
