"""Finds the smallest number of sensitive layers that have to stay in float."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from streamdet.quantize.graph import Layer

_CONVERSION_COST = 4.0
"""Extra cost of a float layer among integer ones, in mean layers: its input and output are converted, and the nodes
around it no longer run on integers."""


def rank_by_sensitivity(layers: Sequence[Layer], sensitivity: Mapping[str, float]) -> list[str]:
    """Returns the layers' names by falling sensitivity per cost: the best candidates for float first.

    The cost is the layer's compute plus that of converting between integer and float, which takes time however small
    the layer is.
    """
    mean = sum(layer.macs for layer in layers) / len(layers) or 1
    costs = {layer.name: layer.macs / mean + _CONVERSION_COST for layer in layers}
    return sorted(costs, key=lambda name: -sensitivity[name] / costs[name])


def fewest_float_layers(count: int, is_accurate: Callable[[int], bool]) -> int:
    """Returns the smallest number of layers to keep in float that keeps the accuracy.

    Doubles the number until the accuracy is kept, then bisects: about 2 log2(count) trials. Assumes that more float
    layers are never worse. `count` itself, all layers in float, is never tried.

    >>> fewest_float_layers(100, lambda n: n >= 37)
    37
    """
    if is_accurate(0):
        return 0
    too_few, enough = 0, 1
    while enough < count and not is_accurate(enough):
        too_few, enough = enough, 2 * enough
    enough = min(enough, count)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if is_accurate(middle):
            enough = middle
        else:
            too_few = middle
    return enough
