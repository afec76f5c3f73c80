"""The hardware a model can run on: how each is asked for, and why it is not there when it is not."""

from __future__ import annotations

import ctypes
import functools
import json
import math
import os
import sys
from dataclasses import dataclass
from enum import Enum
from importlib import util
from pathlib import Path
from typing import Any

from streamdet.cache import private_dir
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
    Provider.OPENVINO: "install the plug-in with: pip install onnxruntime-ep-openvino",
    Provider.CPU: "reinstall onnxruntime",
}
_PRECISIONS = {
    Provider.CPU: {Precision.AUTO, Precision.FP32, Precision.INT8},
    Provider.CUDA: {Precision.AUTO, Precision.FP32, Precision.INT8},
    Provider.TENSORRT: {Precision.AUTO, Precision.FP32, Precision.FP16, Precision.BF16, Precision.INT8},
    Provider.OPENVINO: {Precision.AUTO, Precision.FP32, Precision.FP16, Precision.BF16, Precision.INT8},
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


@functools.cache
def runtime() -> Any:
    """Returns the `onnxruntime` module, silenced: what it logs as an error is raised as an exception here anyway."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)  # fatal only
    return onnxruntime


def available_cpus(quota_file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Returns how many processors this process may keep busy: a container's share can be less than it sees.

    Args:
        quota_file: microseconds of processor time per period, as Linux' control groups state it.
    """
    cpus = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
        return max(1, min(cpus, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max": no limit
        return cpus


def default_threads() -> int:
    """Returns how many threads inference gets: all processors but the one that decodes, draws and encodes."""
    return max(1, available_cpus() - 1)


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


@dataclass(frozen=True, slots=True)
class Options:
    """What every provider is told.

    Attributes:
        precision: arithmetic to run in.
        threads: for inference on the CPU.
        device_id: number of the GPU.
    """

    precision: Precision = Precision.AUTO
    threads: int = 1
    device_id: int = 0

    def check(self, provider: Provider) -> None:
        """Raises UsageError where `provider` has no arithmetic of that precision."""
        if self.precision not in _PRECISIONS[provider]:
            can = ", ".join(p.value for p in Precision if p in _PRECISIONS[provider])
            raise UsageError(
                f"the {provider.short} provider cannot compute in {self.precision.value} (it can do {can}); "
                "leave the precision on auto, or choose another provider"
            )

    def cuda(self) -> dict[str, str]:
        """Returns the options of the CUDA provider.

        HEURISTIC picks convolution algorithms in about 2 ms; the default tries them all, 0.6 to 1.4 s for every new
        shape, and ends at the same speed. kSameAsRequested keeps the memory arena from doubling.
        """
        return {
            "device_id": str(self.device_id),
            "cudnn_conv_algo_search": "HEURISTIC",
            "arena_extend_strategy": "kSameAsRequested",
            "use_tf32": "0" if self.precision is Precision.FP32 else "1",
        }

    def tensorrt(self) -> dict[str, str]:
        """Returns the options of the TensorRT provider; engines are kept, since building one takes minutes."""
        options = {
            "device_id": str(self.device_id),
            "trt_fp16_enable": str(int(self.precision is Precision.FP16)),
            "trt_bf16_enable": str(int(self.precision is Precision.BF16)),
        }
        if (cache := private_dir("tensorrt")) is not None:
            options |= {
                "trt_engine_cache_enable": "1",
                "trt_engine_cache_path": str(cache),
                "trt_timing_cache_enable": "1",
                "trt_timing_cache_path": str(cache),
            }
        return options

    def openvino(self) -> dict[str, str]:
        """Returns the options of the OpenVINO plug-in, which takes everything through one JSON text."""
        hints: dict[str, str | int] = {"INFERENCE_NUM_THREADS": self.threads}
        names = {Precision.FP32: "f32", Precision.FP16: "f16", Precision.BF16: "bf16"}
        if self.precision in names:
            hints["INFERENCE_PRECISION_HINT"] = names[self.precision]
        return {"load_config": json.dumps({"CPU": hints})}


def create(data: bytes, provider: Provider, options: Options) -> Any:
    """Returns an `onnxruntime.InferenceSession` that really runs on `provider`.

    Args:
        data: a checked model.
        provider: what it must run on.
        options: how.

    Raises:
        ProviderMissing: it cannot; the message names what is missing and how to get it.
        UsageError: the provider cannot compute in that precision.
        Exception: whatever the runtime says where the model is at fault.
    """
    options.check(provider)
    ort = runtime()
    so = ort.SessionOptions()
    so.log_severity_level = 4
    so.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    so.intra_op_num_threads = options.threads
    so.inter_op_num_threads = 1
    for pool in ("intra_op", "inter_op"):  # threads that wait by spinning would take the decoder's processors
        so.add_session_config_entry(f"session.{pool}.allow_spinning", "0")
    chain: list[Any] = []
    if provider is Provider.OPENVINO:
        so.add_provider_for_devices([_openvino_device()], options.openvino())
    else:
        if provider.value not in ort.get_available_providers():
            raise ProviderMissing(provider, _why_not_built_in())
        if provider is not Provider.CPU:
            preload()
        if provider is Provider.TENSORRT:
            chain.append((provider.value, options.tensorrt()))
        if provider in (Provider.TENSORRT, Provider.CUDA):
            chain.append((Provider.CUDA.value, options.cuda()))
        chain.append(Provider.CPU.value)
    try:
        session = ort.InferenceSession(data, so, providers=chain or None, enable_fallback=0)
    except Exception:
        # A broken model fails on the CPU as well: that is told from broken hardware by asking the libraries.
        reason = missing_library(provider)
        if reason is None or provider is Provider.CPU:
            raise
        raise ProviderMissing(provider, reason) from None
    if session.get_providers()[0] != provider.value:
        raise ProviderMissing(provider, missing_library(provider) or "it did not start, without saying why")
    return session


def missing_library(provider: Provider) -> str | None:
    """Returns, in the loader's own words, why the libraries behind `provider` cannot be loaded; None where they can."""
    if provider not in (Provider.CUDA, Provider.TENSORRT):
        return None
    reasons = []
    folder = Path(runtime().__file__).parent / "capi"
    name = "onnxruntime_providers_" + provider.short
    library = folder / (f"{name}.dll" if sys.platform == "win32" else f"lib{name}.so")
    try:
        ctypes.CDLL(str(folder / library.name.replace(name, "onnxruntime_providers_shared")))
        ctypes.CDLL(str(library))
    except OSError as error:
        reasons.append(str(error).replace(f"{folder}{os.sep}", ""))
    if (driver := missing_driver()) is not None:
        reasons.append(driver)
    return ", and ".join(reasons) or None


def missing_driver() -> str | None:
    """Returns why no NVIDIA GPU can be used, None where the driver sees at least one."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return f"there is no NVIDIA driver ({name})"
    count = ctypes.c_int(0)
    if (code := driver.cuInit(0)) or (code := driver.cuDeviceGetCount(ctypes.byref(count))):
        return f"the NVIDIA driver refuses (CUDA error {code})"
    return None if count.value else "the NVIDIA driver sees no GPU"


def cuda_libraries() -> list[str]:
    """Returns the file names of the CUDA and cuDNN libraries that this build of ONNX Runtime needs."""
    major = str(getattr(runtime(), "cuda_version", "") or "").partition(".")[0]
    if not major:
        return []
    cufft = int(major) - 1  # cuFFT counts one behind CUDA: 11 goes with CUDA 12
    if sys.platform == "win32":
        parts = [f"cublasLt64_{major}", f"cublas64_{major}", f"cudart64_{major}", f"cufft64_{cufft}", "cudnn64_9"]
        return [f"{part}.dll" for part in parts]
    named = [f"cublasLt.so.{major}", f"cublas.so.{major}", f"cudart.so.{major}", f"cufft.so.{cufft}"]
    return [f"lib{name}" for name in [*named, "curand.so.10", "cudnn.so.9"]]


def preload() -> None:
    """Loads the CUDA and cuDNN libraries of the nvidia-* packages, where they are installed."""
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it cannot load; missing_library says it better
        runtime().preload_dlls()


def _why_not_built_in() -> str:
    return f"onnxruntime {runtime().__version__} as installed here is built without it"


def _openvino_device() -> Any:
    """Returns the CPU as the OpenVINO plug-in offers it."""
    for device in openvino_devices():
        if device.device.type.name == "CPU":
            return device
    raise ProviderMissing(Provider.OPENVINO, "the plug-in offers no device")


def openvino_devices() -> list[Any]:
    """Returns the devices of the OpenVINO plug-in, loading it on first use.

    Raises:
        ProviderMissing: the plug-in is not installed or cannot be loaded.
    """
    if util.find_spec("onnxruntime_ep_openvino") is None:
        raise ProviderMissing(Provider.OPENVINO, "the package onnxruntime-ep-openvino is not installed")
    _register_openvino()
    return [device for device in runtime().get_ep_devices() if device.ep_name == Provider.OPENVINO.value]


@functools.cache
def _register_openvino() -> None:
    import onnxruntime_ep_openvino

    try:
        path = onnxruntime_ep_openvino.get_library_path()
        runtime().register_execution_provider_library(Provider.OPENVINO.value, path)
    except Exception as error:
        raise ProviderMissing(Provider.OPENVINO, " ".join(str(error).split())) from None
