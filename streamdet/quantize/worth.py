"""Which layers at the start of a network are faster in float on a CPU: large pictures with few channels."""

from __future__ import annotations

from itertools import accumulate
from math import prod

import onnx

from streamdet.quantize import silu
from streamdet.quantize.graph import Graph
from streamdet.quantize.weights import output_axis

# Nanoseconds on one core with AVX-512 VNNI, fitted to ONNX Runtime's own profile of YOLOX-nano's 113 convolutions
# (within 15 %). What matters is their ratio: integers multiply four times as fast, but each value that passes a SiLU
# is converted twice, and an integer convolution looks up the place of each tap of its kernel for each pixel.
_FLOAT_MAC, _FLOAT_DEPTHWISE_MAC, _FLOAT_NODE = 0.0085, 0.019, 2_000
_INTEGER_MAC, _INTEGER_DEPTHWISE_MAC, _INTEGER_NODE = 0.0022, 0.008, 6_000
_INTEGER_TAP, _INTEGER_VALUE = 1.05, 0.035
_CONVERTED_VALUE, _CONVERSIONS = 0.15, 3_500


def slow_start(graph: Graph) -> list[str]:
    """Returns the names of the first layers, as many as leave the most time to save to the others in INT8.

    All of them where INT8 saves nothing. Choosing layers one by one instead would convert, and change the layout,
    between each two of them.
    """
    nodes = {node.name: node for node in graph.model.graph.node}
    wasted = accumulate((-_saved(graph, nodes[layer.name], layer.macs) for layer in graph.layers), initial=0.0)
    by_count = list(wasted)
    return [layer.name for layer in graph.layers[: by_count.index(max(by_count))]]


def _saved(graph: Graph, node: onnx.NodeProto, macs: int) -> float:
    """Returns by how many nanoseconds INT8 is faster in a layer and the SiLU behind it; less than 0 where slower."""
    shape: tuple[int, ...] = graph.constant(node.input[1]).shape
    channels = shape[output_axis(node, len(shape))]
    per_value = prod(shape) // channels
    values = macs / per_value
    taps = prod(shape[2:]) if node.op_type == "Conv" else 1
    depthwise = per_value == taps > 1
    in_float = _FLOAT_NODE + macs * (_FLOAT_DEPTHWISE_MAC if depthwise else _FLOAT_MAC)
    in_int8 = _INTEGER_NODE + macs * (_INTEGER_DEPTHWISE_MAC if depthwise else _INTEGER_MAC) + values * _INTEGER_VALUE
    if taps > 1:
        in_int8 += taps * values / channels * _INTEGER_TAP
    if any(reader.op_type == silu.OPERATOR for reader in graph.consumers.get(node.output[0], [])):
        in_int8 += _CONVERSIONS + values * _CONVERTED_VALUE
    return in_float - in_int8
