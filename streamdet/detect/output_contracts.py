"""Output contracts: what the tensors of a network mean. One small decoder each, all in `DECODER_BINDERS` at the end."""

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
"""Reads one picture: outputs by name, its place in the batch, what to keep. Broken values (NaN, infinite, absurdly far
or large, numbers of no class) are dropped, never raised."""

# The number of classes where neither the graph nor the labels say it: every number a label tensor may hold in practice.
_ANY_CLASS = 1 << 16


@dataclass(frozen=True, slots=True)
class Decoder:
    """A contract bound to one model.

    Attributes:
        decode: reads one picture's outputs.
        classes: how many classes there are.
    """

    decode: Decode
    classes: int


def bind_decoder(spec: ModelSpec, outputs: Sequence[Tensor]) -> Decoder:
    """Returns the decoder of a model.

    Args:
        spec: what its outputs are said to mean.
        outputs: what the session gives.

    Raises:
        ModelError: the outputs are not what the contract needs; the message says what was looked for and found.
    """
    decoder = DECODER_BINDERS[spec.contract](spec, outputs)
    if spec.labels and decoder.classes != len(spec.labels):
        raise ModelError(
            f"{spec.name} has {decoder.classes} classes but {len(spec.labels)} labels are given: "
            "correct `labels` in its YAML description"
        )
    return decoder


def _mismatch(spec: ModelSpec, wanted: str, outputs: Sequence[Tensor]) -> ModelError:
    return ModelError(
        f"{spec.name} does not fit the contract {spec.contract.value}: looked for {wanted}, "
        f"found {describe_tensors(outputs)}; "
        "give the right `contract` in a YAML description beside the model"
    )


def _by_shape(outputs: Sequence[Tensor], matches: Callable[[tuple[int, ...]], bool]) -> Tensor | None:
    return next((t for t in outputs if matches(tuple(fixed_size(d) for d in t.shape))), None)


