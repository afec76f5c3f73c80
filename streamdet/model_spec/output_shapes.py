"""Finds the tensors of each output contract among the outputs of a network, by shape and name."""

from __future__ import annotations

from collections.abc import Sequence

from streamdet.model_spec.signature import Tensor, fixed_size


def yolox_strides(width: int, height: int, cells: int) -> tuple[int, ...]:
    """Returns the strides whose grids have `cells` cells in total, () if no common set of strides does.

    >>> yolox_strides(416, 416, 3549)
    (8, 16, 32)
    """
    for strides in ((8, 16, 32), (8, 16, 32, 64)):
        if cells and sum((width // s) * (height // s) for s in strides) == cells:
            return strides
    return ()


def find_ssd_heads(outputs: Sequence[Tensor], count: int) -> tuple[Tensor, Tensor] | None:
    """Returns the raw heads loc (n, 4, count) and conf (n, 1 + classes, count) of a network, None if it has none.

    With three classes both have the same shape; then their names decide.
    """
    loc = [tensor for tensor in outputs if _picture_shape(tensor) == (4, count)]
    conf = [tensor for tensor in outputs if (s := _picture_shape(tensor)) and s[0] >= 2 and s[1] == count]
    if len(loc) == 2:
        loc = [tensor for tensor in loc if tensor.name == "loc"]
    conf = [tensor for tensor in conf if tensor not in loc]
    return (loc[0], conf[0]) if len(loc) == len(conf) == 1 else None


def _picture_shape(tensor: Tensor) -> tuple[int, ...]:
    """Returns the shape of a head for one picture, () for other tensors."""
    return tuple(fixed_size(dimension) for dimension in tensor.shape[1:]) if len(tensor.shape) == 3 else ()


def find_ssd_index(outputs: Sequence[Tensor]) -> Tensor | None:
    """Returns the output (n, K) with the indices of the default boxes that the network kept, None if it keeps all."""
    return next((t for t in outputs if t.name == "index" and len(t.shape) == 2), None)


_ROLES = (("box",), ("score", "conf", "prob"), ("label", "class", "cls"))


def find_separate_outputs(outputs: Sequence[Tensor]) -> tuple[str, str, str] | None:
    """Returns the names of the boxes, scores and labels outputs, found by their names; None if one is missing."""
    found: list[str] = []
    for words in _ROLES:
        for tensor in outputs:
            name = tensor.name.casefold()
            if tensor.name not in found and "num" not in name and any(word in name for word in words):
                found.append(tensor.name)
                break
        else:
            return None
    boxes, scores, labels = found
    ranks = {tensor.name: len(tensor.shape) for tensor in outputs}
    # An empty shape means that the exporter did not know it.
    plausible = ranks[boxes] in (0, 2, 3) and ranks[scores] in (0, 1, 2) and ranks[labels] in (0, 1, 2)
    return (boxes, scores, labels) if plausible else None


def find_rows_output(outputs: Sequence[Tensor]) -> str | None:
    """Returns the name of the single output of (n, 6) or (1, n, 6) rows, None if there is none."""
    if len(outputs) == 1 and len(outputs[0].shape) in (2, 3) and fixed_size(outputs[0].shape[-1]) == 6:
        return outputs[0].name
    return None
