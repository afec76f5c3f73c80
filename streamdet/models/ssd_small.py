"""A small SSD with one definition for two frameworks: PyTorch trains it, ONNX runs it.

`connect_layers` defines the network layer by layer, for any implementation of `Layers`. `OnnxLayers` makes an ONNX
graph, `streamdet.train.network` runs it with trainable weights.

It is a small version of the flagship: residual blocks, heads on several maps, default boxes and decoding by the same
code. Coarse maps are added to finer ones, which small objects need (Lin et al., "Feature Pyramid Networks", CVPR 2017).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from streamdet.model_spec.default_boxes import BoxGrid
from streamdet.model_spec.spec import Contract, ModelSpec
from streamdet.models.description import SPEC_KEY, metadata_text
from streamdet.models.recognize import IMAGENET_NORMALIZATION

T = TypeVar("T")
Weights = Mapping[str, NDArray[np.float32]]
"""Arrays by name: `name.weight` and `name.bias` of a convolution; `name.weight`, `name.gamma`, `name.beta`, `name.mean`
and `name.variance` of a normalized one."""

EPSILON = 1e-5
STRIDE = 32
"""Sides of the input are multiples of this, so that coarse maps align with finer ones."""

MIN_SIDE, MAX_SIDE = 2 * STRIDE, 64 * STRIDE
"""Limits of the input in pixels. The grids of larger inputs would not fit into a description."""

_STEM = (16, 24)
_STAGES = ((48, 2), (64, 2), (96, 1))
"""(channels, blocks) of the maps at an 8th, a 16th and a 32nd of the input."""
_NECK = 64
_MAPS = (8, 16, 32, 64)
"""Input pixels per cell of each map with heads."""
_SHAPES = ((1.0, 0.4), (1.0, 1.0), (1.0, 2.2), (1.5, 0.4), (1.5, 2.2))
"""(size in units of four cells, width over height) of the default boxes of a cell: tall, square and wide."""


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution whose padding keeps the size, before its stride.

    Attributes:
        name: name of its weights.
        before: input channels.
        after: output channels.
        kernel: side of the kernel, odd.
        stride: stride on both axes.
        norm: batch normalization follows; otherwise it has a bias.
        relu: a ReLU follows.
    """

    name: str
    before: int
    after: int
    kernel: int = 3
    stride: int = 1
    norm: bool = True
    relu: bool = True


class Layers(Protocol[T]):
    """The operations that `connect_layers` needs; T is the value that flows between layers."""

    def conv(self, x: T, conv: Conv) -> T:
        """Returns x after a convolution, its normalization and its ReLU."""

    def add(self, x: T, y: T, relu: bool) -> T:
        """Returns x + y, followed by a ReLU if `relu`."""

    def double(self, x: T) -> T:
        """Returns x at twice its height and width, with each value repeated four times."""

    def rows(self, x: T, rows: int) -> T:
        """Returns (n, rows * k, h, w) as (n, rows, k * h * w)."""

    def join(self, parts: Sequence[T], name: str) -> T:
        """Returns parts concatenated along the last axis."""


@dataclass(frozen=True, slots=True)
class SmallSsdConfig:
    """The configuration of a small SSD.

    Attributes:
        labels: class names.
        width: input width in pixels, a multiple of `STRIDE`.
        height: input height in pixels, a multiple of `STRIDE`.

    Raises:
        ValueError: the sides are invalid.
    """

    labels: tuple[str, ...]
    width: int = 416
    height: int = 256

    def __post_init__(self) -> None:
        if not all(side % STRIDE == 0 and MIN_SIDE <= side <= MAX_SIDE for side in (self.width, self.height)):
            limits = f"sides must be multiples of {STRIDE} from {MIN_SIDE} to {MAX_SIDE}"
            raise ValueError(f"{limits}, got {self.width}x{self.height}")

    @property
    def grids(self) -> tuple[BoxGrid, ...]:
        """Grids of its default boxes."""
        grids = []
        for cell in _MAPS:
            shapes = tuple(_shape(4 * cell * size, ratio, self.width, self.height) for size, ratio in _SHAPES)
            grids.append(BoxGrid(math.ceil(self.width / cell), math.ceil(self.height / cell), shapes))
        return tuple(grids)


def _shape(size_px: float, ratio: float, width: int, height: int) -> tuple[float, float]:
    """Returns (width, height) of a box as fractions of the input; `size_px` is the geometric mean of its sides."""
    return round(size_px * math.sqrt(ratio) / width, 5), round(size_px / math.sqrt(ratio) / height, 5)


def connect_layers(layers: Layers[T], image: T, classes: int) -> tuple[T, T]:
    """Applies the network.

    Args:
        layers: implementation of the layers.
        image: (n, 3, h, w), normalized as ImageNet.
        classes: number of classes without the background.

    Returns:
        `loc` (n, 4, P) and `conf` (n, 1 + classes, P), raw.
    """
    x = layers.conv(image, Conv("stem0", 3, _STEM[0], stride=2))
    x = layers.conv(x, Conv("stem1", *_STEM, stride=2))
    x = _block(layers, x, "stem2", _STEM[1], _STEM[1])  # from here on a distant person is one or two cells wide
    before, maps = _STEM[1], []
    for stage, (channels, blocks) in enumerate(_STAGES):
        for block in range(blocks):
            x = _block(layers, x, f"stage{stage}.{block}", before, channels)
            before = channels
        maps.append(x)
    coarsest = layers.conv(x, Conv("extra0", before, _NECK, kernel=1))
    coarsest = layers.conv(coarsest, Conv("extra1", _NECK, _NECK, stride=2))
    merged: list[T] = []
    for stage in reversed(range(len(maps))):
        side = layers.conv(maps[stage], Conv(f"side{stage}", _STAGES[stage][0], _NECK, kernel=1, relu=False))
        merged.insert(0, layers.add(side, layers.double(merged[0]), relu=False) if merged else side)
    smooth = [layers.conv(x, Conv(f"neck{stage}", _NECK, _NECK)) for stage, x in enumerate(merged)]
    loc, conf = [], []
    boxes = len(_SHAPES)
    for i, x in enumerate([*smooth, coarsest]):
        loc.append(layers.rows(layers.conv(x, _head(f"loc{i}", 4 * boxes)), 4))
        conf.append(layers.rows(layers.conv(x, _head(f"conf{i}", (1 + classes) * boxes)), 1 + classes))
    return layers.join(loc, "loc"), layers.join(conf, "conf")


