"""The one way ONNX Runtime's sessions are made here."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from streamdet.inference.providers.names import Provider, ProviderMissing
from streamdet.inference.providers.onnx_runtime import onnxruntime_module
from streamdet.inference.providers.options import ProviderOptions


def session_options(options: ProviderOptions) -> Any:
    """Returns what all sessions have in common.

    Threads that wait by spinning would take the processors that decode and draw; without it the flagship takes 2 %
    longer. The memory arena stays on: pictures of one size make its blocks fit from the second run on.
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
        data: a checked model.
        provider: what it must run on.
        so: from `session_options`.
        chain: providers with options, best first; None where `so` names the devices.

    Raises:
        ProviderMissing: it cannot; the message names what is missing and how to get it.
        Exception: whatever the runtime says where the model is at fault.
    """
    try:
        session = onnxruntime_module().InferenceSession(data, so, providers=chain, enable_fallback=0)
    except Exception as error:
        # An old driver, a GPU in use by others: not the model's fault. "CUDA failure 35: ... ; GPU=0 ; hostname=..."
        if (refusal := re.search(r"CUDA failure \d+: [^;]*[^; ]", " ".join(str(error).split()))) is not None:
            raise ProviderMissing(provider, refusal[0]) from None
        raise
    if session.get_providers()[0] != provider.value:
        raise ProviderMissing(provider, "it did not start, without saying why")
    return session


def fallback_note(session: Any, provider: Provider) -> str:
    """Returns which operators run on another provider than the one that was asked for, "" where none do."""
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
