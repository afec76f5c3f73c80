"""NVIDIA's GPUs, through an engine that TensorRT builds for the network."""

from __future__ import annotations

import hashlib

from streamdet.cache import private_dir
from streamdet.detect.providers.cuda import cuda_options
from streamdet.detect.providers.engine import OnnxEngine
from streamdet.detect.providers.names import Precision, Provider
from streamdet.detect.providers.nvidia import preload
from streamdet.detect.providers.opening import check_built_in, elsewhere, open_session, session_options
from streamdet.detect.providers.options import Network, Options
from streamdet.detect.providers.runtime import runtime
from streamdet.models.signature import fixed


def tensorrt_options(network: Network, options: Options) -> dict[str, str]:
    """Returns the options of the TensorRT provider.

    Their meaning is from ONNX Runtime's page "TensorRT Execution Provider":

    - An engine takes minutes to build, so it is kept, and so are the timings of its kernels, which other engines can
      use. A kept engine is taken for the same network only by the name of its file: the page says to delete it when the
      model or a version changes. Here the name begins with a digest of all that, so that nothing stale is ever loaded.
    - All three shapes of the profile have to be given, else an engine is built for the first batch and built again for
      every larger one. It is tuned for the largest batch.
    - INT8 takes scales from the network's own QuantizeLinear nodes, and must not be given a calibration table then.
    """
    trt = {
        "device_id": str(options.device_id),
        "trt_fp16_enable": str(int(_precision(network, options) is Precision.FP16)),
        "trt_bf16_enable": str(int(_precision(network, options) is Precision.BF16)),
        "trt_int8_enable": str(int(network.weights is Precision.INT8)),
        "trt_cuda_graph_enable": str(int(options.cuda_graph and not _is_dynamic(network))),
        **_profile(network, options.max_batch),
    }
    if (cache := private_dir("tensorrt")) is not None:
        what = (network.data, str(sorted(trt.items())).encode(), runtime().__version__.encode())
        digest = hashlib.sha256(b"\0".join(what)).hexdigest()[:16]
        trt |= {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(cache),
            "trt_engine_cache_prefix": f"streamdet_{digest}",
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(cache),
        }
    return trt


def create(network: Network, options: Options) -> OnnxEngine:
    """Builds or loads an engine. Raises as `open_session` does."""
    check_built_in(Provider.TENSORRT)
    preload()
    chain = [
        (Provider.TENSORRT.value, tensorrt_options(network, options)),
        (Provider.CUDA.value, cuda_options(options) | {"enable_cuda_graph": "0"}),  # for what TensorRT leaves over
    ]
    session = open_session(network.data, Provider.TENSORRT, session_options(options), chain)
    notes = [elsewhere(session, Provider.TENSORRT)]
    if options.cuda_graph and _is_dynamic(network):
        notes.append("without the CUDA graph that was asked for: the network takes batches of any size")
    precision = Precision.INT8 if network.weights is Precision.INT8 else _precision(network, options)
    notes_given = tuple(note for note in notes if note)
    return OnnxEngine(session, precision.value, notes_given, f"cuda:{options.device_id}")


def _precision(network: Network, options: Options) -> Precision:
    """Returns what is not quantised is computed in: full precision unless something else is asked for or stored."""
    if options.precision in (Precision.FP16, Precision.BF16):
        return options.precision
    return Precision.FP16 if network.weights is Precision.FP16 else Precision.FP32


def _is_dynamic(network: Network) -> bool:
    return not all(fixed(dimension) for dimension in network.inputs[0].shape)


def _profile(network: Network, max_batch: int) -> dict[str, str]:
    """Returns the range of shapes to build for, nothing where the network has only one or more than its batch is open.

    Names and shapes are written as ``image:1x3x1200x1200``.
    """
    image = network.inputs[0]
    batch, *rest = (fixed(dimension) for dimension in image.shape)
    if batch or not all(rest):
        return {}
    sizes = "x".join(map(str, rest))
    counts = {"min": 1, "opt": max_batch, "max": max_batch}
    return {f"trt_profile_{name}_shapes": f"{image.name}:{count}x{sizes}" for name, count in counts.items()}
