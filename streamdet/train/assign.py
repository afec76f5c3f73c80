"""Which default boxes answer for which objects while a network learns.

ATSS: Zhang et al., "Bridging the Gap Between Anchor-based and Anchor-free Detection via Adaptive Training Sample
Selection", CVPR 2020. The nearest boxes of every map are candidates; those that overlap their object more than these do
on the whole are chosen. No threshold has to be found for small or long objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import Boxes, cxcywh_to_xyxy
from streamdet.models.ssd_geometry import BoxGrid, boxes_cxcywh

BACKGROUND, IGNORED = 0, -1
_CANDIDATES = 9
"""Cells of each map that are looked at for an object; the paper's value."""
_IGNORE_OVERLAP = 0.4
"""Share of a default box that lies in an object to be ignored, from which on it learns nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """What is in a picture.

    Attributes:
        boxes_xyxy: (N, 4) float32 in 0..1 of the picture.
        class_ids: (N,) int64.
        ignored: (N,) bool: hardly to be seen; neither to be found nor to be called background.
    """

    boxes_xyxy: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    ignored: NDArray[np.bool_]


class _Map:
    """The default boxes of one grid, found by place."""

    def __init__(self, grid: BoxGrid, first: int) -> None:
        cells = grid.columns * grid.rows
        self._centers = boxes_cxcywh([grid])[:cells, :2]
        self._boxes = first + np.arange(len(grid.shapes)) * cells

    def near(self, point: NDArray[np.float32]) -> NDArray[np.int64]:
        """Returns the numbers of the default boxes whose cells are nearest to a point."""
        away = np.square(self._centers - point).sum(axis=1)
        count = min(_CANDIDATES, len(away))
        cells = np.argpartition(away, count - 1)[:count]
        return (self._boxes[:, None] + cells).ravel()


class Assigner:
    """Assigns the default boxes of a network.

    Args:
        grids: its default boxes.
    """

    def __init__(self, grids: Sequence[BoxGrid]) -> None:
        self._priors = boxes_cxcywh(grids)
        self._priors_xyxy = cxcywh_to_xyxy(self._priors)
        firsts = np.cumsum([0, *(grid.count for grid in grids)])
        self._maps = [_Map(grid, int(first)) for grid, first in zip(grids, firsts, strict=False)]

    def __call__(self, objects: Objects) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Returns what each default box should say.

        Returns:
            labels: (P,) int64: 1 + class, `BACKGROUND` or `IGNORED`.
            boxes_xyxy: (P, 4) float32, of its object; zeros where there is none.
        """
        labels = np.full(len(self._priors), BACKGROUND, np.int64)
        boxes = np.zeros((len(self._priors), 4), np.float32)
        for box in objects.boxes_xyxy[objects.ignored]:
            labels[_share_inside(self._priors_xyxy, box) >= _IGNORE_OVERLAP] = IGNORED
        wanted = np.flatnonzero(~objects.ignored)
        if not len(wanted):
            return labels, boxes
        best = np.zeros(len(self._priors), np.float32)
        for k in wanted:
            box = objects.boxes_xyxy[k]
            chosen, overlaps = self._chosen(box)
            better = overlaps > best[chosen]
            chosen = chosen[better]
            best[chosen] = overlaps[better]
            labels[chosen] = 1 + objects.class_ids[k]
            boxes[chosen] = box
        return labels, boxes

    def _chosen(self, box: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Returns the default boxes that answer for an object, and how much each overlaps it."""
        center = (box[:2] + box[2:]) / np.float32(2)
        ids = np.concatenate([boxes.near(center) for boxes in self._maps])
        overlaps = _overlaps(self._priors_xyxy[ids], box)
        inside = (self._priors[ids, :2] > box[:2]).all(axis=1) & (self._priors[ids, :2] < box[2:]).all(axis=1)
        good = inside & (overlaps >= overlaps.mean() + overlaps.std())
        if not good.any():  # an object between the centres of all cells: the one that overlaps it most
            good = np.arange(len(ids)) == int(overlaps.argmax())
        return ids[good], overlaps[good]


def _intersections(boxes: Boxes, box: NDArray[np.float32]) -> NDArray[np.float32]:
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    return np.asarray(np.maximum(sides, 0).prod(axis=1), np.float32)


def _areas(boxes: Boxes) -> NDArray[np.float32]:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), np.float32)


def _overlaps(boxes: Boxes, box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the IoU of (N, 4) boxes with one."""
    shared = _intersections(boxes, box)
    union = np.maximum(_areas(boxes) + _areas(box[None]) - shared, np.float32(1e-9))
    return np.asarray(shared / union, np.float32)


def _share_inside(boxes: Boxes, box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns how much of each of (N, 4) boxes lies in one."""
    return np.asarray(_intersections(boxes, box) / np.maximum(_areas(boxes), np.float32(1e-9)), np.float32)
