"""Finds what a network does to its input before the first convolution, and folds preprocessing into the network."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray

from streamdet.convert.options import Channels, InputType, Layout
from streamdet.errors import ModelError
from streamdet.inference.session import Session
from streamdet.model_spec.spec import ModelSpec
from streamdet.models.onnx_graph import GraphLinks, attribute, extract_subgraph, free_names
from streamdet.models.recognize import CONTRACT_DEFAULTS

INPUT_NODES = ("image_nchw", "image_float", "image_centred")
"""Nodes that `fold_input` adds, in their order; each has the name of its output."""

_EXACT = 1e-4  # relative difference of float32 arithmetic in another order, for values around 1


@dataclass(frozen=True, slots=True)
class InputTransform:
    """The input of the first convolution, from the 0..255 values of a picture: ``(v[color] - mean) * scale``.

    Attributes:
        colors: by channel: 0 red, 1 green, 2 blue.
        mean: by channel.
        scale: by channel.
    """

    colors: tuple[int, int, int]
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]

    @classmethod
    def of(cls, spec: ModelSpec) -> InputTransform:
        """Returns the transform of a spec's preprocessing."""
        colors = (0, 1, 2) if spec.rgb else (2, 1, 0)
        return cls(colors, spec.mean, (1 / spec.std[0], 1 / spec.std[1], 1 / spec.std[2]))


def first_conv(model: onnx.ModelProto) -> onnx.NodeProto:
    """Returns the first convolution.

    Raises:
        ModelError: there is not exactly one that all others follow.
    """
    links = GraphLinks.of(model.graph)
    after: set[str] = set()
    first: list[onnx.NodeProto] = []
    for node in links.nodes_leading_to(value.name for value in model.graph.output):
        if after.intersection(node.input):
            after.update(node.output)
        elif node.op_type == "Conv":
            first.append(node)
            after.update(node.output)
    if len(first) != 1:
        raise ModelError(f"expected one first convolution, found {len(first)}: its input cannot be changed")
    return first[0]


def transforms_input(model: onnx.ModelProto) -> bool:
    """Returns whether the network has nodes between its input and the first convolution."""
    return bool(GraphLinks.of(model.graph).origin(first_conv(model).input[0]) != model.graph.input[0].name)


def measure_input_transform(model: onnx.ModelProto, spec: ModelSpec, size: int) -> InputTransform | None:
    """Measures what a network does before its first convolution, by running that part on test images.

    Returns:
        The input of the first convolution for a picture preprocessed as `spec` says; None where the network does
        something else than reordering channels, adding and multiplying.
    """
    data = extract_subgraph(model, model.graph.input, [first_conv(model).input[0]]).SerializeToString()
    random = np.random.default_rng(0)
    with Session(data, provider="cpu") as session:

        def run(picture: NDArray[np.float32]) -> NDArray[np.float32]:
            """Takes a picture in the input's own channel order, (3, size, size)."""
            image = picture if spec.nchw else picture.transpose(1, 2, 0)
            values = session.run(np.ascontiguousarray(image[None], session.input.dtype))
            transformed: NDArray[np.float32] = next(iter(values.values()))[0]
            return transformed

        probes = np.zeros((4, 3, size, size), np.float32)
        for channel in range(3):
            probes[channel + 1, channel] = 255
        transformed = [run(picture) for picture in probes]
        noise = random.integers(0, 256, (3, size, size)).astype(np.float32)
        transformed_noise = run(noise)
    if transformed_noise.shape != noise.shape:
        return None
    offset = np.array([channel.flat[0] for channel in transformed[0]], np.float64)
    gains = np.array([[channel.flat[0] for channel in values] for values in transformed[1:]], np.float64).T
    gains = (gains - offset[:, None]) / 255
    order = np.abs(gains).argmax(axis=1)
    gain = gains[np.arange(3), order]
    expected = gain[:, None, None] * noise[order] + offset[:, None, None]
    tolerance = _EXACT * np.abs(transformed_noise).max()
    if sorted(order) != [0, 1, 2] or not np.allclose(transformed_noise, expected, rtol=_EXACT, atol=tolerance):
        return None
    before = InputTransform.of(spec)
    colors, means, scales = [], [], []
    for channel, source in enumerate(order):
        colors.append(before.colors[source])
        # gain * ((v - mean) * scale) + offset
        scales.append(float(gain[channel] * before.scale[source]))
        means.append(float(before.mean[source] - offset[channel] / scales[-1]))
    return InputTransform((colors[0], colors[1], colors[2]), _three(means), _three(scales))


def _three(values: list[float]) -> tuple[float, float, float]:
    return values[0], values[1], values[2]


