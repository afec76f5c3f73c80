"""Creates ONNX Runtime sessions: common options, and the check that the provider really runs."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from streamdet.inference.providers.names import Provider, ProviderMissing
from streamdet.inference.providers.onnx_runtime import onnxruntime_module
from streamdet.inference.providers.options import ProviderOptions


def session_options(options: ProviderOptions) -> Any:
    """Returns the options common to all sessions.

    Spinning is off, since spinning threads would take the CPUs that decode and draw; this makes the flagship
    2 % slower. The memory arena stays on: with pictures of one size its blocks fit from the second run on.
    """
    ort = onnxruntime_module()
    so = ort.SessionOptions()
    so.log_severity_level = 4
    so.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    so.intra_op_num_threads = options.threads
    so.inter_op_num_threads = 1
    for pool in ("intra_op", "inter_op"):
        so.add_session_config_entry(f"session.{pool}.allow_spinning", "0")
    so.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return so


def open_session(data: bytes, provider: Provider, so: Any, chain: list[Any] | None) -> Any:
    """Returns an `onnxruntime.InferenceSession` that really runs on `provider`.

    Args:
        data: content of a checked ONNX file.
        provider: the provider to run on.
        so: from `session_options`.
        chain: providers with options, best first; None if `so` names the devices.

    Raises:
        ProviderMissing: the provider is not available; the message names what is missing and how to install it.
        Exception: any error of the runtime that the model causes.
    """
    try:
        session = onnxruntime_module().InferenceSession(data, so, providers=chain, enable_fallback=0)
    except Exception as error:
        # An old driver, or a GPU in use by others, is no error of the model. "CUDA failure 35: ... ; GPU=0 ; ..."
        if (refusal := re.search(r"CUDA failure \d+: [^;]*[^; ]", " ".join(str(error).split()))) is not None:
            raise ProviderMissing(provider, refusal[0]) from None
        raise
    if session.get_providers()[0] != provider.value:
        raise ProviderMissing(provider, "it did not start and gave no reason")
    return session


def fallback_note(session: Any, provider: Provider) -> str:
    """Returns a note on the operators that run on another provider than `provider`, "" if there are none."""
    counts: Counter[str] = Counter()
    total = 0
    for part in session.get_provider_graph_assignment_info():
        nodes = [node.op_type for node in part.get_nodes()]
        total += len(nodes)
        if part.ep_name != provider.value:
            counts.update(nodes)
    if not counts:
        return ""
    names = ", ".join(name for name, _ in counts.most_common(4)) + (", ..." if len(counts) > 4 else "")
    return f"{counts.total()} of {total} operators run on another provider: {names}"
