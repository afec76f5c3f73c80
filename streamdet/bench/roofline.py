"""Upper limits of a machine: bytes copied, and multiply-adds of convolutions in each precision."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from streamdet.inference.providers import Precision, Provider, ProviderOptions
from streamdet.inference.session import Session

CHANNELS, SIZE, LENGTH = 256, 150, 3
"""The chain of convolutions: the shape of three quarters of the flagship's arithmetic."""

CHAIN_GFLOP = 2 * LENGTH * CHANNELS * CHANNELS * 9 * SIZE * SIZE / 1e9
"""Arithmetic of one run of the chain (79.6)."""


def copy_bandwidth(threads: int, megabytes: int = 256, rounds: int = 5) -> float:
    """Returns the rate of copying memory in GB/s, counting bytes read and bytes written.

    Args:
        threads: number of threads, each of which copies its part.
        megabytes: amount to copy; far more than the caches hold.
        rounds: how often it is measured; the median is returned.
    """
    sources = np.array_split(np.zeros(megabytes << 17), threads)
    targets = np.array_split(np.ones(megabytes << 17), threads)
    with ThreadPoolExecutor(threads) as pool:

        def copy() -> None:
            list(pool.map(np.copyto, targets, sources))

        copy()
        seconds = statistics.median(_seconds(copy) for _ in range(rounds))
    return 2 * (megabytes << 20) / seconds / 1e9


def chain_runner(
    provider: str, precision: str, weights: Precision, threads: int, shape: tuple[int, int] = (CHANNELS, SIZE)
) -> Callable[[], object]:
    """Returns a function that runs the chain once.

    Args:
        provider: as for `Session`.
        precision: as for `Session`.
        weights: precision of the weights; INT8 for a quantized chain.
        threads: CPU threads for inference.
        shape: number of channels, and height and width.
    """
    model = convolution_chain(weights, *shape, signed=provider == Provider.TENSORRT.short)
    session = Session(
        model.SerializeToString(),
        provider=provider,
        precision=precision,
        threads=threads,
        options=ProviderOptions(max_batch=1),
    )
    channels, _ = shape
    batch = np.random.default_rng(0).random((1, channels, 1, 1)).astype(session.input.dtype)
    session.run(batch)
    return lambda: session.run(batch)


def convolution_chain(
    weights: Precision, channels: int = CHANNELS, size: int = SIZE, signed: bool = False
) -> ModelProto:
    """Returns a chain of 3x3 convolutions with ReLU, and the mean of the last, so that all of it must be computed.

    Input and output are one value per channel, expanded to the full size inside the graph: on an H100, copying a
    full-size input to the GPU took ten times as long as the convolutions.

    Args:
        weights: precision of the weights; INT8 for a quantized network.
        channels: channels of every convolution.
        size: height and width.
        signed: values between quantized convolutions are -128..127, as TensorRT needs, instead of 0..255.
    """
    half = weights is Precision.FP16
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    random = np.random.default_rng(0)
    nodes: list[NodeProto] = []
    constants: dict[str, NDArray[Any] | np.generic] = {
        "shape": np.array([1, channels, size, size], np.int64),
        "step": np.float32(1 / 127 if signed else 1 / 255),
        "zero": np.int8(0) if signed else np.uint8(0),
        "scales": np.full(channels, 2 / (73 * np.sqrt(9 * channels)), np.float32),  # keeps the values in range
        "zeros": np.zeros(channels, np.int8),
    }
    nodes.append(helper.make_node("Expand", ["image", "shape"], ["spread"]))
    value = "spread"
    for i in range(LENGTH):
        shape = (channels, channels, 3, 3)
        if weights is Precision.INT8:
            constants[f"w{i}"] = random.integers(-127, 128, shape, np.int8)
            nodes += _quantized(value, f"x{i}")
            nodes.append(helper.make_node("DequantizeLinear", [f"w{i}", "scales", "zeros"], [f"v{i}"], axis=0))
            value, filters = f"x{i}", f"v{i}"
        else:
            scaled = random.standard_normal(shape, dtype=np.float32) / np.sqrt(9 * channels)
            constants[f"w{i}"] = scaled.astype(np.float16 if half else np.float32)
            filters = f"w{i}"
        nodes.append(helper.make_node("Conv", [value, filters], [f"c{i}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
        value = f"r{i}"
    if weights is Precision.INT8:
        nodes += _quantized(value, "last")
        value = "last"
    nodes.append(helper.make_node("GlobalAveragePool", [value], ["mean"]))
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("image", kind, [1, channels, 1, 1])],
        [helper.make_tensor_value_info("mean", kind, [1, channels, 1, 1])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items() if name in used],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _quantized(value: str, result: str) -> list[NodeProto]:
    """Returns nodes that quantize a value to 8 bits and back."""
    return [
        helper.make_node("QuantizeLinear", [value, "step", "zero"], [f"{result}_bytes"]),
        helper.make_node("DequantizeLinear", [f"{result}_bytes", "step", "zero"], [result]),
    ]


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
