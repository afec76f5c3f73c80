"""Recognizes the output contract of a network from its signature, and fills in the usual input of its kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamdet.errors import ModelError
from streamdet.labels import COCO80, COCO90
from streamdet.model_spec.default_boxes import flagship_grids_for
from streamdet.model_spec.output_shapes import (
    find_rows_output,
    find_separate_outputs,
    find_ssd_heads,
    find_ssd_index,
    yolox_strides,
)
from streamdet.model_spec.signature import RANDOM_WEIGHTS_KEY, Signature, Tensor, describe_tensors, fixed_size
from streamdet.model_spec.spec import Contract, ModelSpec, Resize
from streamdet.models.description import read_metadata

# ImageNet statistics times 255.
IMAGENET_NORMALIZATION: dict[str, Any] = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
_UNIT: dict[str, Any] = {"std": (255.0, 255.0, 255.0)}

CONTRACT_DEFAULTS: dict[Contract, dict[str, Any]] = {
    Contract.SSD_HEADS: {**IMAGENET_NORMALIZATION},
    Contract.SSD_PUBLISHED: {**IMAGENET_NORMALIZATION, "label_offset": 1},
    Contract.YOLOX: {"rgb": False, "resize": Resize.LETTERBOX_TOP_LEFT, "conf": 0.3, "iou": 0.45},
    Contract.FASTESTDET: {**_UNIT, "rgb": False, "conf": 0.5, "iou": 0.45},
    Contract.END2END: {**_UNIT, "box_normalized": False, "resize": Resize.LETTERBOX_CENTER, "conf": 0.3},
}
"""Fields of `ModelSpec` for each contract, unless a description overrides them."""


@dataclass(frozen=True, slots=True)
class _Input:
    name: str
    nchw: bool
    width: int
    height: int
    uint8: bool


_Recognized = tuple[Contract, dict[str, Any]]
_Recognizer = Callable[[_Input, tuple[Tensor, ...]], _Recognized | None]


def recognize(signature: Signature, name: str, given: Mapping[str, Any] | None = None) -> ModelSpec:
    """Returns the spec of a network.

    Args:
        signature: signature of the network.
        name: name of the model.
        given: known fields of `ModelSpec`; they override the metadata of the file, which overrides what is recognized.

    Raises:
        ModelError: the signature is unknown; the message states what was expected and found. Or the metadata of the
            file is invalid.
    """
    given = {**read_metadata(signature.metadata, name), **(given or {})}
    image = _image_input(signature, name, given)
    contract = given.get("contract")
    fields: dict[str, Any] = {}
    if contract is None:
        contract, fields = _contract(signature, image, name)
    fields = {**CONTRACT_DEFAULTS[contract], "labels": _labels(contract, signature.outputs), **fields}
    if image.uint8:
        fields.update(uint8=True, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    if RANDOM_WEIGHTS_KEY in signature.metadata:
        fields.update(random_weights=True, about=signature.metadata.get("streamdet.about", "random weights"))
    fields.update(nchw=image.nchw, width=image.width, height=image.height)
    return ModelSpec(**{"name": name, **fields, **given, "contract": contract})


def _image_input(signature: Signature, name: str, given: Mapping[str, Any]) -> _Input:
    images = [tensor for tensor in signature.inputs if len(tensor.shape) == 4]
    if len(images) != 1 or len(signature.inputs) != 1:
        raise ModelError(
            f"{name} is not a detector streamdet can feed: looked for one image input (n, 3, height, width) or "
            f"(n, height, width, 3), found {describe_tensors(signature.inputs)}"
        )
    tensor = images[0]
    sizes = [fixed_size(dimension) for dimension in tensor.shape]
    nchw = bool(given.get("nchw", sizes[1] == 3 or sizes[3] != 3))
    if sizes[1 if nchw else 3] not in (0, 3):
        raise ModelError(f"{name} takes {describe_tensors([tensor])}: streamdet feeds 3 color channels")
    height, width = sizes[2:] if nchw else sizes[1:3]
    height, width = height or given.get("height", 0), width or given.get("width", 0)
    if not height or not width:
        raise ModelError(
            f"{name} takes pictures of any size ({describe_tensors([tensor])}): "
            "give `width` and `height` in a YAML description next to the model"
        )
    return _Input(tensor.name, nchw, width, height, tensor.dtype == np.uint8)


def _contract(signature: Signature, image: _Input, name: str) -> _Recognized:
    for recognizer in _RECOGNIZERS:
        if (recognized := recognizer(image, signature.outputs)) is not None:
            return recognized
    known = ", ".join(contract.value for contract in Contract)
    raise ModelError(
        f"{name} has no known output contract ({known}): its inputs are {describe_tensors(signature.inputs)}, "
        f"its outputs are {describe_tensors(signature.outputs)}; {_hint(signature.outputs)}"
    )


def _hint(outputs: tuple[Tensor, ...]) -> str:
    """Returns the fix for common outputs that are not supported."""
    shapes = [tuple(fixed_size(d) for d in tensor.shape) for tensor in outputs]
    if any(len(s) == 3 and 4 < s[1] < s[2] for s in shapes):
        return "it looks like raw boxes (n, 4 + classes, cells): export it with NMS included, as (1, n, 6) rows"
    if any(len(s) == 3 and s[1] % 3 == 0 and s[2] > 5 for s in shapes):
        return "it looks like anchor-based boxes: export it with NMS included, as (1, n, 6) rows"
    return "if it has one of these, set `contract` in a YAML description next to the model"


def _ssd_heads(image: _Input, outputs: tuple[Tensor, ...]) -> _Recognized | None:
    index = find_ssd_index(outputs)
    if len(outputs) != (2 if index is None else 3):
        return None
    grids = flagship_grids_for(image.width, image.height)
    count = sum(grid.count for grid in grids) if index is None else fixed_size(index.shape[1])
    return (Contract.SSD_HEADS, {}) if count and find_ssd_heads(outputs, count) else None


def _ssd_published(image: _Input, outputs: tuple[Tensor, ...]) -> _Recognized | None:
    published = {tensor.name for tensor in outputs} == {"bboxes", "labels", "scores"} and image.name == "image"
    return (Contract.SSD_PUBLISHED, {}) if published else None


def _tensorflow(image: _Input, outputs: tuple[Tensor, ...]) -> _Recognized | None:
    """Recognizes exports from TensorFlow, such as MLPerf's second SSD-ResNet34: y first, 0..1, COCO category ids."""
    names = {tensor.name.removesuffix(":0") for tensor in outputs}
    if not names >= {"detection_classes", "detection_scores"} or not names & {"detection_bboxes", "detection_boxes"}:
        return None
    fields = {
        "box_order": "yxyx",
        "box_normalized": True,
        "resize": Resize.STRETCH,
        "labels": COCO90,
        "label_offset": 1,
    }
    # MLPerf's preprocessing for it: the ImageNet mean as Caffe used it is subtracted, and nothing is divided.
    return Contract.END2END, {**fields, "mean": (123.68, 116.78, 103.94), "std": (1.0, 1.0, 1.0), "conf": 0.5}


