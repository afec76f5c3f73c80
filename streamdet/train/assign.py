"""Target assignment: the default boxes that learn to detect each object.

ATSS: Zhang et al., "Bridging the Gap Between Anchor-based and Anchor-free Detection via Adaptive Training Sample
Selection", CVPR 2020. The nearest default boxes of every map are candidates. Those whose IoU with the object is at
least the mean plus the standard deviation over the candidates are chosen. No threshold has to be tuned for small or
long objects.
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
"""Nearest cells of each map that are candidates for an object; the paper's value."""
_IGNORE_OVERLAP = np.float32(0.4)
"""A default box with at least this share of its area in an ignored object is ignored."""
_EPSILON = np.float32(1e-9)

Targets = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Targets of the default boxes: (P,) int64 labels, 1 + class, `BACKGROUND` or `IGNORED`; and (P, 4) float32 corners of
each box's object in 0..1, zeros without an object."""


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedObjects:
    """The annotated objects of a picture.

    Attributes:
        boxes_xyxy: (N, 4) float32 in 0..1 of the picture.
        class_ids: (N,) int64.
        ignored: (N,) bool: barely visible; detecting them is neither right nor wrong.
    """

    boxes_xyxy: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    ignored: NDArray[np.bool_]


class DefaultBoxes(NamedTuple):
    """The default boxes of a network, as arrays for the kernel.

    Attributes:
        xyxy: (P, 4) float32.
        centers: (P, 2) float32.
        maps: (maps, 3) int64: index of the first default box, number of cells, and boxes per cell. Within a map, the
            first boxes of all cells come first, then the second boxes, and so on.
    """

    xyxy: NDArray[np.float32]
    centers: NDArray[np.float32]
    maps: NDArray[np.int64]


def default_boxes_of(grids: Sequence[BoxGrid]) -> DefaultBoxes:
    """Returns the default boxes of the maps' grids."""
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
def _candidates(default_boxes: DefaultBoxes, box: NDArray[np.float32], found: NDArray[np.int64]) -> int:
    """Writes the indices of the default boxes in the cells nearest to a box's center, map by map; returns the count."""
    x, y = (box[0] + box[2]) / np.float32(2), (box[1] + box[3]) / np.float32(2)
    nearest, away = np.empty(_CANDIDATES, np.int64), np.empty(_CANDIDATES, np.float32)
    count = 0
    for m in range(len(default_boxes.maps)):
        first, cells, shapes = default_boxes.maps[m]
        kept = 0
        for cell in range(cells):
            dx, dy = default_boxes.centers[first + cell, 0] - x, default_boxes.centers[first + cell, 1] - y
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
    default_boxes: DefaultBoxes,
    boxes_xyxy: Boxes,
    class_ids: NDArray[np.int64],
    ignored: NDArray[np.bool_],
    labels: NDArray[np.int64],
    targets: Boxes,
) -> None:
    labels[:] = BACKGROUND
    targets[:] = 0
    best = np.zeros(len(labels), np.float32)
    ids = np.empty(int(default_boxes.maps[:, 2].sum()) * _CANDIDATES, np.int64)
    overlaps = np.empty(len(ids), np.float32)
    for k in range(len(boxes_xyxy)):
        if ignored[k]:
            for p in range(len(labels)):
                default_box = default_boxes.xyxy[p]
                if _intersection(default_box, boxes_xyxy[k]) / max(_area(default_box), _EPSILON) >= _IGNORE_OVERLAP:
                    labels[p] = IGNORED
    for k in range(len(boxes_xyxy)):
        if ignored[k]:
            continue
        box = boxes_xyxy[k]
        count = _candidates(default_boxes, box, ids)
        total, squares, largest = 0.0, 0.0, 0
        for j in range(count):
            default_box = default_boxes.xyxy[ids[j]]
            shared = _intersection(default_box, box)
            overlaps[j] = shared / max(_area(default_box) + _area(box) - shared, _EPSILON)
            total += overlaps[j]
            largest = j if overlaps[j] > overlaps[largest] else largest
        mean = total / count
        for j in range(count):
            squares += (overlaps[j] - mean) ** 2
        threshold = mean + np.sqrt(squares / count)
        chosen = 0
        for j in range(count):
            x, y = default_boxes.centers[ids[j]]
            inside = box[0] < x < box[2] and box[1] < y < box[3]
            if inside and overlaps[j] >= threshold:
                chosen += 1
                if overlaps[j] > best[ids[j]]:
                    best[ids[j]], labels[ids[j]], targets[ids[j]] = overlaps[j], 1 + class_ids[k], box
        p = ids[
            largest
        ]  # an object without a chosen box, such as one between cell centers, gets the box with the largest IoU
        if chosen == 0 and overlaps[largest] > best[p]:
            best[p], labels[p], targets[p] = overlaps[largest], 1 + class_ids[k], box


def assign(default_boxes: DefaultBoxes, objects: AnnotatedObjects) -> Targets:
    """Returns the targets of every default box for a picture."""
    labels = np.empty(len(default_boxes.xyxy), np.int64)
    targets = np.empty((len(default_boxes.xyxy), 4), np.float32)
    _assign(default_boxes, objects.boxes_xyxy, objects.class_ids, objects.ignored, labels, targets)
    return labels, targets


def assign_reference(default_boxes: DefaultBoxes, objects: AnnotatedObjects) -> Targets:
    """The same as `assign` in plain numpy."""
    labels = np.full(len(default_boxes.xyxy), BACKGROUND, np.int64)
    targets = np.zeros((len(default_boxes.xyxy), 4), np.float32)
    best = np.zeros(len(labels), np.float32)
    areas = (default_boxes.xyxy[:, 2:] - default_boxes.xyxy[:, :2]).prod(axis=1)
    for box in objects.boxes_xyxy[objects.ignored]:
        labels[_intersections(default_boxes.xyxy, box) / np.maximum(areas, _EPSILON) >= _IGNORE_OVERLAP] = IGNORED
    for k in np.flatnonzero(~objects.ignored):
        box = objects.boxes_xyxy[k]
        parts = []
        for first, cells, shapes in default_boxes.maps.tolist():
            away = np.square(default_boxes.centers[first : first + cells] - (box[:2] + box[2:]) / np.float32(2)).sum(
                axis=1
            )
            nearest = np.argsort(away, kind="stable")[:_CANDIDATES]
            parts += [first + shape * cells + nearest for shape in range(shapes)]
        ids = np.concatenate(parts)
        shared = _intersections(default_boxes.xyxy[ids], box)
        overlaps = shared / np.maximum(areas[ids] + (box[2:] - box[:2]).prod() - shared, _EPSILON)
        centers = default_boxes.centers[ids]
        inside = (centers > box[:2]).all(axis=1) & (centers < box[2:]).all(axis=1)
        exact = overlaps.astype(np.float64)
        good = inside & (overlaps >= exact.mean() + exact.std())
        if not good.any():
            good = np.arange(len(ids)) == int(overlaps.argmax())
        good &= overlaps > best[ids]
        best[ids[good]], labels[ids[good]], targets[ids[good]] = overlaps[good], 1 + objects.class_ids[k], box
    return labels, targets


def _intersections(boxes: Boxes, box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the intersection areas of (N, 4) boxes with one box."""
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    return np.asarray(np.maximum(sides, np.float32(0)).prod(axis=1), np.float32)
