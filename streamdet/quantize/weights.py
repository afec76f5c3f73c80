"""Weights as integers, and what rounding them does to the mean of a layer's output."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from streamdet.quantize.graph import Graph
from streamdet.quantize.options import QuantizeOptions
from streamdet.quantize.statistics import Statistics


@dataclass(frozen=True, slots=True)
class Weights:
    """Integer weights of a layer.

    Attributes:
        values: int8, the shape of the float weights.
        scales: (channels,) or () float32.
        axis: of the output channels.
        bias: (channels,) float32, corrected; None where the layer has none and needs none.
    """

    values: NDArray[np.int8]
    scales: NDArray[np.float32]
    axis: int
    bias: NDArray[np.float32] | None


def quantise_weights(graph: Graph, node: onnx.NodeProto, seen: Statistics, options: QuantizeOptions) -> Weights:
    """Returns the integer weights of a layer.

    Args:
        graph: that the layer is in.
        node: the layer.
        seen: of its input.
        options: per channel or not, 7 or 8 bits, whether to correct the bias.
    """
    weights = graph.constant(node.input[1]).astype(np.float64)
    axis = output_axis(node, weights.ndim)
    largest = 63 if options.reduce_range else 127
    rows = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)
    ends = np.abs(rows if options.per_channel else rows.reshape(1, -1)).max(axis=1)
    scales = np.where(ends > 0, ends / largest, 1.0)  # clipping the largest weights to win finer steps never paid
    shape = [-1 if i == axis else 1 for i in range(weights.ndim)]
    values = np.clip(np.rint(weights / scales.reshape(shape if options.per_channel else ())), -largest, largest)
    bias = graph.constant(node.input[2]).astype(np.float64) if len(node.input) > 2 else None
    if options.correct_bias and node.op_type == "Conv":
        error = values * scales.reshape(shape if options.per_channel else ()) - weights
        bias = (0.0 if bias is None else bias) - _mean_shift(node, error, seen.channel_means)
    return Weights(
        values.astype(np.int8),
        scales.astype(np.float32) if options.per_channel else scales[0].astype(np.float32),
        axis,
        None if bias is None else bias.astype(np.float32),
    )


def output_axis(node: onnx.NodeProto, dimensions: int) -> int:
    """Returns the axis of a layer's weights that its output channels lie on."""
    if node.op_type == "MatMul":
        return dimensions - 1
    if node.op_type == "Gemm":
        return 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1
    return 0


def _mean_shift(node: onnx.NodeProto, error: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns (channels,) how far the mean of each output channel moves, taking every tap to see its channel's mean."""
    taps = error.reshape(*error.shape[:2], -1).sum(axis=2)  # (outputs, inputs of one group)
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    inputs = np.repeat(means.reshape(groups, -1), len(taps) // groups, axis=0)  # of each output's group
    return np.asarray((taps * inputs).sum(axis=1))
