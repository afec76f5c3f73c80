"""Integer weights of a layer, and the bias correction for the mean shift that rounding them causes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from streamdet.quantize.graph import Graph
from streamdet.quantize.options import QuantizeOptions
from streamdet.quantize.statistics import TensorStatistics


@dataclass(frozen=True, slots=True)
class QuantizedWeights:
    """Integer weights of a layer.

    Attributes:
        values: int8, the shape of the float weights.
        scales: (channels,) or () float32.
        axis: index of the output channels.
        bias: (channels,) float32, corrected; None for a layer without a bias that needs no correction.
    """

    values: NDArray[np.int8]
    scales: NDArray[np.float32]
    axis: int
    bias: NDArray[np.float32] | None


def quantize_weights(
    graph: Graph, node: onnx.NodeProto, input_statistics: TensorStatistics, options: QuantizeOptions
) -> QuantizedWeights:
    """Returns the integer weights of a layer.

    Args:
        graph: of the layer.
        node: the layer.
        input_statistics: of the activation it reads.
        options: per channel or not, 7 or 8 bits, bias correction.
    """
    weights = graph.constant(node.input[1]).astype(np.float64)
    axis = output_axis(node, weights.ndim)
    limit = 63 if options.reduce_range else 127
    rows = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)
    ends = np.abs(rows if options.per_channel else rows.reshape(1, -1)).max(axis=1)
    scales = np.where(ends > 0, ends / limit, 1.0)  # clipping the largest weights never helped
    shape = [-1 if i == axis else 1 for i in range(weights.ndim)]
    values = np.clip(np.rint(weights / scales.reshape(shape if options.per_channel else ())), -limit, limit)
    bias = graph.constant(node.input[2]).astype(np.float64) if len(node.input) > 2 else None
    if options.bias_correction and node.op_type == "Conv":
        error = values * scales.reshape(shape if options.per_channel else ()) - weights
        bias = (0.0 if bias is None else bias) - _mean_shift(node, error, input_statistics.channel_means)
    return QuantizedWeights(
        values.astype(np.int8),
        scales.astype(np.float32) if options.per_channel else scales[0].astype(np.float32),
        axis,
        None if bias is None else bias.astype(np.float32),
    )


def output_axis(node: onnx.NodeProto, dimensions: int) -> int:
    """Returns the axis of a layer's weights that holds its output channels."""
    if node.op_type == "MatMul":
        return dimensions - 1
    if node.op_type == "Gemm":
        return 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1
    return 0


def _mean_shift(node: onnx.NodeProto, error: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the shift of the mean of each output channel, (channels,), if each tap reads its channel's mean."""
    taps = error.reshape(*error.shape[:2], -1).sum(axis=2)  # (outputs, inputs of one group)
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    inputs = np.repeat(means.reshape(groups, -1), len(taps) // groups, axis=0)  # of each output's group
    return np.asarray((taps * inputs).sum(axis=1))
