"""Output contracts: what the output tensors of a network mean. One decoder each, listed in `DECODER_BINDERS`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import Boxes
from streamdet.detect.decode_grid import fastestdet_candidates, yolox_candidates, yolox_grid
from streamdet.detect.decode_ssd import ssd_candidates
from streamdet.detect.postprocess import PostprocessRules, RawDetections, apply_nms, select_detections
from streamdet.errors import ModelError
from streamdet.model_spec.default_boxes import flagship_grids_for, grid_boxes_cxcywh
from streamdet.model_spec.output_shapes import (
    find_rows_output,
    find_separate_outputs,
    find_ssd_heads,
    find_ssd_index,
    yolox_strides,
)
from streamdet.model_spec.signature import Tensor, describe_tensors, fixed_size
from streamdet.model_spec.spec import Contract, ModelSpec

Outputs = Mapping[str, NDArray[Any]]
Decode = Callable[[Outputs, int, PostprocessRules], RawDetections]
"""Decodes one picture: outputs by name, its index in the batch, what to keep. Broken values (NaN, infinite, absurdly
large, ids of no class) are dropped; they never raise."""

# The number of classes if neither the graph nor the labels state it: more than any label tensor holds in practice.
_ANY_CLASS = 1 << 16


@dataclass(frozen=True, slots=True)
class Decoder:
    """An output contract bound to one model.

    Attributes:
        decode: decodes the outputs of one picture.
        classes: number of classes.
    """

    decode: Decode
    classes: int


def bind_decoder(spec: ModelSpec, outputs: Sequence[Tensor]) -> Decoder:
    """Returns the decoder of a model.

    Args:
        spec: the model; its `contract` states what the outputs mean.
        outputs: outputs of the session.

    Raises:
        ModelError: the outputs do not match the contract; the message states what was expected and found.
    """
    decoder = DECODER_BINDERS[spec.contract](spec, outputs)
    if spec.labels and decoder.classes != len(spec.labels):
        raise ModelError(
            f"{spec.name} has {decoder.classes} classes but {len(spec.labels)} labels: "
            "correct `labels` in its YAML description"
        )
    return decoder


def _mismatch(spec: ModelSpec, wanted: str, outputs: Sequence[Tensor]) -> ModelError:
    return ModelError(
        f"{spec.name} does not fit the contract {spec.contract.value}: looked for {wanted}, "
        f"found {describe_tensors(outputs)}; "
        "set `contract` in a YAML description next to the model"
    )


def _find_by_shape(outputs: Sequence[Tensor], matches: Callable[[tuple[int, ...]], bool]) -> Tensor | None:
    """Returns the first output whose shape matches; open dimensions are 0."""
    return next((t for t in outputs if matches(tuple(fixed_size(d) for d in t.shape))), None)


def _picture_output(outputs: Outputs, name: str, index: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Returns the output of one picture as C-contiguous float32; copies only if needed.

    Kernels trust shapes, but a runtime only warns if a network gives other shapes than its file declares. `shape` is
    what the kernel needs, with 0 for any size.

    Raises:
        ModelError: the output has another shape.
    """
    batch = outputs[name]
    fits = batch.ndim == len(shape) + 1 and index < len(batch)
    if not fits or any(size not in (0, found) for size, found in zip(shape, batch.shape[1:], strict=True)):
        wanted = ", ".join(str(size) if size else "?" for size in shape)
        raise ModelError(f"the model returned {name} of shape {batch.shape}: expected (n, {wanted})")
    return np.ascontiguousarray(batch[index], np.float32)


