"""The CUDA provider: NVIDIA GPUs through cuDNN."""

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

NO_GRAPH = "without the requested CUDA graph: "
"""Start of the note if a requested graph is not possible."""


def cuda_options(options: ProviderOptions) -> dict[str, str]:
    """Returns the options of the CUDA provider, as ONNX Runtime's page "CUDA Execution Provider" defines them.

    - HEURISTIC picks convolution algorithms in about 2 ms. The default, EXHAUSTIVE, tries them all: 0.6 to 1.4 s for
      every new shape, including each batch size, for the same speed (measured in PaddleX, PR 5057; cuDNN's newer
      interface, which ONNX Runtime uses since 1.20, may differ).
    - The largest workspace lets cuDNN use its tensor-core kernels, above all for fp16 ("Convolution-heavy models").
    - kSameAsRequested keeps the memory arena from doubling; shapes are fixed, so no size is requested twice.
    - TF32 rounds the factors of a product to 10 bits and adds in fp32; requesting fp32 turns it off.
    """
    return {
        "device_id": str(options.device_id),
        "cudnn_conv_algo_search": "HEURISTIC",
        "cudnn_conv_use_max_workspace": "1",
        "arena_extend_strategy": "kSameAsRequested",
        "use_tf32": "0" if options.precision is Precision.FP32 else "1",
        "enable_cuda_graph": str(int(options.cuda_graph)),
    }


def create_engine(model: CheckedModel, options: ProviderOptions) -> OnnxEngine:
    """Loads a model on a GPU, with inputs and outputs in GPU memory. Raises as `open_session` does."""
    load_libraries(Provider.CUDA)
    session, graph_note = open_with_graph(partial(_open, model), options)
    precision, notes = _precision_and_notes(model, options)
    notes += tuple(note for note in (graph_note, fallback_note(session, Provider.CUDA)) if note)
    return OnnxEngine(session, precision, notes, f"cuda:{options.device_id}")


def _open(model: CheckedModel, options: ProviderOptions) -> Any:
    chain = [(Provider.CUDA.value, cuda_options(options))]  # the CPU runs the other operators
    return open_session(model.data, Provider.CUDA, session_options(options), chain)


def open_with_graph(attempt: Callable[[ProviderOptions], Any], options: ProviderOptions) -> tuple[Any, str]:
    """Opens a session with graph capture if requested, and without if the network does not allow it.

    Args:
        attempt: opens a session with the given options.
        options: the requested options.

    Returns:
        The session, and a note on the graph, "" if none was requested.

    Raises:
        Exception: any error of `attempt` without a graph.
    """
    if not options.cuda_graph:
        return attempt(options), ""
    try:
        session = attempt(options)
    except ProviderMissing:
        raise
    except Exception as error:
        # The runtime refuses at once: control flow, or operators that are not on the GPU, such as NMS.
        why = " ".join(str(error).split()).rpartition("as requested by the user ")[2][:120]
    else:
        image, *outputs = (tensor_info(tensor) for tensor in (session.get_inputs()[0], *session.get_outputs()))
        if fixed_outputs(image, outputs):
            return session, "as one CUDA graph"
        why = "the shapes of its outputs are known only after a run"
        del session  # free its memory before the next session allocates as much
    # A broken model raises again here.
    return attempt(replace(options, cuda_graph=False)), f"{NO_GRAPH}{why}"


def _precision_and_notes(model: CheckedModel, options: ProviderOptions) -> tuple[str, tuple[str, ...]]:
    if model.weights is Precision.FP16:
        return "fp16", ()
    notes: tuple[str, ...] = ()
    if model.weights is Precision.INT8:
        notes = ("int8 only saves space with cuda, --provider tensorrt computes in it",)
    if options.precision is Precision.FP32:
        return "fp32", notes
    return "tf32", ("if the GPU has it, --precision fp32 for full precision", *notes)
