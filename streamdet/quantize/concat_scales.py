"""One scale and zero point for all tensors of a Concat, so that concatenating is copying bytes."""

from __future__ import annotations

from collections.abc import Mapping

from streamdet.quantize.graph import SAME_SCALE_OPS, Graph, integer_nodes_between
from streamdet.quantize.scale_zero_point import ScaleZeroPoint, scale_for_range

_MAX_COARSER = 4.0
"""Largest factor by which sharing may increase a tensor's scale. Inputs that differ more are requantized at the
Concat."""


def share_concat_scales(
    graph: Graph, scales: Mapping[str, ScaleZeroPoint], symmetric: bool = False
) -> dict[str, ScaleZeroPoint]:
    """Returns the scales with one for all inputs and the output of a Concat: the smallest that spans their ranges."""
    shared = dict(scales)
    for group in _groups(graph):
        lowest = min(-scales[name].zero_point * scales[name].scale for name in group)
        highest = max((255 - scales[name].zero_point) * scales[name].scale for name in group)
        common = scale_for_range(lowest, highest, symmetric)
        if common.scale <= _MAX_COARSER * min(scales[name].scale for name in group):
            shared.update(dict.fromkeys(group, common))
    return shared


def _groups(graph: Graph) -> list[list[str]]:
    """Returns the groups of tensors that Concats connect, also through operators that keep a scale."""
    between = integer_nodes_between(graph, {layer.name for layer in graph.layers})
    groups: dict[str, list[str]] = {}
    for node in graph.model.graph.node:
        if node.name in between and node.op_type in ("Concat", *SAME_SCALE_OPS):
            connected = [*graph.activations(node), graph.output_of(node)]
            merged = list(dict.fromkeys(name for first in connected for name in groups.get(first, [first])))
            groups.update(dict.fromkeys(merged, merged))
    return [group for first, group in groups.items() if group[0] == first and len(group) > 1]
