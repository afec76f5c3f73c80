"""Which first layers of a network run faster in float on a CPU: those with large inputs and few channels."""

from __future__ import annotations

from itertools import accumulate
from math import prod

import onnx

from streamdet.quantize import silu
from streamdet.quantize.graph import Graph
from streamdet.quantize.weights import output_axis

# Nanoseconds on one core with AVX-512 VNNI, fitted to ONNX Runtime's own profile of YOLOX-nano's 113 convolutions
# (within 15 %). Their ratio matters: integer multiply-adds are four times as fast, but each value that passes a SiLU
# is converted twice, and an integer convolution looks up the address of each kernel tap for each output pixel.
_FLOAT_MAC, _FLOAT_DEPTHWISE_MAC, _FLOAT_NODE = 0.0085, 0.019, 2_000
_INTEGER_MAC, _INTEGER_DEPTHWISE_MAC, _INTEGER_NODE = 0.0022, 0.008, 6_000
_INTEGER_TAP, _INTEGER_VALUE = 1.05, 0.035
_CONVERTED_VALUE, _CONVERSIONS = 0.15, 3_500


def layers_faster_in_float(graph: Graph) -> list[str]:
    """Returns the names of the first layers to keep in float, chosen to maximize the estimated speed-up of the rest.

    Returns all layers where INT8 saves no time. A choice layer by layer would add a conversion and a layout change
    between each two of them.
    """
    nodes = {node.name: node for node in graph.model.graph.node}
    wasted = accumulate((-_time_saved_ns(graph, nodes[layer.name], layer.macs) for layer in graph.layers), initial=0.0)
    by_count = list(wasted)
    return [layer.name for layer in graph.layers[: by_count.index(max(by_count))]]


def _time_saved_ns(graph: Graph, node: onnx.NodeProto, macs: int) -> float:
    """Returns the nanoseconds that INT8 saves in a layer and the SiLU after it; negative where INT8 is slower."""
    shape: tuple[int, ...] = graph.constant(node.input[1]).shape
    channels = shape[output_axis(node, len(shape))]
    macs_per_value = prod(shape) // channels
    values = macs / macs_per_value
    taps = prod(shape[2:]) if node.op_type == "Conv" else 1
    depthwise = macs_per_value == taps > 1
    in_float = _FLOAT_NODE + macs * (_FLOAT_DEPTHWISE_MAC if depthwise else _FLOAT_MAC)
    in_int8 = _INTEGER_NODE + macs * (_INTEGER_DEPTHWISE_MAC if depthwise else _INTEGER_MAC) + values * _INTEGER_VALUE
    if taps > 1:
        in_int8 += taps * values / channels * _INTEGER_TAP
    if any(reader.op_type == silu.OPERATOR for reader in graph.consumers.get(node.output[0], [])):
        in_int8 += _CONVERSIONS + values * _CONVERTED_VALUE
    return in_float - in_int8
