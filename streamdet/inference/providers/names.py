"""The words: what a model can run on, in what arithmetic, and the error for hardware that is not there."""

from __future__ import annotations

from enum import Enum

from streamdet.errors import HardwareError, UsageError


class Provider(Enum):
    """What can be asked for; the value is ONNX Runtime's name of it."""

    TENSORRT = "TensorrtExecutionProvider"
    CUDA = "CUDAExecutionProvider"
    OPENVINO = "OpenVINOExecutionProvider"
    CPU = "CPUExecutionProvider"

    @property
    def short(self) -> str:
        """The name people type."""
        return self.name.lower()


class Precision(Enum):
    """Arithmetic to run in. AUTO is the provider's own choice; INT8 only checks that the model is quantised."""

    AUTO = "auto"
    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"


AUTO_ORDER = (Provider.CUDA, Provider.OPENVINO, Provider.CPU)
"""What ``auto`` tries. TensorRT only comes when asked for: it spends minutes on building an engine first."""

INSTALL_CUDA = 'pip install "onnxruntime-gpu[cuda,cudnn]"'
"""Gets the CUDA libraries that this ONNX Runtime was built for."""

_HINTS = {
    Provider.CUDA: f"install the CUDA libraries with: {INSTALL_CUDA} (and an NVIDIA driver)",
    Provider.TENSORRT: f"install TensorRT 10 and {INSTALL_CUDA} (and an NVIDIA driver)",
    Provider.OPENVINO: "install it with: pip install openvino",
    Provider.CPU: "reinstall onnxruntime",
}


class ProviderMissing(HardwareError):
    """A provider is not there.

    Attributes:
        reason: why, without what to do about it.
        hint: what to do about it.
    """

    def __init__(self, provider: Provider, reason: str) -> None:
        super().__init__(f"{provider.short} is not available: {reason}; {_HINTS[provider]}, or use --provider auto")
        self.reason = reason
        self.hint = _HINTS[provider]


def parse_provider(name: str) -> Provider | None:
    """Returns the provider of that name, None for ``auto``.

    Raises:
        UsageError: there is no such name.
    """
    if name == "auto":
        return None
    try:
        return Provider[name.upper()]
    except KeyError:
        known = ", ".join(["auto", *(provider.short for provider in Provider)])
        meant = "; for an NVIDIA GPU that is cuda" if name.isdecimal() or name.startswith(("cuda:", "gpu")) else ""
        raise UsageError(f"unknown provider {name!r}; choose one of {known}{meant}") from None


def parse_precision(name: str) -> Precision:
    """Returns the precision of that name.

    Raises:
        UsageError: there is no such name.
    """
    try:
        return Precision(name)
    except ValueError:
        known = ", ".join(precision.value for precision in Precision)
        raise UsageError(f"unknown precision {name!r}; choose one of {known}") from None
