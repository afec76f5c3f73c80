"""From a provider's name to a loaded network."""

from __future__ import annotations

from collections.abc import Callable

from streamdet.errors import UsageError
from streamdet.inference.providers import cpu, cuda, openvino, tensorrt
from streamdet.inference.providers.engine import Engine
from streamdet.inference.providers.names import Provider
from streamdet.inference.providers.options import CheckedModel, ProviderOptions

_CREATE: dict[Provider, Callable[[CheckedModel, ProviderOptions], Engine]] = {
    Provider.CPU: cpu.create_engine,
    Provider.CUDA: cuda.create_engine,
    Provider.TENSORRT: tensorrt.create_engine,
    Provider.OPENVINO: openvino.create_engine,
}


def create_engine(network: CheckedModel, provider: Provider, options: ProviderOptions) -> Engine:
    """Returns a loaded network that really runs on `provider`.

    Args:
        network: a checked model.
        provider: what it must run on.
        options: how.

    Raises:
        ProviderMissing: it cannot; the message names what is missing and how to get it.
        UsageError: the provider cannot compute in that precision.
        Exception: whatever the runtime says where the model is at fault.
    """
    if network.binary is not None and provider is not Provider.OPENVINO:
        raise UsageError(f"{network.name} is an OpenVINO model: use --provider openvino, or the ONNX file it came from")
    options.check(provider, network)
    return _CREATE[provider](network, options)
