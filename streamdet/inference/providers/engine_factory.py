"""The table of providers, and creating an engine on one of them."""

from __future__ import annotations

from importlib import import_module

from streamdet.errors import UsageError
from streamdet.inference.providers.engine import Engine
from streamdet.inference.providers.names import Provider
from streamdet.inference.providers.options import CheckedModel, ProviderOptions

ENGINE_MODULES = {
    Provider.CPU: "cpu",
    Provider.CUDA: "cuda",
    Provider.TENSORRT: "tensorrt",
    Provider.OPENVINO: "openvino",
}
"""The module of this folder whose `create_engine` loads a model on each provider; imported when first used.

A new provider needs a row here and a member of `Provider`."""


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
    module = import_module(f"streamdet.inference.providers.{ENGINE_MODULES[provider]}")
    engine: Engine = module.create_engine(model, options)
    return engine
