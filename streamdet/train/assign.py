"""Which default boxes answer for which objects while a network learns.

ATSS: Zhang et al., "Bridging the Gap Between Anchor-based and Anchor-free Detection via Adaptive Training Sample
Selection", CVPR 2020. The nearest boxes of every map are candidates; those that overlap their object more than these do
on the whole are chosen. No threshold has to be found for small or long objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import Boxes, cxcywh_to_xyxy
from streamdet.kernels import kernel
from streamdet.model_spec.default_boxes import BoxGrid, grid_boxes_cxcywh

BACKGROUND, IGNORED = 0, -1
_CANDIDATES = 9
"""Cells of each map that are looked at for an object; the paper's value."""
_IGNORE_OVERLAP = np.float32(0.4)
"""Share of a default box that lies in an object to be ignored, from which on it learns nothing."""
_LEAST = np.float32(1e-9)

Assigned = tuple[NDArray[np.int64], NDArray[np.float32]]
"""What each default box should say: (P,) int64 1 + class, `BACKGROUND` or `IGNORED`; and (P, 4) float32 corners of its
object in 0..1, zeros where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class LabeledObjects:
    """What is in a picture.

    Attributes:
        boxes_xyxy: (N, 4) float32 in 0..1 of the picture.
        class_ids: (N,) int64.
        ignored: (N,) bool: hardly to be seen; neither to be found nor to be called background.
    """

    boxes_xyxy: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    ignored: NDArray[np.bool_]


class DefaultBoxes(NamedTuple):
    """The default boxes of a network, as the kernel takes them.

    Attributes:
        xyxy: (P, 4) float32.
        centers: (P, 2) float32.
        maps: (maps, 3) int64: the first default box, cells, and boxes per cell. Of a map, the first box of each cell
            comes first, then the second of each, and so on.
    """

    xyxy: NDArray[np.float32]
    centers: NDArray[np.float32]
    maps: NDArray[np.int64]


def default_boxes_of(grids: Sequence[BoxGrid]) -> DefaultBoxes:
    """Returns the default boxes of grids."""
    boxes = grid_boxes_cxcywh(grids)
    firsts = np.cumsum([0, *(grid.count for grid in grids)])
    rows = [(first, grid.columns * grid.rows, len(grid.shapes)) for first, grid in zip(firsts[:-1], grids, strict=True)]
    return DefaultBoxes(cxcywh_to_xyxy(boxes), np.ascontiguousarray(boxes[:, :2]), np.array(rows, np.int64))


@kernel
def _intersection(a: NDArray[np.float32], b: NDArray[np.float32]) -> np.float32:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return np.float32(max(width, np.float32(0)) * max(height, np.float32(0)))


@kernel
def _area(box: NDArray[np.float32]) -> np.float32:
    return np.float32((box[2] - box[0]) * (box[3] - box[1]))


@kernel
def _candidates(priors: DefaultBoxes, box: NDArray[np.float32], found: NDArray[np.int64]) -> int:
    """Writes the numbers of the default boxes of the cells nearest to a box's centre, map by map; returns how many."""
    x, y = (box[0] + box[2]) / np.float32(2), (box[1] + box[3]) / np.float32(2)
    nearest, away = np.empty(_CANDIDATES, np.int64), np.empty(_CANDIDATES, np.float32)
    count = 0
    for m in range(len(priors.maps)):
        first, cells, shapes = priors.maps[m]
        kept = 0
        for cell in range(cells):
            dx, dy = priors.centers[first + cell, 0] - x, priors.centers[first + cell, 1] - y
            distance = dx * dx + dy * dy
            if kept == _CANDIDATES and not distance < away[kept - 1]:
                continue
            place = min(kept, _CANDIDATES - 1)
            while place > 0 and distance < away[place - 1]:
                away[place], nearest[place] = away[place - 1], nearest[place - 1]
                place -= 1
            away[place], nearest[place] = distance, cell
            kept = min(kept + 1, _CANDIDATES)
        for shape in range(shapes):
            for k in range(kept):
                found[count] = first + shape * cells + nearest[k]
                count += 1
    return count


