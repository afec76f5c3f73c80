"""What this machine can do and what it lacks: one small check after another, none of which may end the others."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from streamdet.errors import ModelError, SinkError, StreamdetError
from streamdet.redact import redact

if TYPE_CHECKING:
    from streamdet.detect.session import Session


class Status(Enum):
    """OK: works. ABSENT: not here, and nothing is wrong with that. WARN: works worse than it could. FAIL: broken."""

    OK = "ok"
    ABSENT = "-"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        status: how it is.
        detail: what was found, one line.
        fix: what to do about it; "" where there is nothing to do.
    """

    name: str
    status: Status
    detail: str
    fix: str = ""


_PYTHON = ((3, 11), (3, 13))


def examine() -> list[Check]:
    """Returns all findings, in the order in which a person fixes things; takes a few seconds."""
    return [check for look in CHECKS for check in safely(look)]


def safely(look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """Passes on what `look` finds; on a broken machine anything may go wrong, and that is a finding too."""
    try:
        yield from look()
    except Exception as error:
        reason = f"{type(error).__name__}: {redact(' '.join(str(error).split()))}"
        yield Check(look.__name__.removeprefix("check_"), Status.FAIL, reason, "reinstall streamdet and its packages")


def check_python() -> Iterator[Check]:
    """Looks at the interpreter and the system."""
    lowest, highest = (".".join(map(str, version)) for version in _PYTHON)
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if _PYTHON[0] <= sys.version_info[:2] <= _PYTHON[1]:
        yield Check("python", Status.OK, detail)
    else:
        yield Check("python", Status.WARN, detail, f"use Python {lowest} to {highest}: others are not tested")


def check_processors() -> Iterator[Check]:
    """Looks at the processors that this process may use."""
    from streamdet.detect.providers import available_cpus, default_threads

    usable, there = available_cpus(), os.cpu_count() or 1
    detail = f"{usable} usable" + (f" of {there}" if usable != there else "")
    yield Check("processors", Status.OK, f"{detail}; {default_threads()} for inference unless told otherwise")


def check_packages() -> Iterator[Check]:
    """Looks at the distributions streamdet stands on, and whether two of them overwrite each other."""
    owners = metadata.packages_distributions()
    for module, wanted in (("onnxruntime", "onnxruntime or onnxruntime-gpu"), ("cv2", "opencv-python")):
        found = sorted(set(owners.get(module, [])))
        names = ", ".join(f"{name} {metadata.version(name)}" for name in found)
        if len(found) > 1:
            fix = f"pip uninstall {' '.join(found)}, then install one: {wanted}"
            yield Check(f"package {module}", Status.FAIL, f"{names} overwrite each other's files", fix)
        elif not found:
            yield Check(f"package {module}", Status.FAIL, "not installed", f"pip install {wanted.split()[0]}")
        else:
            yield Check(f"package {module}", Status.OK, names)
    for name in ("numpy", "numba", "onnx"):
        yield Check(f"package {name}", Status.OK, metadata.version(name))


def check_ffmpeg() -> Iterator[Check]:
    """Looks at PyAV and at the video encoders its FFmpeg has."""
    import cv2  # noqa: F401  # before PyAV: the other way round windows can hang on Linux

    import av  # isort: skip

    from streamdet.sinks.encoders import available

    version = getattr(av, "ffmpeg_version_info", "unknown")
    yield Check("video", Status.OK, f"PyAV {av.__version__}, FFmpeg {version}")
    encoders = available()
    status = Status.OK if any("264" in name for name in encoders) else Status.WARN
    fix = "" if status is Status.OK else "pip install --force-reinstall av: the wheel from PyPI has libx264"
    yield Check("video encoders", status, ", ".join(encoders) or "none", fix)


def check_windows() -> Iterator[Check]:
    """Looks whether a window could be opened, without opening one."""
    from streamdet.sinks.window import WindowSink

    try:
        WindowSink()
    except SinkError as error:
        yield Check("windows", Status.ABSENT, str(error))
    else:
        yield Check("windows", Status.OK, "can be opened")


def check_providers() -> Iterator[Check]:
    """Runs a tiny model on every provider: what is listed is not what works."""
    from streamdet.detect.providers import Provider, ProviderMissing, missing_driver
    from streamdet.detect.session import Session

    model = tiny_model()
    for provider in Provider:
        name = f"provider {provider.short}"
        try:
            with Session(model, provider=provider.short) as session:
                _run_once(session)
            yield Check(name, Status.OK, "runs a model")
        except ProviderMissing as error:
            # Without the hardware, or the extra that was never asked for, all is as it should be.
            nvidia = provider in (Provider.CUDA, Provider.TENSORRT)
            harmless = missing_driver() is not None if nvidia else provider is Provider.OPENVINO
            status = Status.ABSENT if harmless else Status.WARN
            yield Check(name, status, error.reason, "" if nvidia and harmless else error.hint)
        except StreamdetError as error:
            yield Check(name, Status.FAIL, str(error), "reinstall onnxruntime" if provider is Provider.CPU else "")
    yield from _check_cuda_libraries(missing_driver())


def _check_cuda_libraries(no_driver: str | None) -> Iterator[Check]:
    """Names each CUDA library that cannot be loaded, where there is a GPU that would need it."""
    from streamdet.detect.providers import INSTALL_CUDA, cuda_libraries, preload

    if no_driver is not None:
        yield Check("nvidia gpu", Status.ABSENT, no_driver)
        return
    preload()
    missing = []
    for library in cuda_libraries():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(library)
    if missing:
        detail = f"there is one, but these are missing: {', '.join(missing)}"
        yield Check("nvidia gpu", Status.WARN, detail, INSTALL_CUDA)
    else:
        yield Check("nvidia gpu", Status.OK, "driver and CUDA libraries are here")


def check_cameras() -> Iterator[Check]:
    """Lists the cameras, and whether this user may open them."""
    from streamdet.sources.camera import list_cameras

    cameras = list_cameras()
    for camera in cameras:
        if os.access(camera.path, os.R_OK | os.W_OK):
            yield Check(f"camera {camera.index}", Status.OK, f"{camera.name} ({camera.path})")
        else:
            fix = "sudo usermod -aG video $USER, then log in again"
            yield Check(f"camera {camera.index}", Status.WARN, f"{camera.path} may not be opened by this user", fix)
    if not cameras:
        listed = sys.platform == "linux"
        yield Check("cameras", Status.ABSENT, "none found" if listed else "cannot be listed here; try 0, 1, ...")


def check_cache() -> Iterator[Check]:
    """Looks where compiled kernels are kept."""
    from streamdet.cache import private_dir

    folder = private_dir("numba")
    if folder is None:
        fix = "make the user's cache directory writable by this user only (chmod go-w), or set XDG_CACHE_HOME"
        yield Check("kernel cache", Status.WARN, "none: kernels are compiled at every start", fix)
        return
    size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    yield Check("kernel cache", Status.OK, f"{folder} ({size / 1e6:.1f} MB)")


def _run_once(session: Session) -> None:
    """Raises ModelError where a provider computes something else than the mean of ones."""
    import numpy as np

    middle = float(session.run(np.ones((1, 1, 8, 8), np.float32))["y"][0, 0, 4, 4])
    if abs(middle - 1) > 0.01:
        raise ModelError(f"{session.provider} computes {middle:.3g} where 1 is right: update its driver and libraries")


def tiny_model() -> bytes:
    """Returns a model of one 3x3 convolution, which every provider can take."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.full((1, 1, 3, 3), 1 / 9, np.float32), "weight")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "weight"], ["y"], pads=[1, 1, 1, 1])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 8, 8])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


CHECKS = (
    check_python,
    check_processors,
    check_packages,
    check_ffmpeg,
    check_providers,
    check_windows,
    check_cameras,
    check_cache,
)