def _yolox(image: _Input, outputs: tuple[Tensor, ...]) -> _Recognized | None:
    if len(outputs) != 1 or len(outputs[0].shape) != 3 or fixed_size(outputs[0].shape[2]) < 6:
        return None
    cells = fixed_size(outputs[0].shape[1])
    return (Contract.YOLOX, {}) if yolox_strides(image.width, image.height, cells) else None


def _fastestdet(image: _Input, outputs: tuple[Tensor, ...]) -> _Recognized | None:
    if len(outputs) != 1 or len(outputs[0].shape) != 4:
        return None
    _, channels, rows, columns = (fixed_size(d) for d in outputs[0].shape)
    fits = channels > 5 and (rows * 16, columns * 16) == (image.height, image.width)
    return (Contract.FASTESTDET, {}) if fits else None


def _rows(image: _Input, outputs: tuple[Tensor, ...]) -> _Recognized | None:
    return (Contract.END2END, {}) if find_rows_output(outputs) is not None else None


def _separate(image: _Input, outputs: tuple[Tensor, ...]) -> _Recognized | None:
    return (Contract.END2END, {"resize": Resize.STRETCH}) if find_separate_outputs(outputs) is not None else None


_RECOGNIZERS: tuple[_Recognizer, ...] = (
    _ssd_heads, _ssd_published, _tensorflow, _yolox, _fastestdet, _rows, _separate
)  # fmt: skip
"""Tried in this order; the first that recognizes the signature wins."""


def _labels(contract: Contract, outputs: tuple[Tensor, ...]) -> tuple[str, ...]:
    """Returns COCO's names if the number of classes is COCO's or unknown, else ()."""
    axis = {Contract.SSD_HEADS: 1, Contract.YOLOX: 2, Contract.FASTESTDET: 1}.get(contract)
    if axis is None:
        return COCO80
    extra = {Contract.SSD_HEADS: 1, Contract.YOLOX: 5, Contract.FASTESTDET: 5}[contract]
    sizes = [fixed_size(tensor.shape[axis]) for tensor in outputs if len(tensor.shape) > axis]
    return COCO80 if len(COCO80) + extra in sizes else ()
