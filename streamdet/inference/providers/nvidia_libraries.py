"""NVIDIA's driver and libraries: whether they are here, and what is missing."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import io
import sys

from streamdet.inference.providers.names import Provider, ProviderMissing
from streamdet.inference.providers.onnx_runtime import onnxruntime_module


def load_libraries(provider: Provider) -> None:
    """Loads what `provider` stands on.

    Raises:
        ProviderMissing: the installed ONNX Runtime has no such provider, or a library or the driver is missing.
    """
    if provider.value not in onnxruntime_module().get_available_providers():
        raise ProviderMissing(
            provider, f"onnxruntime {onnxruntime_module().__version__} as installed here is built without it"
        )
    preload_libraries()
    if (reason := missing_library(provider)) is not None:
        raise ProviderMissing(provider, reason)


def missing_library(provider: Provider) -> str | None:
    """Returns, in the loader's own words, why the libraries behind `provider` cannot be loaded; None where they can.

    They are asked for by name. The provider's own library cannot be loaded to see: one that is loaded before ONNX
    Runtime does it has no way back to it. And cuDNN would not be missed: ONNX Runtime 1.31 opens a session without it,
    and fails at the first convolution.
    """
    reasons = []
    try:
        for name in _libraries(provider):
            ctypes.CDLL(name)
    except OSError as error:
        reasons.append(str(error))
    if (driver := missing_driver()) is not None:
        reasons.append(driver)
    return ", and ".join(reasons) or None


def _libraries(provider: Provider) -> list[str]:
    """Returns the file names of what an NVIDIA provider of this ONNX Runtime is linked to, and of cuDNN."""
    major = str(getattr(onnxruntime_module(), "cuda_version", "")).partition(".")[0]
    tensorrt = ["nvinfer", "nvonnxparser"] if provider is Provider.TENSORRT else []
    if sys.platform == "win32":
        cuda = [f"cublasLt64_{major}", f"cublas64_{major}", f"cudart64_{major}", "cudnn64_9"]
        return [f"{name}.dll" for name in [*cuda, *(f"{name}_10" for name in tensorrt)]]
    cuda = [f"cublasLt.so.{major}", f"cublas.so.{major}", f"cudart.so.{major}", "curand.so.10", "cudnn.so.9"]
    return [f"lib{name}" for name in [*cuda, *(f"{name}.so.10" for name in tensorrt)]]


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


def tensorrt_version() -> int:
    """Returns the version of the TensorRT that is here as one number, as its own function counts; 0 without it."""
    try:
        version: int = ctypes.CDLL(
            "nvinfer_10.dll" if sys.platform == "win32" else "libnvinfer.so.10"
        ).getInferLibVersion()
    except (OSError, AttributeError):
        return 0
    return version


def preload_libraries() -> None:
    """Loads the libraries of the nvidia-* packages and of TensorRT's, where they are installed: no loader looks there.

    ONNX Runtime itself does so for CUDA and cuDNN; TensorRT's package loads its own when it is imported.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it cannot load; missing_library says it better
        onnxruntime_module().preload_dlls()
    with contextlib.suppress(ImportError, OSError):
        importlib.import_module("tensorrt_libs")