def _bind_ssd_heads(spec: ModelSpec, outputs: Sequence[Tensor]) -> Decoder:
    grids = spec.default_boxes or flagship_grids_for(spec.width, spec.height)
    if not grids:
        missing = f"`default_boxes` (none are known for an input of {spec.width}x{spec.height})"
        raise _mismatch(spec, f"loc (n, 4, P), conf (n, 1 + classes, P) and {missing}", outputs)
    count = sum(grid.count for grid in grids)
    index = find_ssd_index(outputs)
    kept = count if index is None else fixed_size(index.shape[1])
    heads = find_ssd_heads(outputs, kept)
    if heads is None or not 0 < kept <= count:
        raise _mismatch(spec, f"loc (n, 4, {count}) and conf (n, 1 + classes, {count})", outputs)
    loc_name, conf_name, classes = *(head.name for head in heads), fixed_size(heads[1].shape[1]) - 1
    default_boxes = grid_boxes_cxcywh(grids)

    def decode(values: Outputs, picture: int, rules: PostprocessRules) -> RawDetections:
        raw = (
            _picture_output(values, loc_name, picture, (4, kept)),
            _picture_output(values, conf_name, picture, (classes + 1, kept)),
        )
        boxes = (
            default_boxes if index is None else _kept_default_boxes(default_boxes, values, index.name, picture, kept)
        )
        return apply_nms(ssd_candidates(*raw, boxes, rules.wanted, rules.conf, spec.width, spec.height), rules)

    return Decoder(decode, classes)


def _kept_default_boxes(default_boxes: Boxes, values: Outputs, name: str, picture: int, count: int) -> Boxes:
    """Returns the (K, 4) default boxes that a network kept.

    Raises:
        ModelError: an index is out of range.
    """
    index = values[name]
    box_ids = index[picture] if index.ndim == 2 and picture < len(index) else index
    if box_ids.shape != (count,) or box_ids.dtype.kind not in "iu":
        raise ModelError(f"the model returned {name} of shape {index.shape}: expected integers (n, {count})")
    if ((box_ids < 0) | (box_ids >= len(default_boxes))).any():
        raise ModelError(f"the model returned {name} beyond its {len(default_boxes)} default boxes: convert it again")
    return default_boxes[box_ids]


