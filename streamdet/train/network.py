"""The small SSD in PyTorch: the layers of `streamdet.models.ssd_small` with trainable weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from streamdet.models.ssd_small import EPSILON, Conv, SmallSsdConfig, Weights, connect_layers

_BACKGROUND = 0.99
"""Background score of an untrained network for every default box: most are background, and training starts smoothly."""
_NORM = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}
"""PyTorch's names for the parameters of a batch normalization."""


class SmallSsd(nn.Module):
    """The network of a configuration; maps normalized pictures (n, 3, h, w) to raw loc and conf."""

    def __init__(self, config: SmallSsdConfig, seed: int = 0) -> None:
        """Initializes the weights at random from `seed`."""
        super().__init__()
        torch.manual_seed(seed)
        self.config = config
        collector = _ConvCollector()
        connect_layers(collector, None, len(config.labels))
        self.convs = nn.ModuleDict({_key(conv): _layer(conv, len(config.labels)) for conv in collector.convs})
        self._specs = tuple(collector.convs)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Returns loc (n, 4, P) and conf (n, 1 + classes, P)."""
        return connect_layers(_TorchLayers(self.convs), image, len(self.config.labels))

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Returns copies of all weights, named as `streamdet.models.ssd_small` names them."""
        weights: dict[str, NDArray[np.float32]] = {}
        for name, tensor in self._named():
            weights[name] = tensor.detach().float().cpu().numpy().copy()
        return weights

    def load(self, weights: Weights) -> list[str]:
        """Loads weights with matching names and shapes, and returns the names of the network's weights without a match.

        A network for other classes has other heads: these keep their values, all other weights are loaded.
        """
        unmatched = []
        with torch.no_grad():
            for name, tensor in self._named():
                values = weights.get(name)
                if values is not None and values.shape == tuple(tensor.shape):
                    tensor.copy_(torch.from_numpy(np.array(values)))
                else:
                    unmatched.append(name)
        return unmatched

    def _named(self) -> list[tuple[str, Tensor]]:
        named = []
        for conv in self._specs:
            layer = self.convs[_key(conv)]
            named.append((f"{conv.name}.weight", layer.conv.weight))
            if conv.norm:
                named += [(f"{conv.name}.{ours}", getattr(layer.norm, theirs)) for ours, theirs in _NORM.items()]
            else:
                named.append((f"{conv.name}.bias", layer.conv.bias))
        return named


class _ConvCollector:
    """Collects the convolutions of a network without running it."""

    def __init__(self) -> None:
        self.convs: list[Conv] = []

    def conv(self, x: None, conv: Conv) -> None:
        self.convs.append(conv)

    def add(self, x: None, y: None, relu: bool) -> None: ...

    def double(self, x: None) -> None: ...

    def rows(self, x: None, rows: int) -> None: ...

    def join(self, parts: Sequence[None], name: str) -> None: ...


class _TorchLayers:
    """Runs a network on tensors."""

    def __init__(self, convs: nn.ModuleDict) -> None:
        self._convs = convs

    def conv(self, x: Tensor, conv: Conv) -> Tensor:
        layer = self._convs[_key(conv)]
        x = layer.conv(x)
        if conv.norm:
            x = layer.norm(x)
        return torch.relu_(x) if conv.relu else x

    def add(self, x: Tensor, y: Tensor, relu: bool) -> Tensor:
        return torch.relu_(x + y) if relu else x + y

    def double(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2.0, mode="nearest")

    def rows(self, x: Tensor, rows: int) -> Tensor:
        return x.reshape(len(x), rows, -1)

    def join(self, parts: Sequence[Tensor], name: str) -> Tensor:
        return torch.cat(list(parts), dim=2)


def _key(conv: Conv) -> str:
    return conv.name.replace(".", "_")


def _layer(conv: Conv, classes: int) -> nn.ModuleDict:
    layer = nn.Conv2d(conv.before, conv.after, conv.kernel, conv.stride, conv.kernel // 2, bias=not conv.norm)
    deviation = math.sqrt(2 / (conv.before * conv.kernel**2)) if conv.norm else 0.01
    nn.init.normal_(layer.weight, std=deviation)
    parts = {"conv": layer}
    if conv.norm:
        parts["norm"] = nn.BatchNorm2d(conv.after, eps=EPSILON, momentum=0.03)
    else:
        nn.init.zeros_(layer.bias)
        if conv.name.startswith("conf"):
            odds = math.log(_BACKGROUND / (1 - _BACKGROUND) * classes)
            with torch.no_grad():  # rows are classes, the background first, each with one channel per box of a cell
                layer.bias[: conv.after // (1 + classes)] = odds
    return nn.ModuleDict(parts)
