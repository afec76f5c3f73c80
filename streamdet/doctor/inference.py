"""Runs a tiny model on a provider: what is listed is not what works."""

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
TAKES = "takes "
"""What the detail of the finding `AUTO` begins with; the name of a provider follows."""

_REINSTALL = "pip install --force-reinstall onnxruntime-gpu (or onnxruntime, where that is what you had)"


def probe(short: str) -> Iterator[CheckResult]:
    """Looks at one provider, or at what ``auto`` takes."""
    from streamdet.inference.providers import Provider, ProviderMissing, onnxruntime_module

    name = f"provider {short}"
    if (absent := _absent(short)) is not None:
        yield absent
        return
    try:
        onnxruntime_module()
    except Exception as error:  # a broken installation raises anything
        if short == Provider.CPU.short:
            yield CheckResult(name, Status.FAIL, f"onnxruntime cannot be imported: {one_line(error)}", _REINSTALL)
        else:
            yield CheckResult(name, Status.ABSENT, "onnxruntime cannot be imported")
        return
    from streamdet.inference.session import Session

    try:
        with Session(tiny_model(), provider=short) as session:
            _run_once(session)
            detail = f"{TAKES}{session.provider}" if short == "auto" else "runs a model"
            yield CheckResult(name, Status.OK, detail)
    except ProviderMissing as error:
        yield _missing(Provider[short.upper()], error)
    except StreamdetError as error:
        yield CheckResult(name, Status.FAIL, str(error), _REINSTALL if short == Provider.CPU.short else _leave(short))


def _leave(short: str) -> str:
    return "" if short == "auto" else f"update its driver and libraries; until then leave --provider {short} out"


def _absent(short: str) -> CheckResult | None:
    """Returns a finding where the hardware, or an extra that was never asked for, is not here: all is as it should be.

    Found out without loading anything large.
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
        name, Status.ABSENT, f"not installed; with it {processor.openvino_gain()}", _install_openvino(processor)
    )


def _install_openvino(processor: Processor) -> str:
    """The plug-in offers itself on Intel's processors only; OpenVINO's own runtime takes the others too."""
    return f"pip install --upgrade {'onnxruntime-ep-openvino' if processor.is_intel else 'openvino'}"


def _missing(provider: Provider, error: ProviderMissing) -> CheckResult:
    """TensorRT is never taken unless asked for, so nothing is lost without it."""
    fixes = {"openvino": _install_openvino(read_processor()), "cuda": INSTALL_CUDA}
    status = Status.ABSENT if provider.short == "tensorrt" else Status.WARN
    return CheckResult(
        f"provider {provider.short}", status, shorten_loader_error(error.reason), fixes.get(provider.short, error.hint)
    )


def _run_once(session: Session) -> None:
    """Raises ModelError where a provider computes something else than the mean of ones."""
    import numpy as np

    middle = float(session.run(np.ones((1, 1, 8, 8), np.float32))["y"][0, 0, 4, 4])
    if not abs(middle - 1) <= 0.01:  # also true for NaN
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
