"""The CUDA and cuDNN libraries that ONNX Runtime loads: which are missing, and which package contains them."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from streamdet.doctor.check_result import CheckResult, Status, abbreviate_home

INSTALL_CUDA = 'pip install "onnxruntime-gpu[cuda,cudnn]"'
"""Installs all of them. Both extras are needed: only the cuDNN extra includes cuBLAS."""

_SYSTEM_FOLDERS = ("usr/local/cuda*/lib*", "usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64")

# Since CUDA 13 the names of NVIDIA's packages have no version suffix, except cuDNN's.
_SUFFIX_UNTIL = 12


@dataclass(frozen=True, slots=True)
class Library:
    """A library that ONNX Runtime needs.

    Attributes:
        stem: its name without "lib" and version.
        version: its major version, which is part of the file name.
        package: the package on the package index that contains it.
    """

    stem: str
    version: str
    package: str

    @property
    def file(self) -> str:
        """The file name on this system."""
        return f"{self.stem}64_{self.version}.dll" if sys.platform == "win32" else f"lib{self.stem}.so.{self.version}"


def required_libraries(cuda_major: int) -> list[Library]:
    """Returns the libraries that an ONNX Runtime built for this CUDA version needs, each after its own dependencies.

    cuFFT is left out although the package requires it: only Fourier transforms use it, and no detector has any.
    """
    suffix = f"-cu{cuda_major}" if cuda_major <= _SUFFIX_UNTIL else ""
    major = str(cuda_major)
    return [
        Library("cudart", major, f"nvidia-cuda-runtime{suffix}"),
        Library("nvrtc", major, f"nvidia-cuda-nvrtc{suffix}"),
        Library("cublasLt", major, f"nvidia-cublas{suffix}"),
        Library("cublas", major, f"nvidia-cublas{suffix}"),
        Library("curand", "10", f"nvidia-curand{suffix}"),
        Library("cudnn", "9", f"nvidia-cudnn-cu{cuda_major}"),
    ]


def check_libraries(cuda: tuple[int, int], folders: Sequence[Path] | None = None) -> Iterator[CheckResult]:
    """Reports each library that cannot be loaded, with versions found instead, and each that hides a newer one.

    Args:
        cuda: version that ONNX Runtime is built for.
        folders: where to search for other versions; by default the loader's and the packages' folders.
    """
    from streamdet.inference.providers import preload_libraries

    folders = library_search_folders() if folders is None else folders
    wanted = required_libraries(cuda[0])
    preload_libraries()
    broken = [(library, why) for library in wanted if (why := _load_error(library, folders)) is not None]
    for library, why in broken:
        fix = f"pip install {library.package}" if len(broken) == 1 else INSTALL_CUDA
        yield CheckResult(library.file, Status.WARN, f"{why}; the package {library.package} contains it", fix)
    if not broken:
        yield CheckResult("cuda libraries", Status.OK, f"all {len(wanted)} load, {_cudnn_version()}for CUDA {cuda[0]}")
    if sys.platform == "linux":
        yield from find_shadowed(wanted, os.environ.get("LD_LIBRARY_PATH", ""))


def _load_error(library: Library, folders: Sequence[Path]) -> str | None:
    """Returns why a library cannot be loaded; None if it can."""
    try:
        ctypes.CDLL(library.file)
    except OSError as error:
        reason = " ".join(str(error).split())
    else:
        return None
    if shorten_loader_error(reason) != f"{library.file} is missing" and sys.platform != "win32":
        return f"does not load: {shorten_loader_error(reason)}"
    others = _other_versions(library, folders)
    return "missing" + (f", found instead: {', '.join(map(abbreviate_home, others))}" if others else "")


def shorten_loader_error(reason: str) -> str:
    """Returns a shorter form of the loader's message.

    >>> shorten_loader_error("libcublas.so.13: cannot open shared object file: No such file or directory")
    'libcublas.so.13 is missing'
    """
    return reason.replace(": cannot open shared object file: No such file or directory", " is missing")


def _other_versions(library: Library, folders: Sequence[Path]) -> list[Path]:
    """Returns files of other versions of the library."""
    return sorted(path for folder in folders for path in folder.glob(f"lib{library.stem}.so.*"))[:2]


def library_search_folders() -> list[Path]:
    """Returns the usual folders of CUDA libraries: LD_LIBRARY_PATH, Python packages, PyTorch, the system."""
    search_path = [Path(entry) for entry in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if entry]
    packages = [folder for entry in sys.path if entry for folder in Path(entry).glob("nvidia/*/lib")]
    torch = [Path(entry) / "torch/lib" for entry in sys.path if entry]
    system = [folder for pattern in _SYSTEM_FOLDERS for folder in Path(os.sep).glob(pattern)]
    return [*search_path, *packages, *torch, *system]


def find_shadowed(wanted: Sequence[Library], search_path: str) -> Iterator[CheckResult]:
    """Reports libraries in LD_LIBRARY_PATH that hide another version from an installed package.

    cuDNN loads its other libraries by name. If those are of another version, it fails late.
    """
    for folder in filter(None, search_path.split(os.pathsep)):
        for library in wanted:
            path = Path(folder) / library.file
            if not path.exists():
                continue
            try:
                packaged = metadata.version(library.package)
            except metadata.PackageNotFoundError:
                continue
            found = library_version(path)
            if found and not _same(found, packaged):
                detail = f"{abbreviate_home(path)} is version {found} and hides {library.package} {packaged}"
                fix = f"remove {abbreviate_home(folder)} from LD_LIBRARY_PATH"
                yield CheckResult(f"{library.file} twice", Status.WARN, detail, fix)


def library_version(path: Path) -> str:
    """Returns the version of a library from its real file name, or for cuDNN by calling it; "" if unknown."""
    numbers = re.search(r"\.so\.(\d+(?:\.\d+)+)$", path.resolve().name)
    if numbers:
        return numbers[1]
    if "cudnn" in path.name:
        try:
            return cudnn_version(ctypes.CDLL(str(path)).cudnnGetVersion())
        except (OSError, AttributeError):
            return ""
    return ""


def cudnn_version(number: int) -> str:
    """Returns cuDNN's version number in its usual form.

    >>> cudnn_version(91002), cudnn_version(8907)
    ('9.10.2', '8.9.7')
    """
    thousand = 10_000 if number >= 90_000 else 1_000
    return f"{number // thousand}.{number % thousand // 100}.{number % 100}"


def _cudnn_version() -> str:
    try:
        return f"cuDNN {cudnn_version(ctypes.CDLL(Library('cudnn', '9', '').file).cudnnGetVersion())}, "
    except (OSError, AttributeError):
        return ""


def _same(found: str, packaged: str) -> bool:
    """Returns whether the major and minor numbers of two versions agree, as far as both have them."""
    pairs = zip(found.split(".")[:2], packaged.split(".")[:2], strict=False)
    return all(a == b for a, b in pairs)
