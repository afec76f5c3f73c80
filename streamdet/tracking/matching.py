"""Matching detections to tracks: overlap, and the best assignment of all together.

`scipy.optimize.linear_sum_assignment` solves the same problem, but importing `scipy.optimize` takes more than a second,
which is too long for a command line tool; and it has no "unmatched rather than that far apart". The solver here is
tested to reach the same total.
"""

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel

Boxes = NDArray[np.float32]
Similarity = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]


@kernel
def iou_matrix(a_xyxy: Boxes, b_xyxy: Boxes) -> Similarity:
    """Returns the intersection over union of (N, 4) with (M, 4) boxes as (N, M) float64 in [0, 1]."""
    n, m = len(a_xyxy), len(b_xyxy)
    out = np.zeros((n, m), np.float64)
    area_b = np.empty(m, np.float64)
    for j in range(m):
        area_b[j] = (np.float64(b_xyxy[j, 2]) - b_xyxy[j, 0]) * (np.float64(b_xyxy[j, 3]) - b_xyxy[j, 1])
    for i in range(n):
        left, top = np.float64(a_xyxy[i, 0]), np.float64(a_xyxy[i, 1])
        right, bottom = np.float64(a_xyxy[i, 2]), np.float64(a_xyxy[i, 3])
        area_a = (right - left) * (bottom - top)
        for j in range(m):
            width = min(right, np.float64(b_xyxy[j, 2])) - max(left, np.float64(b_xyxy[j, 0]))
            if width <= 0.0:
                continue
            height = min(bottom, np.float64(b_xyxy[j, 3])) - max(top, np.float64(b_xyxy[j, 1]))
            if height > 0.0:
                shared = width * height
                out[i, j] = shared / (area_a + area_b[j] - shared)
    return out


def iou_matrix_reference(a_xyxy: Boxes, b_xyxy: Boxes) -> Similarity:
    """The same as `iou_matrix` in plain numpy."""
    a, b = a_xyxy.astype(np.float64)[:, None], b_xyxy.astype(np.float64)[None]
    size = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.where((size > 0).all(axis=-1), size.prod(axis=-1), 0.0)
    areas = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1)
    iou: Similarity = np.divide(shared, areas - shared, out=np.zeros_like(shared), where=shared > 0)
    return iou


MIN_NESTED_SHARE = 0.75
"""Minimum shared area of two boxes, as a share of the smaller one, for one to be nested in the other."""


@kernel
def nested_in_tracked(boxes_xyxy: Boxes, class_ids: NDArray[np.int32], new: Mask, class_agnostic: bool) -> Mask:
    """Returns which of the `new` detections are nested in a tracked one, or contain one.

    Args:
        boxes_xyxy: (M, 4) float32.
        class_ids: (M,) int32.
        new: (M,) bool, detections of no track.
        class_agnostic: compare boxes of different classes too.

    Returns:
        (M,) bool.
    """
    m = len(boxes_xyxy)
    out = np.zeros(m, np.bool_)
    for i in range(m):
        if not new[i]:
            continue
        left, top = np.float64(boxes_xyxy[i, 0]), np.float64(boxes_xyxy[i, 1])
        right, bottom = np.float64(boxes_xyxy[i, 2]), np.float64(boxes_xyxy[i, 3])
        area = (right - left) * (bottom - top)
        for j in range(m):
            if new[j] or (class_ids[j] != class_ids[i] and not class_agnostic):
                continue
            width = min(right, np.float64(boxes_xyxy[j, 2])) - max(left, np.float64(boxes_xyxy[j, 0]))
            height = min(bottom, np.float64(boxes_xyxy[j, 3])) - max(top, np.float64(boxes_xyxy[j, 1]))
            other = (np.float64(boxes_xyxy[j, 2]) - boxes_xyxy[j, 0]) * (
                np.float64(boxes_xyxy[j, 3]) - boxes_xyxy[j, 1]
            )
            if width > 0.0 and height > 0.0 and width * height >= MIN_NESTED_SHARE * min(area, other):
                out[i] = True
    return out


def nested_in_tracked_reference(
    boxes_xyxy: Boxes, class_ids: NDArray[np.int32], new: Mask, class_agnostic: bool
) -> NDArray[np.bool_]:
    """The same as `nested_in_tracked` in plain numpy."""
    boxes = boxes_xyxy.astype(np.float64)
    size = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    inside = (size > 0).all(axis=2) & (size.prod(axis=2) >= MIN_NESTED_SHARE * np.minimum(areas[:, None], areas[None]))
    same = (class_ids[:, None] == class_ids[None]) | class_agnostic
    found: NDArray[np.bool_] = (inside & same & new[:, None] & ~new[None]).any(axis=1)
    return found


