"""NVIDIA's GPUs, through cuDNN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from streamdet.inference.providers.engine import OnnxEngine, tensor_info
from streamdet.inference.providers.io_binding import fixed_outputs
from streamdet.inference.providers.names import Precision, Provider, ProviderMissing
from streamdet.inference.providers.nvidia_libraries import load_libraries
from streamdet.inference.providers.onnx_session import fallback_note, open_session, session_options
from streamdet.inference.providers.options import CheckedModel, ProviderOptions

NO_GRAPH = "without the CUDA graph that was asked for: "
"""How the note begins where a graph was asked for in vain."""


def cuda_options(options: ProviderOptions) -> dict[str, str]:
    """Returns the options of the CUDA provider.

    Their meaning is from ONNX Runtime's page "CUDA Execution Provider":

    - HEURISTIC picks convolution algorithms in about 2 ms. The default, EXHAUSTIVE, tries them all: 0.6 to 1.4 s for
      every new shape, a batch of another size included, to end at the same speed (measured in PaddleX, PR 5057; cuDNN's
      newer interface, which ONNX Runtime has called since 1.20, may differ).
    - The largest workspace lets cuDNN take its tensor-core kernels, above all for fp16 ("Convolution-heavy models").
    - kSameAsRequested keeps the memory arena from doubling; shapes are fixed, so nothing is asked for twice.
    - TF32 rounds the factors of a product to 10 bits and adds in fp32; asking for fp32 turns it off.
    """
    return {
        "device_id": str(options.device_id),
        "cudnn_conv_algo_search": "HEURISTIC",
        "cudnn_conv_use_max_workspace": "1",
        "arena_extend_strategy": "kSameAsRequested",
        "use_tf32": "0" if options.precision is Precision.FP32 else "1",
        "enable_cuda_graph": str(int(options.cuda_graph)),
    }


def create_engine(network: CheckedModel, options: ProviderOptions) -> OnnxEngine:
    """Loads a network on a GPU, with inputs and outputs in its memory. Raises as `open_session` does."""
    load_libraries(Provider.CUDA)
    session, graph_note = open_with_graph(partial(_open, network), options)
    precision, notes = _arithmetic(network, options)
    notes += tuple(note for note in (graph_note, fallback_note(session, Provider.CUDA)) if note)
    return OnnxEngine(session, precision, notes, f"cuda:{options.device_id}")


def _open(network: CheckedModel, options: ProviderOptions) -> Any:
    chain = [(Provider.CUDA.value, cuda_options(options))]  # the processor takes the rest
    return open_session(network.data, Provider.CUDA, session_options(options), chain)


def open_with_graph(attempt: Callable[[ProviderOptions], Any], options: ProviderOptions) -> tuple[Any, str]:
    """Opens a session with graph capture where it was asked for, and without where the network does not allow that.

    Args:
        attempt: opens it as it is told.
        options: what was asked for.

    Returns:
        The session, and a note on the graph, "" where none was asked for.

    Raises:
        Exception: whatever `attempt` says where no graph is asked for.
    """
    if not options.cuda_graph:
        return attempt(options), ""
    try:
        session = attempt(options)
    except ProviderMissing:
        raise
    except Exception as error:
        # The runtime refuses at once: control flow, or operators that are not all on the GPU, such as an NMS.
        why = " ".join(str(error).split()).rpartition("as requested by the user ")[2][:120]
    else:
        image, *outputs = (tensor_info(tensor) for tensor in (session.get_inputs()[0], *session.get_outputs()))
        if fixed_outputs(image, outputs):
            return session, "as one CUDA graph"
        why = "how large its outputs are is only known when it ran"
        del session  # its memory, before another asks for as much
    # A broken model raises here again.
    return attempt(replace(options, cuda_graph=False)), f"{NO_GRAPH}{why}"


def _arithmetic(network: CheckedModel, options: ProviderOptions) -> tuple[str, tuple[str, ...]]:
    if network.weights is Precision.FP16:
        return "fp16", ()
    notes: tuple[str, ...] = ()
    if network.weights is Precision.INT8:
        notes = ("int8 only saves space here, --provider tensorrt computes in it",)
    if options.precision is Precision.FP32:
        return "fp32", notes
    return "tf32", ("where the GPU has it, --precision fp32 for full precision", *notes)
