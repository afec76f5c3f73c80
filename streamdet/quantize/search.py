"""Finds how many layers, of those that hurt most, have to stay in float."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from streamdet.quantize.graph import Layer

_CHANGE = 4.0
"""Cost of a layer in float among integer ones, in mean layers: its input and output are converted, and its neighbours
no longer pass integers on."""


def by_harm(layers: Sequence[Layer], sensitivity: Mapping[str, float]) -> list[str]:
    """Returns the layers' names, first the one whose staying in float buys most for what it costs.

    The cost is its compute plus that of changing between integer and float, which takes time however small the layer.
    """
    mean = sum(layer.macs for layer in layers) / len(layers) or 1
    costs = {layer.name: layer.macs / mean + _CHANGE for layer in layers}
    return sorted(costs, key=lambda name: -sensitivity[name] / costs[name])


def fewest(count: int, keeps: Callable[[int], bool]) -> int:
    """Returns the least number of layers to leave in float that keeps the accuracy.

    Doubles the number until it does, then halves the gap: about 2 log2(count) tries. More in float is taken to be no
    worse; `count` itself, all in float, is never tried.

    >>> fewest(100, lambda n: n >= 37)
    37
    """
    if keeps(0):
        return 0
    too_few, enough = 0, 1
    while enough < count and not keeps(enough):
        too_few, enough = enough, 2 * enough
    enough = min(enough, count)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if keeps(middle):
            enough = middle
        else:
            too_few = middle
    return enough
