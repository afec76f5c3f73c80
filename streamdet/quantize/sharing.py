"""Tensors that meet in a Concat share one grid, so that joining them is copying bytes."""

from __future__ import annotations

from collections.abc import Mapping

from streamdet.quantize.graph import SAME_GRID, Graph, passing
from streamdet.quantize.grids import Grid, spanning

_MOST = 4.0
"""Times that a tensor's steps may become coarser by sharing; parts that differ more are converted at the Concat."""


def share(graph: Graph, grids: Mapping[str, Grid], symmetric: bool = False) -> dict[str, Grid]:
    """Returns the grids, with one for all that a Concat joins and gives: the smallest that spans theirs."""
    shared = dict(grids)
    for group in _groups(graph):
        lowest = min(-grids[name].zero * grids[name].scale for name in group)
        highest = max((255 - grids[name].zero) * grids[name].scale for name in group)
        one = spanning(lowest, highest, symmetric)
        if one.scale <= _MOST * min(grids[name].scale for name in group):
            shared.update(dict.fromkeys(group, one))
    return shared


def _groups(graph: Graph) -> list[list[str]]:
    """Returns the tensors that Concats tie together, also across operators that pass a grid on."""
    between = passing(graph, {layer.name for layer in graph.layers})
    groups: dict[str, list[str]] = {}
    for node in graph.model.graph.node:
        if node.name in between and node.op_type in ("Concat", *SAME_GRID):
            tied = [*graph.activations(node), graph.output_of(node)]
            merged = list(dict.fromkeys(name for first in tied for name in groups.get(first, [first])))
            groups.update(dict.fromkeys(merged, merged))
    return [group for first, group in groups.items() if group[0] == first and len(group) > 1]
