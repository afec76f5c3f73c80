"""NVIDIA's driver and libraries: loading them, and reporting what is missing."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import io
import sys

from streamdet.inference.providers.names import Provider, ProviderMissing
from streamdet.inference.providers.onnx_runtime import onnxruntime_module


def load_libraries(provider: Provider) -> None:
    """Loads the libraries that `provider` depends on.

    Raises:
        ProviderMissing: the installed ONNX Runtime lacks the provider, or a library or the driver is missing.
    """
    if provider.value not in onnxruntime_module().get_available_providers():
        raise ProviderMissing(
            provider, f"onnxruntime {onnxruntime_module().__version__} as installed is built without it"
        )
    preload_libraries()
    if (reason := missing_library(provider)) is not None:
        raise ProviderMissing(provider, reason)


def missing_library(provider: Provider) -> str | None:
    """Returns the loader's message if a library that `provider` depends on cannot be loaded, else None.

    The libraries are loaded by name. Loading the provider's own library is no test: if it is loaded before ONNX Runtime
    loads it, it cannot call back into ONNX Runtime. And it would not reveal a missing cuDNN: ONNX Runtime 1.31 opens a
    session without it, and fails at the first convolution.
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
    """Returns the file names of the libraries that an NVIDIA provider is linked to, and of cuDNN."""
    major = str(getattr(onnxruntime_module(), "cuda_version", "")).partition(".")[0]
    tensorrt = ["nvinfer", "nvonnxparser"] if provider is Provider.TENSORRT else []
    if sys.platform == "win32":
        cuda = [f"cublasLt64_{major}", f"cublas64_{major}", f"cudart64_{major}", "cudnn64_9"]
        return [f"{name}.dll" for name in [*cuda, *(f"{name}_10" for name in tensorrt)]]
    cuda = [f"cublasLt.so.{major}", f"cublas.so.{major}", f"cudart.so.{major}", "curand.so.10", "cudnn.so.9"]
    return [f"lib{name}" for name in [*cuda, *(f"{name}.so.10" for name in tensorrt)]]


def missing_driver() -> str | None:
    """Returns why no NVIDIA GPU can be used, None if the driver sees at least one."""
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
    """Returns the installed TensorRT version as the number its own function returns; 0 without TensorRT."""
    try:
        version: int = ctypes.CDLL(
            "nvinfer_10.dll" if sys.platform == "win32" else "libnvinfer.so.10"
        ).getInferLibVersion()
    except (OSError, AttributeError):
        return 0
    return version


def preload_libraries() -> None:
    """Loads the libraries of the installed nvidia-* and TensorRT packages, which the loader does not search.

    ONNX Runtime does this for CUDA and cuDNN; the TensorRT package loads its own libraries when it is imported.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it cannot load; missing_library reports it better
        onnxruntime_module().preload_dlls()
    with contextlib.suppress(ImportError, OSError):
        importlib.import_module("tensorrt_libs")
