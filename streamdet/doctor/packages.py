"""The packages that streamdet depends on: versions, and packages that overwrite each other's files."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from streamdet.doctor.check_result import CheckResult, Status, abbreviate_home

# Not the add-ons, which have separate folders: onnxruntime-ep-*, -extensions, -genai, -tools.
_RUNTIMES = re.compile(
    r"onnxruntime(-(gpu|directml|openvino|qnn|rocm|migraphx|cann|training|webgpu|silicon|azure))?|(ort|onnxruntime)-.*nightly.*"
)
_OPENCVS = re.compile(r"opencv(-contrib)?-python(-headless|-rolling)*")


def probe(_: str = "") -> Iterator[CheckResult]:
    """Checks what is installed, without importing it."""
    found = installed()
    yield _one_of(found, "onnxruntime", _RUNTIMES, _required_runtime(found))
    yield _one_of(found, "cv2", _OPENCVS, "opencv-python")
    for name in ("numpy", "numba", "onnx"):
        if name in found:
            yield CheckResult(f"package {name}", Status.OK, found[name])
        else:
            yield CheckResult(f"package {name}", Status.FAIL, "not installed", f"pip install {name}")
    yield from _qt_of_others()


def installed() -> dict[str, str]:
    """Returns name -> version of all installed packages; names are normalized as pip does."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:  # missing in a damaged package
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), distribution.version)
    return found


def _one_of(found: dict[str, str], module: str, pattern: re.Pattern[str], required: str) -> CheckResult:
    names = sorted(name for name in found if pattern.fullmatch(name))
    listed = ", ".join(f"{name} {found[name]}" for name in names)
    if len(names) > 1:
        fix = f"pip uninstall -y {' '.join(names)} && pip install {required}"
        return CheckResult(f"package {module}", Status.FAIL, f"{listed} overwrite each other's files", fix)
    if not names:
        return CheckResult(f"package {module}", Status.FAIL, "not installed", f"pip install {required}")
    if names[0].endswith("-headless"):
        return CheckResult(
            f"package {module}",
            Status.WARN,
            f"{listed}: built without windows, so --show cannot work",
            f"pip uninstall -y {names[0]} && pip install opencv-python",
        )
    return CheckResult(f"package {module}", Status.OK, listed)


def _required_runtime(found: dict[str, str]) -> str:
    """Returns the ONNX Runtime package that streamdet requires on this kind of machine."""
    gpu = sys.platform != "darwin" and platform.machine() in ("x86_64", "AMD64")
    extras = "[cuda,cudnn]" if any(name.startswith("nvidia-cudnn") for name in found) else ""
    return f'"onnxruntime-gpu{extras}"' if gpu and extras else "onnxruntime-gpu" if gpu else "onnxruntime"


def _qt_of_others() -> Iterator[CheckResult]:
    """Reports variables that make OpenCV's Qt load plug-ins of another Qt, which ends the process."""
    for variable in ("QT_PLUGIN_PATH", "QT_QPA_PLATFORM_PLUGIN_PATH"):
        if (folder := os.environ.get(variable)) and f"{os.sep}cv2{os.sep}" not in folder + os.sep:
            detail = f"{variable}={abbreviate_home(folder)} makes OpenCV's windows load plug-ins of another Qt"
            yield CheckResult("qt", Status.WARN, detail, f"unset {variable}")
