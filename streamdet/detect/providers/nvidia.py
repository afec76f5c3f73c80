"""NVIDIA's driver and libraries: whether they are here, and what is missing."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import sys
from pathlib import Path

from streamdet.detect.providers.names import Provider
from streamdet.detect.providers.runtime import runtime


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
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it cannot load; missing_library says it better
        runtime().preload_dlls()
