"""NVIDIA's driver and libraries: whether they are here, and what is missing."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import io
import os
import sys
from pathlib import Path

from streamdet.detect.providers.names import Provider, ProviderMissing
from streamdet.detect.providers.runtime import runtime


def load_libraries(provider: Provider) -> None:
    """Loads what `provider` stands on.

    Raises:
        ProviderMissing: the installed ONNX Runtime has no such provider, or a library or the driver is missing.
    """
    if provider.value not in runtime().get_available_providers():
        raise ProviderMissing(provider, f"onnxruntime {runtime().__version__} as installed here is built without it")
    preload()
    if (reason := missing_library(provider)) is not None:
        raise ProviderMissing(provider, reason)


def missing_library(provider: Provider) -> str | None:
    """Returns, in the loader's own words, why the libraries behind `provider` cannot be loaded; None where they can.

    cuDNN is asked for by name: ONNX Runtime 1.31 opens a session without it, and fails at the first convolution.
    """
    windows = sys.platform == "win32"
    folder = Path(runtime().__file__).parent / "capi"
    own = [f"onnxruntime_providers_{part}" for part in ("shared", provider.short)]
    libraries = [folder / (f"{name}.dll" if windows else f"lib{name}.so") for name in own]
    reasons = []
    try:
        for library in (*libraries, "cudnn64_9.dll" if windows else "libcudnn.so.9"):
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


def tensorrt_version() -> int:
    """Returns the version of the TensorRT that is here as one number, as its own function counts; 0 without it."""
    try:
        version: int = ctypes.CDLL(
            "nvinfer_10.dll" if sys.platform == "win32" else "libnvinfer.so.10"
        ).getInferLibVersion()
    except (OSError, AttributeError):
        return 0
    return version


def preload() -> None:
    """Loads the libraries of the nvidia-* packages and of TensorRT's, where they are installed: no loader looks there.

    ONNX Runtime itself does so for CUDA and cuDNN; TensorRT's package loads its own when it is imported.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it cannot load; missing_library says it better
        runtime().preload_dlls()
    with contextlib.suppress(ImportError, OSError):
        importlib.import_module("tensorrt_libs")
