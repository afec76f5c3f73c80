"""Decodes detectors that give one box per grid cell (YOLOX, FastestDet): kernels and numpy references."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import Boxes, cxcywh_to_xyxy
from streamdet.detect.candidates import SCORE_CEILING, Candidates, are_usable, is_usable
from streamdet.kernels import kernel

Grid = NDArray[np.float32]
_Arrays = tuple[Boxes, NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]
_BoxArrays = tuple[Boxes, NDArray[np.float32], NDArray[np.int32]]
_ONE = np.float32(1.0)
# FastestDet's own weights of objectness and class score.
_OBJECTNESS_POWER = np.float32(0.6)
_CLASS_POWER = np.float32(0.4)


def yolox_grid(width: int, height: int, strides: Sequence[int]) -> Grid:
    """Returns (cells, 3) float32: column, row and stride of every cell, finest stride first, row by row.

    >>> yolox_grid(64, 32, (32,)).tolist()
    [[0.0, 0.0, 32.0], [1.0, 0.0, 32.0]]
    """
    cells = []
    for stride in strides:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        cells.append(np.stack([columns.ravel(), rows.ravel(), np.full(rows.size, stride)], axis=1))
    return np.concatenate(cells).astype(np.float32)


@kernel
def _yolox_candidates(cells: Grid, grid: Grid, wanted: NDArray[np.bool_], threshold: np.float32) -> _Arrays:
    likely = 0
    for i in range(len(cells)):
        likely += cells[i, 4] > threshold
    boxes = np.empty((likely, 4), np.float32)
    box_ids = np.empty(likely * len(wanted), np.int32)
    scores = np.empty(likely * len(wanted), np.float32)
    class_ids = np.empty(likely * len(wanted), np.int32)
    box_count = 0
    count = 0
    half = np.float32(0.5)
    for i in range(len(cells)):
        objectness = cells[i, 4]
        if not objectness > threshold:  # class scores are at most 1
            continue
        first = count
        for c in range(len(wanted)):
            score = objectness * cells[i, 5 + c]
            if wanted[c] and score > threshold and score <= SCORE_CEILING:
                box_ids[count] = box_count
                scores[count] = min(score, _ONE)
                class_ids[count] = c
                count += 1
        if count == first:
            continue
        stride = grid[i, 2]
        center_x = (cells[i, 0] + grid[i, 0]) * stride
        center_y = (cells[i, 1] + grid[i, 1]) * stride
        half_width = half * np.exp(cells[i, 2]) * stride
        half_height = half * np.exp(cells[i, 3]) * stride
        left, top = center_x - half_width, center_y - half_height
        right, bottom = center_x + half_width, center_y + half_height
        if is_usable(left, top, right, bottom):
            boxes[box_count, 0] = left
            boxes[box_count, 1] = top
            boxes[box_count, 2] = right
            boxes[box_count, 3] = bottom
            box_count += 1
        else:
            count = first
    return boxes[:box_count], box_ids[:count], scores[:count], class_ids[:count]


def yolox_candidates(cells: Grid, grid: Grid, wanted: NDArray[np.bool_], threshold: float) -> Candidates:
    """Decodes the YOLOX output of one picture, for models exported without decoding.

    A cell's box is a candidate for every class over the threshold, not only the best one. On COCO this adds 0.005 AP
    and 0.008 AP50; at display thresholds it changes nothing.

    Args:
        cells: (cells, 5 + C) float32 C-contiguous: center offset, log size, objectness, class scores (already sigmoid).
        grid: (cells, 3) from `yolox_grid`.
        wanted: (C,) bool, the requested classes.
        threshold: only greater scores (objectness times class score) are kept.
    """
    return Candidates(*_yolox_candidates(cells, grid, wanted, np.float32(threshold)))


def yolox_candidates_reference(cells: Grid, grid: Grid, wanted: NDArray[np.bool_], threshold: float) -> Candidates:
    """The same as `yolox_candidates`, in plain numpy."""
    stride = grid[:, 2:]
    with np.errstate(all="ignore"):
        scores = cells[:, 4:5] * cells[:, 5:]
        centers, sizes = (cells[:, :2] + grid[:, :2]) * stride, np.exp(cells[:, 2:4]) * stride
        boxes = cxcywh_to_xyxy(np.concatenate([centers, sizes], axis=1))
        passes = (cells[:, 4:5] > threshold) & wanted & (scores > threshold) & (scores <= SCORE_CEILING)
    cell_ids, class_ids = np.nonzero(passes & are_usable(boxes)[:, None])
    rows, box_ids = np.unique(cell_ids, return_inverse=True)
    best = np.minimum(scores[cell_ids, class_ids], _ONE)
    return Candidates(boxes[rows], box_ids.astype(np.int32), best, class_ids.astype(np.int32))


@kernel
def _fastestdet_candidates(
    maps: Grid, wanted: NDArray[np.bool_], threshold: np.float32, width: int, height: int
) -> _BoxArrays:
    rows, columns = maps.shape[1], maps.shape[2]
    boxes = np.empty((rows * columns, 4), np.float32)
    scores = np.empty(rows * columns, np.float32)
    class_ids = np.empty(rows * columns, np.int32)
    count = 0
    for row in range(rows):
        for column in range(columns):
            best = 0
            for c in range(1, len(wanted)):
                if maps[5 + c, row, column] > maps[5 + best, row, column]:
                    best = c
            if not wanted[best]:
                continue
            score = maps[0, row, column] ** _OBJECTNESS_POWER * maps[5 + best, row, column] ** _CLASS_POWER
            if not (score > threshold and score <= SCORE_CEILING):
                continue
            cell_width = np.float32(width) / np.float32(columns)
            cell_height = np.float32(height) / np.float32(rows)
            center_x = (np.tanh(maps[1, row, column]) + np.float32(column)) * cell_width
            center_y = (np.tanh(maps[2, row, column]) + np.float32(row)) * cell_height
            half_width = np.float32(0.5 * width) / (_ONE + np.exp(-maps[3, row, column]))
            half_height = np.float32(0.5 * height) / (_ONE + np.exp(-maps[4, row, column]))
            left, top = center_x - half_width, center_y - half_height
            right, bottom = center_x + half_width, center_y + half_height
            if is_usable(left, top, right, bottom):
                boxes[count, 0] = left
                boxes[count, 1] = top
                boxes[count, 2] = right
                boxes[count, 3] = bottom
                scores[count] = min(score, _ONE)
                class_ids[count] = best
                count += 1
    return boxes[:count], scores[:count], class_ids[:count]


def fastestdet_candidates(
    maps: Grid, wanted: NDArray[np.bool_], threshold: float, width: int, height: int
) -> Candidates:
    """Decodes the FastestDet output of one picture. A cell has one class, its best, as in the original code.

    Args:
        maps: (5 + C, rows, columns) float32 C-contiguous: objectness, center (tanh, in cells, from the cell's
            corner), size (sigmoid, as a fraction of the picture), class probabilities.
        wanted: (C,) bool, the requested classes.
        threshold: only greater scores (objectness^0.6 times class^0.4) are kept.
        width: width of the network input in pixels.
        height: height of the network input in pixels.
    """
    boxes, scores, class_ids = _fastestdet_candidates(maps, wanted, np.float32(threshold), width, height)
    return Candidates(boxes, np.arange(len(boxes), dtype=np.int32), scores, class_ids)


def fastestdet_candidates_reference(
    maps: Grid, wanted: NDArray[np.bool_], threshold: float, width: int, height: int
) -> Candidates:
    """The same as `fastestdet_candidates`, in plain numpy."""
    rows, columns = maps.shape[1:]
    cells = maps.reshape(maps.shape[0], -1).T
    best = _best_class(cells[:, 5:])
    row, column = np.mgrid[:rows, :columns].reshape(2, -1)
    with np.errstate(all="ignore"):
        scores = cells[:, 0] ** _OBJECTNESS_POWER * cells[np.arange(len(cells)), 5 + best] ** _CLASS_POWER
        corner = np.stack([column, row], axis=1).astype(np.float32)
        centers = (np.tanh(cells[:, 1:3]) + corner) * np.array([width / columns, height / rows], np.float32)
        sizes = np.array([width, height], np.float32) / (_ONE + np.exp(-cells[:, 3:5]))
        boxes = cxcywh_to_xyxy(np.concatenate([centers, sizes], axis=1).astype(np.float32))
        passes = wanted[best] & (scores > threshold) & (scores <= SCORE_CEILING) & are_usable(boxes)
    chosen = np.minimum(scores[passes], _ONE).astype(np.float32)
    return Candidates(boxes[passes], np.arange(len(chosen), dtype=np.int32), chosen, best[passes].astype(np.int32))


def _best_class(class_scores: Grid) -> NDArray[np.int64]:
    """Returns (cells,) the first class with the highest score. A NaN never wins, unless it is first: then it stays."""
    best = np.zeros(len(class_scores), np.int64)
    cells = np.arange(len(class_scores))
    for c in range(1, class_scores.shape[1]):
        best = np.where(class_scores[:, c] > class_scores[cells, best], c, best)
    return best
