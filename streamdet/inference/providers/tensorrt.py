"""The TensorRT provider: NVIDIA GPUs through an engine that TensorRT builds for the model."""

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
"""The runtime's message if the input shapes of the network are given, but not those of a subgraph."""


def tensorrt_options(model: CheckedModel, options: ProviderOptions, profile: bool = True) -> dict[str, str]:
    """Returns the options of the TensorRT provider, as ONNX Runtime's page "TensorRT Execution Provider" defines them.

    - An engine takes minutes to build, so it is cached, and so are the timings of its kernels, which other engines can
      use. The runtime identifies a cached engine by its file name alone: the page says to delete it when the model or a
      version changes, and an engine of another TensorRT version is an error. Here the name starts with a digest of all
      of these, so that no stale engine is loaded; the runtime adds the kind of GPU.
    - All three shapes of the profile must be given. Otherwise an engine is built for the first batch and again for
      every larger one. It is tuned for the largest batch.
    - Switches are the words True and False: this provider refuses 1 and 0, which the CUDA provider accepts.
    - INT8 takes its scales from the QuantizeLinear nodes of the network, and must then get no calibration table.

    Args:
        model: the model to run.
        options: options of the provider.
        profile: declare the range of batch sizes.
    """
    build_options = {
        "device_id": str(options.device_id),
        "trt_fp16_enable": str(_precision(model, options) is Precision.FP16),
        "trt_bf16_enable": str(_precision(model, options) is Precision.BF16),
        "trt_int8_enable": str(model.weights is Precision.INT8),
        **(_profile(model, options.max_batch) if profile else {}),
    }
    provider_options = build_options | {"trt_cuda_graph_enable": str(options.cuda_graph and not _is_dynamic(model))}
    if (cache := private_dir("tensorrt")) is not None:
        identity = (
            model.data,
            repr((sorted(build_options.items()), onnxruntime_module().__version__, tensorrt_version())).encode(),
        )
        digest = hashlib.sha256(b"\0".join(identity)).hexdigest()[:16]
        provider_options |= {
            "trt_engine_cache_enable": "True",
            "trt_engine_cache_path": str(cache),
            "trt_engine_cache_prefix": f"streamdet_{digest}",
            "trt_timing_cache_enable": "True",
            "trt_timing_cache_path": str(cache),
        }
    return provider_options


def create_engine(model: CheckedModel, options: ProviderOptions) -> OnnxEngine:
    """Builds or loads an engine. Raises as `open_session` does."""
    load_libraries(Provider.TENSORRT)
    if not _is_dynamic(model):
        session, note = open_with_graph(partial(_open, model), options)
    else:
        session, note = _open_any_batch(model, options)
        if options.cuda_graph:
            note = "; ".join(filter(None, (f"{NO_GRAPH}the network takes batches of any size", note)))
    precision = "int8" if model.weights is Precision.INT8 else _precision(model, options).value
    precision_note = ""
    if precision == "fp32":  # the runtime has no option for TF32, which is TensorRT's default
        precision = "tf32"
        precision_note = "if the GPU has it, NVIDIA_TF32_OVERRIDE=0 in the environment for full precision"
    notes = tuple(filter(None, (precision_note, fallback_note(session, Provider.TENSORRT), note)))
    return OnnxEngine(session, precision, notes, f"cuda:{options.device_id}")


def _open(model: CheckedModel, options: ProviderOptions, profile: bool = True) -> Any:
    chain = [
        (Provider.TENSORRT.value, tensorrt_options(model, options, profile)),
        (
            Provider.CUDA.value,
            cuda_options(replace(options, cuda_graph=False)),
        ),  # for operators that TensorRT does not support
    ]
    return open_session(model.data, Provider.TENSORRT, session_options(options), chain)


def _open_any_batch(model: CheckedModel, options: ProviderOptions) -> tuple[Any, str]:
    """Opens a network with a variable batch size, without a profile if TensorRT splits the network.

    An operator that TensorRT does not support, such as a TopK of more than 3840 (its page on TopK), splits a network
    into subgraphs, whose inputs have no profile here.
    """
    try:
        return _open(model, options), ""
    except Exception as error:
        if _NO_PROFILE not in str(error):
            raise
    return _open(model, options, profile=False), "an engine is built again for every batch larger than those before"


def _precision(model: CheckedModel, options: ProviderOptions) -> Precision:
    """Returns the precision of everything that is not quantized: FP32 unless requested or stored otherwise."""
    if options.precision in (Precision.FP16, Precision.BF16):
        return options.precision
    return Precision.FP16 if model.weights is Precision.FP16 else Precision.FP32


def _is_dynamic(model: CheckedModel) -> bool:
    return not all(fixed_size(dimension) for dimension in model.inputs[0].shape)


def _profile(model: CheckedModel, max_batch: int) -> dict[str, str]:
    """Returns the range of shapes to build for; {} if only one shape is possible, or more than the batch size varies.

    Names and shapes are written as ``image:1x3x1200x1200``.
    """
    image = model.inputs[0]
    batch, *rest = (fixed_size(dimension) for dimension in image.shape)
    if batch or not all(rest):
        return {}
    sizes = "x".join(map(str, rest))
    counts = {"min": 1, "opt": max_batch, "max": max_batch}
    return {f"trt_profile_{name}_shapes": f"{image.name}:{count}x{sizes}" for name, count in counts.items()}
