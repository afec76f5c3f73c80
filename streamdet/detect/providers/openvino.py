"""OpenVINO: processors in their fastest arithmetic. Its plug-in for ONNX Runtime, or its own runtime."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from importlib import util
from typing import Any

from streamdet.cache import private_dir
from streamdet.detect.providers.engine import Engine, OnnxEngine
from streamdet.detect.providers.names import Precision, Provider, ProviderMissing
from streamdet.detect.providers.opening import elsewhere, open_session, session_options
from streamdet.detect.providers.options import Network, Options
from streamdet.detect.providers.runtime import runtime
from streamdet.errors import UsageError
from streamdet.openvino_module import has_openvino

_HINTS = {Precision.FP32: "f32", Precision.FP16: "f16", Precision.BF16: "bf16"}
_WORTH_KEEPING = 8 << 20
"""Bytes of a model from which on its compiled form is kept. The flagship is then ready after 0.5 s instead of 1.3;
YOLOX-nano (4 MB) would gain 0.15 s."""


def arithmetic(network: Network, options: Options, capabilities: Iterable[str]) -> tuple[Precision, tuple[str, ...]]:
    """Returns what everything that is not quantised is computed in, and a note where that was not asked for.

    Args:
        network: what to run.
        options: what was asked for.
        capabilities: what OpenVINO says the processor has, as in "BF16". A precision that is missing there would be
            computed in another one without a word.

    Raises:
        UsageError: the processor has no such arithmetic.
    """
    can = set(capabilities)
    if options.precision in (Precision.FP16, Precision.BF16) and options.precision.name not in can:
        has = ", ".join(precision.value for precision in Precision if precision.name in can)
        raise UsageError(
            f"this processor cannot compute in {options.precision.value} (OpenVINO says it can do {has}); "
            "leave the precision on auto"
        )
    if options.precision in _HINTS:
        return options.precision, ()
    if "BF16" not in can:
        return Precision.FP32, ()
    note = "this processor has instructions for it, --precision fp32 for full precision"
    return Precision.BF16, () if network.weights is Precision.INT8 else (note,)


def properties(network: Network, options: Options, precision: Precision) -> dict[str, str | int]:
    """Returns OpenVINO's properties, which the plug-in takes as well (its `load_config`).

    One stream, since one batch runs at a time. Threads are not pinned to processors: others have to decode and draw.
    """
    chosen: dict[str, str | int] = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": options.threads,
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "ENABLE_CPU_PINNING": False,
    }
    if len(network.binary or network.data) > _WORTH_KEEPING and (cache := private_dir("openvino")) is not None:
        chosen["CACHE_DIR"] = str(cache)
    return chosen


def create(network: Network, options: Options) -> Engine:
    """Loads a network with the plug-in where it works, else with OpenVINO's own runtime where that is installed.

    The plug-in offers itself on Intel's processors only (release 1.8); OpenVINO itself runs on others as well, at the
    same speed.

    Raises:
        ProviderMissing: neither works.
        UsageError: the processor cannot compute in the precision asked for.
        Exception: whatever the runtime says where the model is at fault.
    """
    from streamdet.detect.providers.openvino_native import OpenVinoEngine

    if network.binary is not None:  # a plug-in of ONNX Runtime reads ONNX
        return OpenVinoEngine(network, options)
    try:
        device = _plugin_device()
    except ProviderMissing as missing:
        if not has_openvino():
            raise ProviderMissing(
                Provider.OPENVINO, f"{missing.reason}, and the package openvino is not installed"
            ) from None
        return OpenVinoEngine(network, options)
    precision, notes = arithmetic(network, options, device.ep_metadata.get("OPTIMIZATION_CAPABILITIES", "FP32").split())
    so = session_options(options)
    config = json.dumps({"CPU": properties(network, options, precision)})
    so.add_provider_for_devices([device], {"load_config": config})
    session = open_session(network.data, Provider.OPENVINO, so, None)
    notes += (rest,) if (rest := elsewhere(session, Provider.OPENVINO)) else ()
    return OnnxEngine(session, describe(network, precision), notes)


def describe(network: Network, precision: Precision) -> str:
    """Returns the arithmetic for people."""
    return "int8" if network.weights is Precision.INT8 else precision.value


def openvino_devices() -> list[Any]:
    """Returns the devices of the OpenVINO plug-in, loading it on first use.

    Raises:
        ProviderMissing: the plug-in is not installed or cannot be loaded.
    """
    if util.find_spec("onnxruntime_ep_openvino") is None:
        raise ProviderMissing(Provider.OPENVINO, "the package onnxruntime-ep-openvino is not installed")
    _register()
    return [device for device in runtime().get_ep_devices() if device.ep_name == Provider.OPENVINO.value]


def _plugin_device() -> Any:
    """Returns the CPU as the OpenVINO plug-in offers it."""
    for device in openvino_devices():
        if device.device.type.name == "CPU":
            return device
    raise ProviderMissing(Provider.OPENVINO, "the plug-in onnxruntime-ep-openvino does not support this processor")


@functools.cache
def _register() -> None:
    import onnxruntime_ep_openvino

    try:
        path = onnxruntime_ep_openvino.get_library_path()
        runtime().register_execution_provider_library(Provider.OPENVINO.value, path)
    except Exception as error:
        raise ProviderMissing(Provider.OPENVINO, " ".join(str(error).split())) from None