@kernel
def _assign(
    priors: DefaultBoxes,
    boxes_xyxy: Boxes,
    class_ids: NDArray[np.int64],
    ignored: NDArray[np.bool_],
    labels: NDArray[np.int64],
    targets: Boxes,
) -> None:
    labels[:] = BACKGROUND
    targets[:] = 0
    best = np.zeros(len(labels), np.float32)
    ids = np.empty(int(priors.maps[:, 2].sum()) * _CANDIDATES, np.int64)
    overlaps = np.empty(len(ids), np.float32)
    for k in range(len(boxes_xyxy)):
        if ignored[k]:
            for p in range(len(labels)):
                prior = priors.xyxy[p]
                if _intersection(prior, boxes_xyxy[k]) / max(_area(prior), _LEAST) >= _IGNORE_OVERLAP:
                    labels[p] = IGNORED
    for k in range(len(boxes_xyxy)):
        if ignored[k]:
            continue
        box = boxes_xyxy[k]
        count = _candidates(priors, box, ids)
        total, squares, largest = 0.0, 0.0, 0
        for j in range(count):
            prior = priors.xyxy[ids[j]]
            shared = _intersection(prior, box)
            overlaps[j] = shared / max(_area(prior) + _area(box) - shared, _LEAST)
            total += overlaps[j]
            largest = j if overlaps[j] > overlaps[largest] else largest
        mean = total / count
        for j in range(count):
            squares += (overlaps[j] - mean) ** 2
        least = mean + np.sqrt(squares / count)
        chosen = 0
        for j in range(count):
            x, y = priors.centers[ids[j]]
            inside = box[0] < x < box[2] and box[1] < y < box[3]
            if inside and overlaps[j] >= least:
                chosen += 1
                if overlaps[j] > best[ids[j]]:
                    best[ids[j]], labels[ids[j]], targets[ids[j]] = overlaps[j], 1 + class_ids[k], box
        p = ids[largest]  # for an object between the centres of all cells: the one that overlaps it most
        if chosen == 0 and overlaps[largest] > best[p]:
            best[p], labels[p], targets[p] = overlaps[largest], 1 + class_ids[k], box


def assign(priors: DefaultBoxes, objects: LabeledObjects) -> Assigned:
    """Returns what each default box should say of a picture."""
    labels = np.empty(len(priors.xyxy), np.int64)
    targets = np.empty((len(priors.xyxy), 4), np.float32)
    _assign(priors, objects.boxes_xyxy, objects.class_ids, objects.ignored, labels, targets)
    return labels, targets


def assign_reference(priors: DefaultBoxes, objects: LabeledObjects) -> Assigned:
    """The same as `assign` in plain numpy."""
    labels = np.full(len(priors.xyxy), BACKGROUND, np.int64)
    targets = np.zeros((len(priors.xyxy), 4), np.float32)
    best = np.zeros(len(labels), np.float32)
    areas = (priors.xyxy[:, 2:] - priors.xyxy[:, :2]).prod(axis=1)
    for box in objects.boxes_xyxy[objects.ignored]:
        labels[_shared(priors.xyxy, box) / np.maximum(areas, _LEAST) >= _IGNORE_OVERLAP] = IGNORED
    for k in np.flatnonzero(~objects.ignored):
        box = objects.boxes_xyxy[k]
        parts = []
        for first, cells, shapes in priors.maps.tolist():
            away = np.square(priors.centers[first : first + cells] - (box[:2] + box[2:]) / np.float32(2)).sum(axis=1)
            nearest = np.argsort(away, kind="stable")[:_CANDIDATES]
            parts += [first + shape * cells + nearest for shape in range(shapes)]
        ids = np.concatenate(parts)
        shared = _shared(priors.xyxy[ids], box)
        overlaps = shared / np.maximum(areas[ids] + (box[2:] - box[:2]).prod() - shared, _LEAST)
        centers = priors.centers[ids]
        inside = (centers > box[:2]).all(axis=1) & (centers < box[2:]).all(axis=1)
        exact = overlaps.astype(np.float64)
        good = inside & (overlaps >= exact.mean() + exact.std())
        if not good.any():
            good = np.arange(len(ids)) == int(overlaps.argmax())
        good &= overlaps > best[ids]
        best[ids[good]], labels[ids[good]], targets[ids[good]] = overlaps[good], 1 + objects.class_ids[k], box
    return labels, targets


def _shared(boxes: Boxes, box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the area that each of (N, 4) boxes shares with one."""
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    return np.asarray(np.maximum(sides, np.float32(0)).prod(axis=1), np.float32)
