"""The NVIDIA GPU, its driver, and the CUDA libraries that ONNX Runtime loads."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamdet.doctor.check_result import CheckResult, Status
from streamdet.doctor.cuda_libraries import INSTALL_CUDA, check_libraries

_NAME = "nvidia gpu"

# CUDA major version -> oldest driver, oldest compute capability (CUDA compatibility guide, toolkit release notes).
_OLDEST_DRIVER = {12: "525", 13: "580"}
_OLDEST_CAPABILITY = {12: (5, 0), 13: (7, 5)}

# Numbers of CUresult and CUdevice_attribute in cuda.h.
_NO_DEVICE = 100
_REASONS = {
    34: ("libcuda.so.1 is the linker's stub, not the driver", "remove .../stubs from LD_LIBRARY_PATH"),
    _NO_DEVICE: (
        "the driver sees no GPU",
        "check that CUDA_VISIBLE_DEVICES does not hide it, and that it is connected",
    ),
    802: ("the system is not ready", "start nvidia-fabricmanager"),
    803: ("the libraries and the kernel module of the driver have different versions", "restart the machine"),
    804: ("the CUDA compatibility package does not support this GPU", "update the NVIDIA driver, remove cuda-compat"),
    999: ("unknown error", "restart the machine; after a suspend: sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm"),
}
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76

_PCI_VENDOR = "0x10de"
_PCI_DISPLAY = "0x03"


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU as the driver describes it; the memory is in bytes."""

    name: str
    capability: tuple[int, int]
    memory: int

    def __str__(self) -> str:
        capability = ".".join(map(str, self.capability))
        return f"{self.name}, {self.memory / 2**30:.0f} GiB, compute capability {capability}"


@dataclass(frozen=True, slots=True)
class Driver:
    """The driver; `cuda` is the newest CUDA version it supports, as (major, minor)."""

    cuda: tuple[int, int]
    gpus: tuple[Gpu, ...]


class DriverError(Exception):
    """The driver returned an error; the argument is its number."""


def probe(_: str = "") -> Iterator[CheckResult]:
    """Checks the GPU, the driver, and if both are present, the libraries."""
    try:
        driver = read_driver(_load())
    except OSError:
        yield _no_driver()
        return
    except DriverError as error:
        yield _driver_error(error.args[0])
        return
    built_for = runtime_cuda_version()
    if (old := _too_old(driver, built_for)) is not None:
        yield old
        return
    for gpu in driver.gpus:
        yield _gpu(gpu, driver, built_for)
    if built_for is None:
        fix = f"pip uninstall -y onnxruntime && {INSTALL_CUDA}"
        yield CheckResult("cuda libraries", Status.WARN, "the onnxruntime installed here is built without CUDA", fix)
    else:
        yield from check_libraries(built_for)


def runtime_cuda_version() -> tuple[int, int] | None:
    """Returns the CUDA version of the installed ONNX Runtime; None if it is built without CUDA or cannot start."""
    from streamdet.inference.providers import onnxruntime_module

    try:
        major, minor = str(getattr(onnxruntime_module(), "cuda_version", "")).split(".")[:2]
        return int(major), int(minor)
    except (ImportError, ValueError):  # broken, which another probe reports; "" for no CUDA
        return None