def infer_input_spec(model: onnx.ModelProto, spec: ModelSpec, size: int) -> ModelSpec:
    """Returns the spec with the preprocessing that a source needs which normalizes its own input.

    Names and shapes of inputs do not show that. The network's own transform does: the convolutions want what those of
    its contract want, which is RGB minus the means, divided by the deviations. The divisions and the channel order may
    also be folded into the first weights; the means cannot. If the transform is none of these, returns `spec`.
    """
    plain = replace(spec, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), rgb=True)
    inside = measure_input_transform(model, plain, size)
    if inside is None:
        return spec
    defaults = CONTRACT_DEFAULTS[spec.contract]
    mean, std = np.array(defaults["mean"]), np.array(defaults["std"])
    for rgb in (True, False):
        colors = [color if rgb else 2 - color for color in inside.colors]
        for unit in (1.0,) if spec.uint8 else (1.0, 255.0):
            scale = np.array(inside.scale) / unit
            if not np.allclose(np.array(inside.mean) * unit, mean[colors], rtol=_EXACT):
                continue
            if np.allclose(scale * unit, 1, rtol=_EXACT) or (
                colors == [0, 1, 2] and np.allclose(scale, 1 / std, rtol=_EXACT)
            ):
                return replace(plain, rgb=rgb, std=(unit, unit, unit))
    return spec


def fold_input(
    model: onnx.ModelProto,
    transform: InputTransform,
    channels: Channels,
    input_type: InputType,
    layout: Layout,
    size: int,
) -> onnx.ModelProto:
    """Returns the model with an input of 0..255 values in the order `channels`, and the preprocessing inside.

    Scale and channel order go into the first convolution's weights. The mean cannot: the convolution pads with zeros,
    which stand for the mean color, so the mean stays a subtraction before it.

    Raises:
        ModelError: the first convolution's weights are not stored in float32 (a quantized model).
    """
    first = first_conv(model)
    links = GraphLinks.of(model.graph)
    weights = links.stored.get(first.input[1])
    if weights is None or attribute(first, "group", 1) != 1:
        raise ModelError("its first convolution is quantized, so nothing can be folded into it: convert the original")
    if weights.data_type != onnx.TensorProto.FLOAT:
        raise ModelError("its weights are not float32, so nothing can be folded into them: convert the original")
    kernels = onnx.numpy_helper.to_array(weights).astype(np.float64)
    folded, mean = np.empty_like(kernels), np.empty(3, np.float32)
    for channel, color in enumerate(transform.colors):
        target = color if channels is Channels.RGB else 2 - color
        folded[:, target] = kernels[:, channel] * transform.scale[channel]
        mean[target] = transform.mean[channel]
    new_names = {"image", *INPUT_NODES, "image_mean", "stem_weights"}
    image = onnx.helper.make_tensor_value_info("image", _element_type(input_type), _image_shape(layout, size))
    outputs = [value.name for value in model.graph.output]
    body = extract_subgraph(model, [image], outputs, stop=frozenset([first.input[0]]))
    del body.graph.output[:]
    body.graph.output.extend(model.graph.output)
    del body.graph.input[:]
    free_names(body.graph, new_names)
    body.graph.input.append(image)
    first = first_conv(body)
    first.input[0], first.input[1] = "image_centred", "stem_weights"
    body.graph.initializer.append(onnx.numpy_helper.from_array(folded.astype(np.float32), "stem_weights"))
    body.graph.initializer.append(onnx.numpy_helper.from_array(mean.reshape(3, 1, 1), "image_mean"))
    nodes = []
    name = "image"
    if layout is Layout.NHWC:  # before the cast, so that a uint8 image is transposed as bytes
        nodes.append(onnx.helper.make_node("Transpose", [name], ["image_nchw"], "image_nchw", perm=[0, 3, 1, 2]))
        name = "image_nchw"
    if input_type is InputType.UINT8:
        nodes.append(onnx.helper.make_node("Cast", [name], ["image_float"], "image_float", to=onnx.TensorProto.FLOAT))
        name = "image_float"
    nodes.append(onnx.helper.make_node("Sub", [name, "image_mean"], ["image_centred"], "image_centred"))
    return with_nodes_first(body, nodes)


def to_nhwc_input(model: onnx.ModelProto, size: int) -> onnx.ModelProto:
    """Returns the model with its float input in NHWC, and nothing else changed."""
    free_names(model.graph, {"image", "image_nchw"})
    old = model.graph.input[0].name
    del model.graph.input[:]
    shape = _image_shape(Layout.NHWC, size)
    model.graph.input.append(onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, shape))
    node = onnx.helper.make_node("Transpose", ["image"], [old], "image_nchw", perm=[0, 3, 1, 2])
    return with_nodes_first(model, [node])


def with_nodes_first(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> onnx.ModelProto:
    """Returns the model with these nodes before all others, and without unused weights."""
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
    used = {name for node in model.graph.node for name in node.input}
    weights = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(weights)
    return model


def _element_type(input_type: InputType) -> int:
    return int(onnx.TensorProto.UINT8 if input_type is InputType.UINT8 else onnx.TensorProto.FLOAT)


def _image_shape(layout: Layout, size: int) -> list[int | str]:
    return ["batch", 3, size, size] if layout is Layout.NCHW else ["batch", size, size, 3]