def _head(name: str, channels: int) -> Conv:
    return Conv(name, _NECK, channels, norm=False, relu=False)


def _block(layers: Layers[T], x: T, name: str, before: int, after: int) -> T:
    """Adds a basic residual block, as in the flagship; it halves the size if the channels change."""
    stride = 1 if before == after else 2
    y = layers.conv(x, Conv(f"{name}.a", before, after, stride=stride))
    y = layers.conv(y, Conv(f"{name}.b", after, after, relu=False))
    if stride == 2:
        x = layers.conv(x, Conv(f"{name}.c", before, after, kernel=1, stride=2, relu=False))
    return layers.add(y, x, relu=True)


@dataclass(slots=True)
class OnnxLayers:
    """Builds an ONNX graph of the network; the values that flow are names.

    Batch normalizations stay separate layers: sessions fold them when they load a model, and further training needs
    them.
    """

    weights: Weights
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def conv(self, x: str, conv: Conv) -> str:  # noqa: D102
        names = [f"{conv.name}.weight"] + ([] if conv.norm else [f"{conv.name}.bias"])
        side = conv.kernel // 2
        x = self._node(
            "Conv",
            [x, *(self._stored(name) for name in names)],
            conv.name,
            kernel_shape=[conv.kernel] * 2,
            strides=[conv.stride] * 2,
            pads=[side] * 4,
        )
        if conv.norm:
            parts = [self._stored(f"{conv.name}.{part}") for part in ("gamma", "beta", "mean", "variance")]
            x = self._node("BatchNormalization", [x, *parts], f"{conv.name}.norm", epsilon=EPSILON)
        return self._node("Relu", [x], f"{conv.name}.relu") if conv.relu else x

    def add(self, x: str, y: str, relu: bool) -> str:  # noqa: D102
        total = self._node("Add", [x, y], f"{x}.add")
        return self._node("Relu", [total], f"{x}.add.relu") if relu else total

    def double(self, x: str) -> str:  # noqa: D102
        scales = self._constant("twice", np.array([1, 1, 2, 2], np.float32))
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self._node("Resize", [x, "", scales], f"{x}.double", **how)

    def rows(self, x: str, rows: int) -> str:  # noqa: D102
        return self._node("Reshape", [x, self._constant(f"rows{rows}", np.array([0, rows, -1]))], f"{x}.rows")

    def join(self, parts: Sequence[str], name: str) -> str:  # noqa: D102
        return self._node("Concat", list(parts), name, axis=2)

    def _node(self, operator: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], output, **attributes))
        return output

    def _stored(self, name: str) -> str:
        return self._constant(name, np.asarray(self.weights[name], np.float32))

    def _constant(self, name: str, values: NDArray[np.generic]) -> str:
        self.constants.setdefault(name, numpy_helper.from_array(values, name))
        return name


def small_ssd_spec(config: SmallSsdConfig, name: str) -> ModelSpec:
    """Returns the spec of a small SSD."""
    return ModelSpec(
        name=name,
        contract=Contract.SSD_HEADS,
        width=config.width,
        height=config.height,
        labels=config.labels,
        default_boxes=config.grids,
        conf=0.7,
        iou=0.45,
        licence="Apache-2.0",
        **IMAGENET_NORMALIZATION,
    )


def build_small(config: SmallSsdConfig, weights: Weights, about: Mapping[str, str] | None = None) -> onnx.ModelProto:
    """Returns a network as a self-describing ONNX model; the result depends only on the arguments.

    Args:
        config: configuration of the network.
        weights: weights of every layer.
        about: additional metadata.

    Raises:
        KeyError: weights are missing.
    """
    layers = OnnxLayers(weights)
    connect_layers(layers, "image", len(config.labels))
    count = sum(grid.count for grid in config.grids)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, config.height, config.width])
    heads = {"loc": 4, "conf": 1 + len(config.labels)}
    outputs = [helper.make_tensor_value_info(key, TensorProto.FLOAT, ["batch", n, count]) for key, n in heads.items()]
    graph = helper.make_graph(layers.nodes, "ssd-small", [image], outputs, list(layers.constants.values()))
    opsets = [helper.make_opsetid("", 13)]
    ir_version = helper.find_min_ir_version_for(opsets)
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ir_version, producer_name="streamdet")
    helper.set_model_props(model, {SPEC_KEY: metadata_text(small_ssd_spec(config, "ssd-small")), **(about or {})})
    onnx.checker.check_model(model, full_check=True)
    return model


def stored_weights(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    """Returns the weights stored in a model made by `build_small`."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return {name: np.array(values) for name, values in stored.items() if "." in name}