@kernel
def assign(gain: Similarity) -> Indices:
    """Pairs rows with columns so that the sum of gains is greatest; only pairs of positive gain are made.

    Shortest augmenting paths with potentials (Jonker and Volgenant 1987, as in Crouse 2016). Each row may also stay
    unpaired, at gain 0: a path may end at a free column, or by unpairing any row on it. Paired columns stay paired and
    unpaired rows stay unpaired, so no dummy columns are stored.

    Args:
        gain: (N, M) float64; values <= 0 and NaN mean "never".

    Returns:
        (N,) int64: the column of each row, -1 where it stays unpaired.
    """
    n, m = gain.shape
    column_of_row = np.full(n, -1, np.int64)
    row_of_column = np.full(m, -1, np.int64)
    row_price = np.zeros(n, np.float64)
    column_price = np.zeros(m, np.float64)
    distance = np.empty(m, np.float64)
    came_from = np.empty(m, np.int64)
    done = np.empty(m, np.bool_)
    for new_row in range(n):
        distance[:] = np.inf
        done[:] = False
        row, column_of_tree, traveled = new_row, -1, 0.0
        best_alone, alone_row = np.inf, -1
        while True:
            # Leaving this row unpaired costs 0; its pairs cost -gain.
            alone = traveled - row_price[row]
            if alone < best_alone:
                best_alone, alone_row = alone, row
            nearest, next_column = np.inf, -1
            base = traveled - row_price[row]
            for j in range(m):
                if done[j]:
                    continue
                if gain[row, j] > 0.0:
                    through = base - gain[row, j] - column_price[j]
                    if through < distance[j]:
                        distance[j] = through
                        came_from[j] = row
                if distance[j] < nearest or (
                    distance[j] == nearest and next_column >= 0 and row_of_column[j] < 0 <= row_of_column[next_column]
                ):
                    nearest, next_column = distance[j], j
            if next_column < 0 or nearest >= best_alone:
                traveled, column_of_tree = best_alone, -1
                break
            traveled = nearest
            done[next_column] = True
            column_of_tree = next_column
            if row_of_column[next_column] < 0:
                break
            row = row_of_column[next_column]
        # Potentials: keep every reduced cost >= 0, and 0 for every pair.
        row_price[new_row] += traveled
        for j in range(m):
            if done[j] and distance[j] < traveled:
                row_price[row_of_column[j]] += traveled - distance[j]
                column_price[j] -= traveled - distance[j]
        # Swap the pairs along the path.
        if column_of_tree >= 0:
            column = column_of_tree
        else:
            column = column_of_row[alone_row]
            column_of_row[alone_row] = -1
        while column >= 0:
            row = came_from[column]
            column_of_row[row], column = column, column_of_row[row]
            row_of_column[column_of_row[row]] = row
    return column_of_row


def assign_reference(gain: Similarity) -> Indices:
    """The same total gain as `assign` in plain numpy: the Hungarian method with one stored dummy column per row."""
    n, m = gain.shape
    forbidden = 1e9
    cost = np.full((n + 1, m + n + 1), forbidden)  # row and column 0 are the usual sentinels
    cost[1:, 1 : m + 1] = np.where(gain > 0, -gain, forbidden)
    cost[1:, m + 1 :][np.diag_indices(n)] = 0.0
    row_price, column_price = np.zeros(n + 1), np.zeros(m + n + 1)
    row_of_column = np.zeros(m + n + 1, np.int64)
    for new_row in range(1, n + 1):
        row_of_column[0], column = new_row, 0
        distance = np.full(m + n + 1, np.inf)
        came_from = np.zeros(m + n + 1, np.int64)
        done = np.zeros(m + n + 1, np.bool_)
        while row_of_column[column] != 0:
            done[column] = True
            row = row_of_column[column]
            through = cost[row] - row_price[row] - column_price
            closer = ~done & (through < distance)
            distance[closer], came_from[closer] = through[closer], column
            following = int(np.argmin(np.where(done, np.inf, distance)[1:])) + 1
            step = distance[following]
            row_price[row_of_column[done]] += step
            column_price[done] -= step
            distance[~done] -= step
            column = following
        while column:
            row_of_column[column] = row_of_column[came_from[column]]
            column = int(came_from[column])
    column_of_row = np.full(n, -1, np.int64)
    for column in range(1, m + 1):
        if row_of_column[column]:
            column_of_row[row_of_column[column] - 1] = column - 1
    return column_of_row