def _bind_yolox(spec: ModelSpec, outputs: Sequence[Tensor]) -> Decoder:
    tensor = _find_by_shape(outputs, lambda s: len(s) == 3 and s[2] > 5)
    cells = fixed_size(tensor.shape[1]) if tensor else 0
    default_cells = sum((spec.width // s) * (spec.height // s) for s in (8, 16, 32))
    strides = yolox_strides(spec.width, spec.height, cells or default_cells)
    if tensor is None or not strides:
        raise _mismatch(spec, f"one output (n, {default_cells}, 5 + classes)", outputs)
    name, classes = tensor.name, fixed_size(tensor.shape[2]) - 5
    grid = yolox_grid(spec.width, spec.height, strides)

    def decode(values: Outputs, index: int, rules: PostprocessRules) -> RawDetections:
        cell_values = _picture_output(values, name, index, (len(grid), classes + 5))
        return apply_nms(yolox_candidates(cell_values, grid, rules.wanted, rules.conf), rules)

    return Decoder(decode, classes)


def _bind_fastestdet(spec: ModelSpec, outputs: Sequence[Tensor]) -> Decoder:
    tensor = _find_by_shape(outputs, lambda s: len(s) == 4 and s[1] > 5)
    if tensor is None:
        raise _mismatch(spec, "one output (n, 5 + classes, rows, columns)", outputs)
    name, classes = tensor.name, fixed_size(tensor.shape[1]) - 5

    def decode(values: Outputs, index: int, rules: PostprocessRules) -> RawDetections:
        maps = _picture_output(values, name, index, (classes + 5, 0, 0))
        return apply_nms(fastestdet_candidates(maps, rules.wanted, rules.conf, spec.width, spec.height), rules)

    return Decoder(decode, classes)


def _corners_px(spec: ModelSpec, boxes: NDArray[Any]) -> Boxes:
    """Returns (N, 4) corners as left, top, right, bottom in input pixels, from the box format of the model."""
    corners = boxes.astype(np.float32)
    if spec.box_order == "yxyx":
        corners = corners[:, [1, 0, 3, 2]]
    if spec.box_normalized:
        with np.errstate(over="ignore", invalid="ignore"):
            corners = corners * np.array([spec.width, spec.height] * 2, np.float32)
    return corners


def _end_to_end_output(spec: ModelSpec, name: str, array: NDArray[Any], index: int, rank: int) -> NDArray[Any]:
    """Returns the end-to-end output of one picture; the batch axis is optional."""
    if array.ndim == rank + 1 and index < len(array):
        picture: NDArray[Any] = array[index]
        return picture
    if array.ndim == rank and index == 0:
        return array
    raise ModelError(f"{spec.name} returned {name} of shape {array.shape}: expected {rank} dimensions per picture")


def _decode_rows(spec: ModelSpec, name: str) -> Decode:
    def decode(values: Outputs, index: int, rules: PostprocessRules) -> RawDetections:
        rows = (
            _end_to_end_output(spec, name, values[name], index, 2)
            if values[name].size
            else np.empty((0, 6), np.float32)
        )
        if rows.shape[1] != 6:
            raise ModelError(f"{spec.name} returned {name} of shape {values[name].shape}: expected rows of 6 values")
        class_ids = _class_ids(rows[:, 5], spec.label_offset)
        return select_detections(_corners_px(spec, rows[:, :4]), rows[:, 4], class_ids, rules)

    return decode


def _class_ids(labels: NDArray[Any], offset: int) -> NDArray[np.int64]:
    """Returns class ids from 0; -1 for labels that are no class id."""
    if labels.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            labels = np.where(np.abs(labels) < _ANY_CLASS, labels, -1)
    numbers: NDArray[np.int64] = labels.astype(np.int64)
    return np.where(numbers >= offset, numbers - offset, -1)


def _decode_separate(spec: ModelSpec, names: tuple[str, str, str]) -> Decode:
    boxes_name, scores_name, labels_name = names

    def decode(values: Outputs, index: int, rules: PostprocessRules) -> RawDetections:
        if 0 in (values[name].size for name in names):
            return select_detections(
                np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64), rules
            )
        boxes = _end_to_end_output(spec, boxes_name, values[boxes_name], index, 2)
        scores = _end_to_end_output(spec, scores_name, values[scores_name], index, 1)
        labels = _end_to_end_output(spec, labels_name, values[labels_name], index, 1)
        if boxes.shape != (len(scores), 4) or len(labels) != len(scores):
            shapes = f"boxes {boxes.shape}, scores {scores.shape}, labels {labels.shape}"
            raise ModelError(f"{spec.name} returned {shapes}: their shapes do not match")
        return select_detections(_corners_px(spec, boxes), scores, _class_ids(labels, spec.label_offset), rules)

    return decode


def _bind_end_to_end(spec: ModelSpec, outputs: Sequence[Tensor]) -> Decoder:
    classes = len(spec.labels) or _ANY_CLASS
    names = {tensor.name for tensor in outputs}
    if spec.output_names:
        if len(spec.output_names) != 3 or not names.issuperset(spec.output_names):
            raise _mismatch(spec, f"boxes, scores and labels named {', '.join(spec.output_names)}", outputs)
        boxes, scores, labels = spec.output_names
        return Decoder(_decode_separate(spec, (boxes, scores, labels)), classes)
    if (rows := find_rows_output(outputs)) is not None:
        return Decoder(_decode_rows(spec, rows), classes)
    if (separate := find_separate_outputs(outputs)) is not None:
        return Decoder(_decode_separate(spec, separate), classes)
    raise _mismatch(spec, "rows (n, 6), or outputs with names like boxes (n, 4), scores (n) and labels (n)", outputs)


def _bind_ssd_published(spec: ModelSpec, outputs: Sequence[Tensor]) -> Decoder:
    # By name: sources of this model list the outputs in different orders.
    names = ("bboxes", "scores", "labels")
    if not {tensor.name for tensor in outputs}.issuperset(names):
        raise _mismatch(spec, "outputs named bboxes, scores and labels", outputs)
    return Decoder(_decode_separate(spec, names), len(spec.labels) or _ANY_CLASS)


DECODER_BINDERS: dict[Contract, Callable[[ModelSpec, Sequence[Tensor]], Decoder]] = {
    Contract.SSD_HEADS: _bind_ssd_heads,
    Contract.SSD_PUBLISHED: _bind_ssd_published,
    Contract.YOLOX: _bind_yolox,
    Contract.FASTESTDET: _bind_fastestdet,
    Contract.END2END: _bind_end_to_end,
}
"""The function that binds each output contract to a model.

A new contract needs a member of `Contract`, a function here, and defaults and a recognizer in
`streamdet.models.recognize`."""
