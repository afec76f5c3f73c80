"""NVIDIA's GPUs, through an engine that TensorRT builds for the network."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from typing import Any

from streamdet.cache import private_dir
from streamdet.inference.providers.cuda import NO_GRAPH, cuda_options, open_with_graph
from streamdet.inference.providers.engine import OnnxEngine
from streamdet.inference.providers.names import Precision, Provider
from streamdet.inference.providers.nvidia_libraries import load_libraries, tensorrt_version
from streamdet.inference.providers.onnx_runtime import onnxruntime_module
from streamdet.inference.providers.onnx_session import fallback_note, open_session, session_options
from streamdet.inference.providers.options import CheckedModel, ProviderOptions
from streamdet.model_spec.signature import fixed_size

_NO_PROFILE = "no associated shape profiles"
"""What the runtime says where it was told the shapes of the network's input, but not those of a part's."""


def tensorrt_options(network: CheckedModel, options: ProviderOptions, profile: bool = True) -> dict[str, str]:
    """Returns the options of the TensorRT provider.

    Their meaning is from ONNX Runtime's page "TensorRT Execution Provider":

    - An engine takes minutes to build, so it is kept, and so are the timings of its kernels, which other engines can
      use. A kept engine is taken for the same network only by the name of its file: the page says to delete it when the
      model or a version changes, and one of another TensorRT is an error. Here the name begins with a digest of all
      that, so that nothing stale is ever loaded; the runtime itself adds the kind of GPU.
    - All three shapes of the profile have to be given, else an engine is built for the first batch and built again for
      every larger one. It is tuned for the largest batch.
    - Switches are True and False, in these words: this provider refuses 1 and 0, which the CUDA provider takes.
    - INT8 takes scales from the network's own QuantizeLinear nodes, and must not be given a calibration table then.

    Args:
        network: what to run.
        options: how.
        profile: give the range of batches before.
    """
    built = {
        "device_id": str(options.device_id),
        "trt_fp16_enable": str(_precision(network, options) is Precision.FP16),
        "trt_bf16_enable": str(_precision(network, options) is Precision.BF16),
        "trt_int8_enable": str(network.weights is Precision.INT8),
        **(_profile(network, options.max_batch) if profile else {}),
    }
    told = built | {"trt_cuda_graph_enable": str(options.cuda_graph and not _is_dynamic(network))}
    if (cache := private_dir("tensorrt")) is not None:
        what = (
            network.data,
            repr((sorted(built.items()), onnxruntime_module().__version__, tensorrt_version())).encode(),
        )
        digest = hashlib.sha256(b"\0".join(what)).hexdigest()[:16]
        told |= {
            "trt_engine_cache_enable": "True",
            "trt_engine_cache_path": str(cache),
            "trt_engine_cache_prefix": f"streamdet_{digest}",
            "trt_timing_cache_enable": "True",
            "trt_timing_cache_path": str(cache),
        }
    return told


def create_engine(network: CheckedModel, options: ProviderOptions) -> OnnxEngine:
    """Builds or loads an engine. Raises as `open_session` does."""
    load_libraries(Provider.TENSORRT)
    if not _is_dynamic(network):
        session, note = open_with_graph(partial(_open, network), options)
    else:
        session, note = _open_any_batch(network, options)
        if options.cuda_graph:
            note = "; ".join(filter(None, (f"{NO_GRAPH}the network takes batches of any size", note)))
    precision = "int8" if network.weights is Precision.INT8 else _precision(network, options).value
    full = ""
    if precision == "fp32":  # the runtime has no option for it: TensorRT's own default stays, which is TF32
        precision, full = "tf32", "where the GPU has it, NVIDIA_TF32_OVERRIDE=0 in the environment for full precision"
    notes = tuple(filter(None, (full, fallback_note(session, Provider.TENSORRT), note)))
    return OnnxEngine(session, precision, notes, f"cuda:{options.device_id}")


def _open(network: CheckedModel, options: ProviderOptions, profile: bool = True) -> Any:
    chain = [
        (Provider.TENSORRT.value, tensorrt_options(network, options, profile)),
        (Provider.CUDA.value, cuda_options(replace(options, cuda_graph=False))),  # for what TensorRT leaves over
    ]
    return open_session(network.data, Provider.TENSORRT, session_options(options), chain)


def _open_any_batch(network: CheckedModel, options: ProviderOptions) -> tuple[Any, str]:
    """Opens a network whose batch is open; where TensorRT takes it in parts, their own inputs have no profile here.

    Operators it leaves over cut a network in parts: a TopK of more than 3840, for one (TensorRT's page of TopK).
    """
    try:
        return _open(network, options), ""
    except Exception as error:
        if _NO_PROFILE not in str(error):
            raise
    return _open(network, options, profile=False), "engines are built again for every batch larger than those before"


def _precision(network: CheckedModel, options: ProviderOptions) -> Precision:
    """Returns what is not quantised is computed in: full precision unless something else is asked for or stored."""
    if options.precision in (Precision.FP16, Precision.BF16):
        return options.precision
    return Precision.FP16 if network.weights is Precision.FP16 else Precision.FP32


def _is_dynamic(network: CheckedModel) -> bool:
    return not all(fixed_size(dimension) for dimension in network.inputs[0].shape)


def _profile(network: CheckedModel, max_batch: int) -> dict[str, str]:
    """Returns the range of shapes to build for, nothing where the network has only one or more than its batch is open.

    Names and shapes are written as ``image:1x3x1200x1200``.
    """
    image = network.inputs[0]
    batch, *rest = (fixed_size(dimension) for dimension in image.shape)
    if batch or not all(rest):
        return {}
    sizes = "x".join(map(str, rest))
    counts = {"min": 1, "opt": max_batch, "max": max_batch}
    return {f"trt_profile_{name}_shapes": f"{image.name}:{count}x{sizes}" for name, count in counts.items()}
