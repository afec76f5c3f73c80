"""Small SSDs with untrained weights, made without PyTorch."""

import numpy as np

from streamdet.models.ssd_small import SmallSsdConfig, connect_layers

PLAN = SmallSsdConfig(("cat", "dog"), 96, 64)
"""Small, and wider than high, so that swapped axes are noticed."""


class Convs:
    """Collects the convolutions of a network."""

    def __init__(self):
        self.convs = []

    def conv(self, x, conv):
        self.convs.append(conv)

    def add(self, x, y, relu): ...

    def double(self, x): ...

    def rows(self, x, rows): ...

    def join(self, parts, name): ...


def random_weights(plan, seed=0):
    """Returns random weights that keep activations in an ordinary range through all layers."""
    random = np.random.default_rng(seed)
    found = Convs()
    connect_layers(found, None, len(plan.labels))
    weights = {}
    for conv in found.convs:
        shape = (conv.after, conv.before, conv.kernel, conv.kernel)
        deviation = np.sqrt(2 / np.prod(shape[1:]))
        weights[f"{conv.name}.weight"] = random.normal(0, deviation, shape)
        if conv.norm:
            weights[f"{conv.name}.gamma"] = random.uniform(0.7, 1.3, conv.after)
            weights[f"{conv.name}.beta"] = random.normal(0, 0.2, conv.after)
            weights[f"{conv.name}.mean"] = random.normal(0, 0.2, conv.after)
            weights[f"{conv.name}.variance"] = random.uniform(0.7, 1.3, conv.after)
        else:
            weights[f"{conv.name}.bias"] = random.normal(0, 0.2, conv.after)
    return {name: values.astype(np.float32) for name, values in weights.items()}


def silent_weights(plan):
    """Returns random weights whose heads score every default box as background, with zero offsets."""
    weights = random_weights(plan)
    for name, values in weights.items():
        if name.startswith(("loc", "conf")):
            values[:] = 0
    for i, grid in enumerate(plan.grids):
        weights[f"conf{i}.bias"][: len(grid.shapes)] = 12
    return weights
