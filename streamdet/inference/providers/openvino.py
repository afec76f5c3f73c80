"""The OpenVINO provider: its plug-in for ONNX Runtime, or its own runtime."""

from __future__ import annotations

import functools
import json
from importlib import util
from typing import Any

from streamdet.inference.providers.engine import Engine, OnnxEngine
from streamdet.inference.providers.names import Provider, ProviderMissing
from streamdet.inference.providers.onnx_runtime import onnxruntime_module
from streamdet.inference.providers.onnx_session import fallback_note, open_session, session_options
from streamdet.inference.providers.openvino_native import OpenVinoEngine
from streamdet.inference.providers.openvino_properties import choose_precision, precision_label, properties
from streamdet.inference.providers.options import CheckedModel, ProviderOptions
from streamdet.openvino_runtime import has_openvino


def create_engine(model: CheckedModel, options: ProviderOptions) -> Engine:
    """Loads a model with the plug-in if it works, else with OpenVINO's own runtime if that is installed.

    The plug-in supports Intel CPUs only (release 1.8); OpenVINO itself runs on others too, at the same speed.

    Raises:
        ProviderMissing: neither is available.
        UsageError: the CPU cannot compute in the requested precision.
        Exception: any error of the runtime that the model causes.
    """
    if model.binary is not None:  # the plug-in reads ONNX only
        return OpenVinoEngine(model, options)
    try:
        device = _plugin_device()
    except ProviderMissing as missing:
        if not has_openvino():
            raise ProviderMissing(
                Provider.OPENVINO, f"{missing.reason}, and the package openvino is not installed"
            ) from None
        return OpenVinoEngine(model, options)
    precision, notes = choose_precision(
        model, options, device.ep_metadata.get("OPTIMIZATION_CAPABILITIES", "FP32").split()
    )
    so = session_options(options)
    config = json.dumps({"CPU": properties(model, options, precision)})
    so.add_provider_for_devices([device], {"load_config": config})
    session = open_session(model.data, Provider.OPENVINO, so, None)
    notes += (note,) if (note := fallback_note(session, Provider.OPENVINO)) else ()
    return OnnxEngine(session, precision_label(model, precision), notes)


def openvino_devices() -> list[Any]:
    """Returns the devices of the OpenVINO plug-in; loads it on first use.

    Raises:
        ProviderMissing: the plug-in is not installed or cannot be loaded.
    """
    if util.find_spec("onnxruntime_ep_openvino") is None:
        raise ProviderMissing(Provider.OPENVINO, "the package onnxruntime-ep-openvino is not installed")
    _register()
    return [device for device in onnxruntime_module().get_ep_devices() if device.ep_name == Provider.OPENVINO.value]


def _plugin_device() -> Any:
    """Returns the CPU device of the OpenVINO plug-in."""
    for device in openvino_devices():
        if device.device.type.name == "CPU":
            return device
    raise ProviderMissing(Provider.OPENVINO, "the plug-in onnxruntime-ep-openvino does not support this CPU")


@functools.cache
def _register() -> None:
    import onnxruntime_ep_openvino

    try:
        path = onnxruntime_ep_openvino.get_library_path()
        onnxruntime_module().register_execution_provider_library(Provider.OPENVINO.value, path)
    except Exception as error:
        raise ProviderMissing(Provider.OPENVINO, " ".join(str(error).split())) from None
