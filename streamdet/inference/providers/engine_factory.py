"""The table of providers, and creating an engine on one of them."""

from __future__ import annotations

from collections.abc import Callable

from streamdet.errors import UsageError
from streamdet.inference.providers import cpu, cuda, openvino, tensorrt
from streamdet.inference.providers.engine import Engine
from streamdet.inference.providers.names import Provider
from streamdet.inference.providers.options import CheckedModel, ProviderOptions

ENGINE_FACTORIES: dict[Provider, Callable[[CheckedModel, ProviderOptions], Engine]] = {
    Provider.CPU: cpu.create_engine,
    Provider.CUDA: cuda.create_engine,
    Provider.TENSORRT: tensorrt.create_engine,
    Provider.OPENVINO: openvino.create_engine,
}
"""The function that loads a model on each provider. A new provider needs a row here and a member of `Provider`."""


def create_engine(model: CheckedModel, provider: Provider, options: ProviderOptions) -> Engine:
    """Loads a model on `provider`, and on no other.

    Args:
        model: a checked model.
        provider: the provider to run on.
        options: options of the provider.

    Raises:
        ProviderMissing: the provider is not available; the message names what is missing and how to install it.
        UsageError: the provider cannot compute in that precision.
        Exception: any error of the runtime that the model causes.
    """
    if model.binary is not None and provider is not Provider.OPENVINO:
        raise UsageError(
            f"{model.name} is an OpenVINO model: use --provider openvino, or the ONNX file that it was converted from"
        )
    options.check(provider, model)
    return ENGINE_FACTORIES[provider](model, options)