def _dense(outputs: Outputs, name: str, index: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Returns one picture's part of an output as C-contiguous float32, without a copy where it is that already.

    Kernels trust shapes, and a runtime only warns where a network gives others than its file declares: `shape` is what
    they need, 0 where any size will do.

    Raises:
        ModelError: the output is of another shape.
    """
    batch = outputs[name]
    fits = batch.ndim == len(shape) + 1 and index < len(batch)
    if not fits or any(size not in (0, found) for size, found in zip(shape, batch.shape[1:], strict=True)):
        wanted = ", ".join(str(size) if size else "?" for size in shape)
        raise ModelError(f"the model gave {name} of shape {batch.shape}: expected (n, {wanted})")
    return np.ascontiguousarray(batch[index], np.float32)


def _ssd_heads(spec: ModelSpec, outputs: Sequence[Tensor]) -> Decoder:
    grids = spec.default_boxes or flagship_grids_for(spec.width, spec.height)
    if not grids:
        missing = f"`default_boxes` (none are known for an input of {spec.width}x{spec.height})"
        raise _mismatch(spec, f"loc (n, 4, P), conf (n, 1 + classes, P) and {missing}", outputs)
    count = sum(grid.count for grid in grids)
    index = find_ssd_index(outputs)
    given = count if index is None else fixed_size(index.shape[1])
    heads = find_ssd_heads(outputs, given)
    if heads is None or not 0 < given <= count:
        raise _mismatch(spec, f"loc (n, 4, {count}) and conf (n, 1 + classes, {count})", outputs)
    loc_name, conf_name, classes = *(head.name for head in heads), fixed_size(heads[1].shape[1]) - 1
    priors = grid_boxes_cxcywh(grids)

    def decode(values: Outputs, picture: int, rules: PostprocessRules) -> RawDetections:
        raw = _dense(values, loc_name, picture, (4, given)), _dense(values, conf_name, picture, (classes + 1, given))
        chosen = priors if index is None else _chosen(priors, values, index.name, picture, given)
        return apply_nms(ssd_candidates(*raw, chosen, rules.wanted, rules.conf, spec.width, spec.height), rules)

    return Decoder(decode, classes)


def _chosen(priors: Boxes, values: Outputs, name: str, picture: int, count: int) -> Boxes:
    """Returns the (K, 4) default boxes that a network chose.

    Raises:
        ModelError: it chose some that do not exist.
    """
    index = values[name]
    places = index[picture] if index.ndim == 2 and picture < len(index) else index
    if places.shape != (count,) or places.dtype.kind not in "iu":
        raise ModelError(f"the model gave {name} of shape {index.shape}: expected whole numbers (n, {count})")
    if ((places < 0) | (places >= len(priors))).any():
        raise ModelError(f"the model gave {name} beyond the {len(priors)} default boxes: convert it again")
    return priors[places]


def _yolox(spec: ModelSpec, outputs: Sequence[Tensor]) -> Decoder:
    tensor = _by_shape(outputs, lambda s: len(s) == 3 and s[2] > 5)
    cells = fixed_size(tensor.shape[1]) if tensor else 0
    usual = sum((spec.width // s) * (spec.height // s) for s in (8, 16, 32))
    strides = yolox_strides(spec.width, spec.height, cells or usual)
    if tensor is None or not strides:
        raise _mismatch(spec, f"one output (n, {usual}, 5 + classes)", outputs)
    name, classes = tensor.name, fixed_size(tensor.shape[2]) - 5
    grid = yolox_grid(spec.width, spec.height, strides)

    def decode(values: Outputs, index: int, rules: PostprocessRules) -> RawDetections:
        found = _dense(values, name, index, (len(grid), classes + 5))
        return apply_nms(yolox_candidates(found, grid, rules.wanted, rules.conf), rules)

    return Decoder(decode, classes)


def _fastestdet(spec: ModelSpec, outputs: Sequence[Tensor]) -> Decoder:
    tensor = _by_shape(outputs, lambda s: len(s) == 4 and s[1] > 5)
    if tensor is None:
        raise _mismatch(spec, "one output (n, 5 + classes, rows, columns)", outputs)
    name, classes = tensor.name, fixed_size(tensor.shape[1]) - 5

    def decode(values: Outputs, index: int, rules: PostprocessRules) -> RawDetections:
        maps = _dense(values, name, index, (classes + 5, 0, 0))
        return apply_nms(fastestdet_candidates(maps, rules.wanted, rules.conf, spec.width, spec.height), rules)

    return Decoder(decode, classes)


def _corners_px(spec: ModelSpec, boxes: NDArray[Any]) -> Boxes:
    """Returns (N, 4) corners as left, top, right, bottom in input pixels, whatever the network's habit."""
    corners = boxes.astype(np.float32)
    if spec.box_order == "yxyx":
        corners = corners[:, [1, 0, 3, 2]]
    if spec.box_normalized:
        with np.errstate(over="ignore", invalid="ignore"):
            corners = corners * np.array([spec.width, spec.height] * 2, np.float32)
    return corners


def _one(spec: ModelSpec, name: str, array: NDArray[Any], index: int, rank: int) -> NDArray[Any]:
    """Returns one picture's part of an end-to-end output, which comes with or without a batch axis."""
    if array.ndim == rank + 1 and index < len(array):
        picture: NDArray[Any] = array[index]
        return picture
    if array.ndim == rank and index == 0:
        return array
    raise ModelError(f"{spec.name} gave {name} of shape {array.shape}: expected {rank} dimensions for each picture")


def _rows(spec: ModelSpec, name: str) -> Decode:
    def decode(values: Outputs, index: int, rules: PostprocessRules) -> RawDetections:
        rows = _one(spec, name, values[name], index, 2) if values[name].size else np.empty((0, 6), np.float32)
        if rows.shape[1] != 6:
            raise ModelError(f"{spec.name} gave {name} of shape {values[name].shape}: expected rows of 6")
        class_ids = _class_ids(rows[:, 5], spec.label_offset)
        return select_detections(_corners_px(spec, rows[:, :4]), rows[:, 4], class_ids, rules)

    return decode


def _class_ids(labels: NDArray[Any], offset: int) -> NDArray[np.int64]:
    """Returns class numbers from 0; -1 for what is no class number."""
    if labels.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            labels = np.where(np.abs(labels) < _ANY_CLASS, labels, -1)
    numbers: NDArray[np.int64] = labels.astype(np.int64)
    return np.where(numbers >= offset, numbers - offset, -1)


def _separate(spec: ModelSpec, names: tuple[str, str, str]) -> Decode:
    boxes_name, scores_name, labels_name = names

    def decode(values: Outputs, index: int, rules: PostprocessRules) -> RawDetections:
        if 0 in (values[name].size for name in names):
            return select_detections(
                np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64), rules
            )
        boxes = _one(spec, boxes_name, values[boxes_name], index, 2)
        scores = _one(spec, scores_name, values[scores_name], index, 1)
        labels = _one(spec, labels_name, values[labels_name], index, 1)
        if boxes.shape != (len(scores), 4) or len(labels) != len(scores):
            found = f"boxes {boxes.shape}, scores {scores.shape}, labels {labels.shape}"
            raise ModelError(f"{spec.name} gave {found}: they do not belong together")
        return select_detections(_corners_px(spec, boxes), scores, _class_ids(labels, spec.label_offset), rules)

    return decode


def _end_to_end(spec: ModelSpec, outputs: Sequence[Tensor]) -> Decoder:
    classes = len(spec.labels) or _ANY_CLASS
    names = {tensor.name for tensor in outputs}
    if spec.output_names:
        if len(spec.output_names) != 3 or not names.issuperset(spec.output_names):
            raise _mismatch(spec, f"boxes, scores and labels named {', '.join(spec.output_names)}", outputs)
        boxes, scores, labels = spec.output_names
        return Decoder(_separate(spec, (boxes, scores, labels)), classes)
    if (rows := find_rows_output(outputs)) is not None:
        return Decoder(_rows(spec, rows), classes)
    if (separate := find_separate_outputs(outputs)) is not None:
        return Decoder(_separate(spec, separate), classes)
    raise _mismatch(spec, "rows (n, 6), or outputs named like boxes (n, 4), scores (n) and labels (n)", outputs)


def _ssd_published(spec: ModelSpec, outputs: Sequence[Tensor]) -> Decoder:
    # By name: the sources of this model list its outputs in different orders.
    names = ("bboxes", "scores", "labels")
    if not {tensor.name for tensor in outputs}.issuperset(names):
        raise _mismatch(spec, "outputs named bboxes, scores and labels", outputs)
    return Decoder(_separate(spec, names), len(spec.labels) or _ANY_CLASS)


DECODER_BINDERS: dict[Contract, Callable[[ModelSpec, Sequence[Tensor]], Decoder]] = {
    Contract.SSD_HEADS: _ssd_heads,
    Contract.SSD_PUBLISHED: _ssd_published,
    Contract.YOLOX: _yolox,
    Contract.FASTESTDET: _fastestdet,
    Contract.END2END: _end_to_end,
}
"""Every contract and what binds it to a model. A new one: a member of `Contract`, a function here, a family and a
recogniser in `streamdet.models.recognise`."""