def read_driver(library: Any) -> Driver:
    """Returns version and GPUs from the driver; `library` is the loaded libcuda.

    Raises:
        DriverError: the driver returned an error.
    """
    version, count = ctypes.c_int(0), ctypes.c_int(0)
    if code := library.cuInit(0) or library.cuDriverGetVersion(ctypes.byref(version)):
        raise DriverError(code)
    if code := library.cuDeviceGetCount(ctypes.byref(count)):
        raise DriverError(code)
    if not count.value:
        raise DriverError(_NO_DEVICE)
    gpus = tuple(_read_gpu(library, number) for number in range(count.value))
    return Driver((version.value // 1000, version.value % 1000 // 10), gpus)


def _read_gpu(library: Any, number: int) -> Gpu:
    device, name, memory = ctypes.c_int(0), ctypes.create_string_buffer(128), ctypes.c_size_t(0)
    major, minor = ctypes.c_int(0), ctypes.c_int(0)
    library.cuDeviceGet(ctypes.byref(device), number)
    library.cuDeviceGetName(name, len(name), device)
    library.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    library.cuDeviceGetAttribute(ctypes.byref(major), _CAPABILITY_MAJOR, device)
    library.cuDeviceGetAttribute(ctypes.byref(minor), _CAPABILITY_MINOR, device)
    return Gpu(name.value.decode(errors="replace"), (major.value, minor.value), memory.value)


def _load() -> Any:
    return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


def _no_driver() -> CheckResult:
    installed = count_pci_gpus()
    if not installed:
        return CheckResult(_NAME, Status.ABSENT, "no NVIDIA GPU")
    built_for = runtime_cuda_version()
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        fix = "start the container with the GPU: docker run --gpus all (needs nvidia-container-toolkit)"
    else:
        oldest = _OLDEST_DRIVER.get(built_for[0]) if built_for else None
        fix = "install NVIDIA's driver" + (f", {oldest} or newer" if oldest else "")
    return CheckResult(
        _NAME, Status.WARN, f"{installed} connected, but the driver (libcuda.so.1) is not installed", fix
    )


def count_pci_gpus(devices: Path = Path("/sys/bus/pci/devices")) -> int:
    """Returns the number of NVIDIA GPUs on the PCI bus, with or without a driver."""
    count = 0
    for device in devices.glob("*"):
        try:
            vendor, kind = (device / "vendor").read_text(), (device / "class").read_text()
        except OSError:
            continue
        count += vendor.strip() == _PCI_VENDOR and kind.startswith(_PCI_DISPLAY)
    return count


def _driver_error(code: int) -> CheckResult:
    reason, fix = _REASONS.get(code, ("", "restart the machine, then update the NVIDIA driver"))
    detail = f"the NVIDIA driver fails: {reason} (CUDA error {code})".replace(":  (", " (")
    if code == _NO_DEVICE and not count_pci_gpus() and "CUDA_VISIBLE_DEVICES" not in os.environ:
        return CheckResult(_NAME, Status.ABSENT, "a driver is installed, but no GPU")
    return CheckResult(_NAME, Status.WARN, detail, fix)


def _too_old(driver: Driver, built_for: tuple[int, int] | None) -> CheckResult | None:
    """A driver of the same major version is new enough: CUDA is compatible within a major version."""
    if built_for is None or driver.cuda[0] >= built_for[0]:
        return None
    supported, needed = (".".join(map(str, version)) for version in (driver.cuda, built_for))
    names = ", ".join(gpu.name for gpu in driver.gpus)
    detail = f"{names}: the driver is too old; it supports CUDA {supported}, onnxruntime-gpu needs {needed}"
    oldest = _OLDEST_DRIVER.get(built_for[0])
    return CheckResult(
        _NAME, Status.WARN, detail, "update the NVIDIA driver" + (f" to {oldest} or newer" if oldest else "")
    )


def _gpu(gpu: Gpu, driver: Driver, built_for: tuple[int, int] | None) -> CheckResult:
    oldest = _OLDEST_CAPABILITY.get(built_for[0], (0, 0)) if built_for else (0, 0)
    if built_for and gpu.capability < oldest:
        needed = ".".join(map(str, oldest))
        detail = f"{gpu}: too old for CUDA {built_for[0]}, which needs {needed}"
        return CheckResult(_NAME, Status.WARN, detail, "use a newer GPU; this one cannot be used")
    return CheckResult(_NAME, Status.OK, f"{gpu}; driver for CUDA {'.'.join(map(str, driver.cuda))}")
