"""Runs a tiny model on a provider, because a provider that ONNX Runtime lists may still not work."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from streamdet.doctor.check_result import CheckResult, Status, one_line
from streamdet.doctor.cuda_libraries import INSTALL_CUDA, shorten_loader_error
from streamdet.doctor.processor import Processor, read_processor
from streamdet.errors import ModelError, StreamdetError

if TYPE_CHECKING:
    from streamdet.inference.providers import Provider, ProviderMissing
    from streamdet.inference.session import Session

AUTO = "provider auto"
SELECTS = "selects "
"""Prefix of the detail of the result `AUTO`; the name of a provider follows."""

_REINSTALL = "pip install --force-reinstall onnxruntime-gpu (or onnxruntime, if that was installed)"


def probe(short: str) -> Iterator[CheckResult]:
    """Tests one provider, or the one that ``auto`` selects."""
    from streamdet.inference.providers import Provider, ProviderMissing, onnxruntime_module

    name = f"provider {short}"
    if (absent := _absent(short)) is not None:
        yield absent
        return
    try:
        onnxruntime_module()
    except Exception as error:  # a broken installation can raise any exception
        if short == Provider.CPU.short:
            yield CheckResult(name, Status.FAIL, f"onnxruntime cannot be imported: {one_line(error)}", _REINSTALL)
        else:
            yield CheckResult(name, Status.ABSENT, "onnxruntime cannot be imported")
        return
    from streamdet.inference.session import Session

    try:
        with Session(tiny_model(), provider=short) as session:
            _run_once(session)
            detail = f"{SELECTS}{session.provider}" if short == "auto" else "runs a model"
            yield CheckResult(name, Status.OK, detail)
    except ProviderMissing as error:
        yield _missing(Provider[short.upper()], error)
    except StreamdetError as error:
        yield CheckResult(name, Status.FAIL, str(error), _REINSTALL if short == Provider.CPU.short else _avoid(short))


def _avoid(short: str) -> str:
    return "" if short == "auto" else f"update its driver and libraries; until then do not use --provider {short}"


def _absent(short: str) -> CheckResult | None:
    """Returns a result if the hardware or an optional package is not present, which is not an error.

    Does not load large libraries to find out.
    """
    from streamdet.inference.providers import missing_driver

    name = f"provider {short}"
    if short in ("cuda", "tensorrt") and (reason := missing_driver()) is not None:
        return CheckResult(name, Status.ABSENT, reason)
    if short != "openvino":
        return None
    if any(find_spec(package) is not None for package in ("onnxruntime_ep_openvino", "openvino")):
        return None
    processor = read_processor()
    return CheckResult(
        name, Status.ABSENT, f"not installed; with OpenVINO {processor.openvino_gain()}", _install_openvino(processor)
    )


def _install_openvino(processor: Processor) -> str:
    """The plug-in supports only Intel processors; OpenVINO's own runtime also supports others."""
    return f"pip install --upgrade {'onnxruntime-ep-openvino' if processor.is_intel else 'openvino'}"


def _missing(provider: Provider, error: ProviderMissing) -> CheckResult:
    """TensorRT is used only on request, so a missing one is no warning."""
    fixes = {"openvino": _install_openvino(read_processor()), "cuda": INSTALL_CUDA}
    status = Status.ABSENT if provider.short == "tensorrt" else Status.WARN
    return CheckResult(
        f"provider {provider.short}", status, shorten_loader_error(error.reason), fixes.get(provider.short, error.hint)
    )


def _run_once(session: Session) -> None:
    """Raises ModelError if a provider computes anything but the mean of ones."""
    import numpy as np

    middle = float(session.run(np.ones((1, 1, 8, 8), np.float32))["y"][0, 0, 4, 4])
    if not abs(middle - 1) <= 0.01:  # also true for NaN
        raise ModelError(f"{session.provider} computes {middle:.3g} instead of 1: update its driver and libraries")


def tiny_model() -> bytes:
    """Returns a model of one 3x3 convolution, which every provider can run."""
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
