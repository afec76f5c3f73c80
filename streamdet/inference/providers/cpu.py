"""The CPU provider: ONNX Runtime's own kernels."""

from __future__ import annotations

from streamdet.inference.providers.engine import OnnxEngine
from streamdet.inference.providers.names import Precision, Provider
from streamdet.inference.providers.onnx_session import open_session, session_options
from streamdet.inference.providers.options import CheckedModel, ProviderOptions


def create_engine(model: CheckedModel, options: ProviderOptions) -> OnnxEngine:
    """Loads a model on the CPU. Raises as `open_session` does."""
    session = open_session(model.data, Provider.CPU, session_options(options), [Provider.CPU.value])
    if model.weights is Precision.FP16:
        return OnnxEngine(session, "fp32", ("its fp16 weights only save space on a CPU",))
    return OnnxEngine(session, model.weights.value)
