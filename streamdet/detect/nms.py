"""Greedy non-maximum suppression (NMS): the kernel and its numpy reference.

Both follow ONNX's NonMaxSuppression operator, as ONNX Runtime computes it in float32: best score first; equal scores in
their given order; a candidate is dropped if its IoU with a kept one of the same group is *greater* than the threshold;
boxes without area neither suppress nor are suppressed.
"""

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import Boxes
from streamdet.kernels import kernel

Scores = NDArray[np.float32]
Ids = NDArray[np.int32]


@kernel
def _heap_sift_down(keys: NDArray[np.uint64], start: int, size: int) -> None:
    """Moves ``keys[start]`` down until neither child is greater; `keys[:size]` is a max-heap below `start`."""
    moved = keys[start]
    hole = start
    child = 2 * hole + 1
    while child < size:
        if child + 1 < size and keys[child + 1] > keys[child]:
            child += 1
        if keys[child] <= moved:
            break
        keys[hole] = keys[child]
        hole = child
        child = 2 * hole + 1
    keys[hole] = moved


@kernel
def _descending_keys(scores: Scores) -> NDArray[np.uint64]:
    """Returns one key per score that is not NaN: greater for greater scores, and for the earlier of equal scores."""
    low_32 = np.uint64(0xFFFFFFFF)
    keys = np.empty(len(scores), np.uint64)
    bits = (scores + np.float32(0.0)).view(np.uint32)  # + 0 turns -0 into 0, since the two compare equal
    count = 0
    for k in range(len(scores)):
        if scores[k] == scores[k]:
            raw = np.uint64(bits[k])
            # IEEE floats sort like integers once the negative ones are mirrored and the sign bit is flipped.
            ordered = raw ^ np.uint64(0x80000000) if raw < np.uint64(0x80000000) else raw ^ low_32
            keys[count] = (ordered << np.uint64(32)) | (low_32 - np.uint64(k))
            count += 1
    return keys[:count]


@kernel
def nms(
    boxes_xyxy: Boxes, box_ids: Ids, scores: Scores, groups: Ids, iou: np.float32, max_per_group: int, max_total: int
) -> Ids:
    """Selects candidates, best first.

    One heap over all groups replaces a sort per group. It stops as soon as `max_total` are kept, so a network with a
    million candidates costs little more than one with a hundred.

    Args:
        boxes_xyxy: (B, 4) corners in any unit, any two opposite corners.
        box_ids: (K,) row of `boxes_xyxy` of each candidate.
        scores: (K,) any finite or infinite values; NaN is never selected.
        groups: (K,) class of each candidate, >= 0; boxes of different groups do not suppress each other.
        iou: greater overlaps are dropped.
        max_per_group: maximum number kept per group.
        max_total: maximum number kept in total.

    Returns:
        (D,) indices into the candidates, by descending score.
    """
    keys = _descending_keys(scores)
    size = len(keys)
    for start in range(size // 2 - 1, -1, -1):
        _heap_sift_down(keys, start, size)
    group_count = 0
    for k in range(len(groups)):
        group_count = max(group_count, groups[k] + 1)
    room = min(max_total, size)
    kept = np.empty(room, np.int32)
    corners = np.empty((room, 5), np.float32)  # x_min, y_min, x_max, y_max, area of each kept box
    newest = np.full(
        group_count, -1, np.int32
    )  # newest kept box of each group: the start of a chain through `previous`
    previous = np.empty(room, np.int32)
    in_group = np.zeros(group_count, np.int32)
    zero = np.float32(0.0)
    count = 0
    while size > 0 and count < room:
        k = int(np.uint64(0xFFFFFFFF) - (keys[0] & np.uint64(0xFFFFFFFF)))
        size -= 1
        keys[0] = keys[size]
        _heap_sift_down(keys, 0, size)
        group = groups[k]
        if in_group[group] >= max_per_group:
            continue
        ax, ay, bx, by = boxes_xyxy[box_ids[k]]
        left, right = (bx, ax) if ax >= bx else (ax, bx)
        top, bottom = (by, ay) if ay >= by else (ay, by)
        own_area = (right - left) * (bottom - top)
        suppressed = False
        other = int(newest[group])
        while other >= 0:
            shared_left, shared_right = max(left, corners[other, 0]), min(right, corners[other, 2])
            if shared_right > shared_left:
                shared_top, shared_bottom = max(top, corners[other, 1]), min(bottom, corners[other, 3])
                if shared_bottom > shared_top:
                    shared = (shared_right - shared_left) * (shared_bottom - shared_top)
                    union = own_area + corners[other, 4] - shared
                    if shared > zero and own_area > zero and corners[other, 4] > zero and union > zero:
                        suppressed = shared / union > iou
                        if suppressed:
                            break
            other = int(previous[other])
        if not suppressed:
            corners[count, 0] = left
            corners[count, 1] = top
            corners[count, 2] = right
            corners[count, 3] = bottom
            corners[count, 4] = own_area
            kept[count] = k
            previous[count] = newest[group]
            newest[group] = count
            in_group[group] += 1
            count += 1
    return kept[:count]


def nms_reference(
    boxes_xyxy: Boxes, box_ids: Ids, scores: Scores, groups: Ids, iou: np.float32, max_per_group: int, max_total: int
) -> Ids:
    """The same as `nms`, in plain numpy, group by group."""
    low = np.minimum(boxes_xyxy[:, :2], boxes_xyxy[:, 2:])
    high = np.maximum(boxes_xyxy[:, :2], boxes_xyxy[:, 2:])
    with np.errstate(all="ignore"):
        areas = (high - low).prod(axis=1, dtype=np.float32)
    kept: list[int] = []
    for group in np.unique(groups):
        members = np.flatnonzero((groups == group) & ~np.isnan(scores))
        members = members[np.argsort(-scores[members], kind="stable")]
        picked = 0
        while len(members) and picked < max_per_group:
            best, members = members[0], members[1:]
            kept.append(int(best))
            picked += 1
            one, rest = box_ids[best], box_ids[members]
            with np.errstate(all="ignore"):
                extent = np.minimum(high[one], high[rest]) - np.maximum(low[one], low[rest])
                shared = extent.prod(axis=1, dtype=np.float32)
                union = areas[one] + areas[rest] - shared
                overlaps = (extent > 0).all(axis=1) & (shared > 0) & (areas[one] > 0) & (areas[rest] > 0) & (union > 0)
                members = members[~(overlaps & (shared / union > iou))]
    kept.sort(key=lambda k: (-float(scores[k]), k))
    return np.array(kept[:max_total], np.int32)
