"""Decodes the raw heads of an SSD, such as the flagship: kernel and numpy reference."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import Boxes, cxcywh_to_xyxy
from streamdet.detect.candidates import Candidates, are_usable, is_usable
from streamdet.detect.exponential import exponentials
from streamdet.kernels import kernel

# Scale of the offsets in training (SSD, Liu et al. 2016; MLPerf keeps the values).
CENTER_VARIANCE = np.float32(0.1)
SIZE_VARIANCE = np.float32(0.2)

_BLOCK = 2048  # default boxes pruned together: their running maxima stay in the first-level cache
_GROUP = 256  # default boxes whose softmax is computed together: their 81 exponentials stay in the second-level cache
_HALF, _ONE = np.float32(0.5), np.float32(1.0)
_ALMOST = np.float32(0.9999)  # a limit slightly below the exact one: most classes then need no division


class _Arrays(NamedTuple):
    """The fields of `Candidates`, as kernels pass them."""

    boxes_xyxy: Boxes
    box_ids: NDArray[np.int32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]


class _Filter(NamedTuple):
    """The requested classes and the minimum score."""

    wanted: NDArray[np.bool_]
    threshold: np.float32


@kernel(no_alias=True)
def _max_foreground(conf: Boxes, first: int, best: NDArray[np.float32]) -> None:
    """Writes the greatest foreground logit of each column, for the columns from `first` on.

    It takes eight rows at a time: the running maximum is read and written an eighth as often, which is 7 times faster.
    """
    last = first + len(best)
    best[:] = conf[1, first:last]
    done = 2
    while done + 8 <= len(conf):
        a, b, c, d = (
            conf[done, first:last],
            conf[done + 1, first:last],
            conf[done + 2, first:last],
            conf[done + 3, first:last],
        )
        e, f, g, h = (
            conf[done + 4, first:last],
            conf[done + 5, first:last],
            conf[done + 6, first:last],
            conf[done + 7, first:last],
        )
        for j in range(len(best)):
            ab = a[j] if a[j] > b[j] else b[j]
            cd = c[j] if c[j] > d[j] else d[j]
            ef = e[j] if e[j] > f[j] else f[j]
            gh = g[j] if g[j] > h[j] else h[j]
            abcd = ab if ab > cd else cd
            efgh = ef if ef > gh else gh
            value = abcd if abcd > efgh else efgh
            best[j] = value if value > best[j] else best[j]
        done += 8
    for row in range(done, len(conf)):
        values = conf[row, first:last]
        for j in range(len(best)):
            best[j] = values[j] if values[j] > best[j] else best[j]


@kernel
def _prune(conf: Boxes, first: int, margin: np.float32, best: NDArray[np.float32], kept_ids: NDArray[np.int32]) -> int:
    """Finds default boxes where some class can pass the threshold, without computing an exponential.

    The denominator of a softmax is at least the exponential of its greatest logit, so a class whose logit lies `margin`
    = -log(threshold) or more below that cannot pass. Rows are read in memory order, which the compiler vectorizes.

    Args:
        conf: all logits.
        first: the first default box of the block.
        margin: how far below the background the logit of a class may lie.
        best: (size of the block,) receives the greatest logits of the kept default boxes.
        kept_ids: (size of the block,) receives the kept default boxes.

    Returns:
        The number of kept default boxes.
    """
    _max_foreground(conf, first, best)
    found = 0
    for j in range(len(best)):  # always written, kept or not: a branch here costs more
        background, foreground = conf[0, first + j], best[j]
        kept_ids[found] = first + j
        best[found] = background if background > foreground else foreground
        found += not background - foreground > margin  # NaN is kept too: the softmax test rejects it
    return found


@kernel
def _count_passing(exps: NDArray[np.float32], limits: NDArray[np.float32]) -> int:
    """Returns how many values of a row are over their limits: an integer sum, which the compiler vectorizes."""
    count = 0
    for g in range(len(limits)):
        count += exps[g] > limits[g]
    return count


@kernel
def _decode(
    loc: Boxes, default_boxes_cxcywh: Boxes, box: int, width: np.float32, height: np.float32, out: NDArray[np.float32]
) -> bool:
    """Writes the corners of one default box moved by its offsets, or zeros; returns whether the corners are usable."""
    half_width = _HALF * default_boxes_cxcywh[box, 2] * np.exp(SIZE_VARIANCE * loc[2, box])
    half_height = _HALF * default_boxes_cxcywh[box, 3] * np.exp(SIZE_VARIANCE * loc[3, box])
    center_x = default_boxes_cxcywh[box, 0] + CENTER_VARIANCE * loc[0, box] * default_boxes_cxcywh[box, 2]
    center_y = default_boxes_cxcywh[box, 1] + CENTER_VARIANCE * loc[1, box] * default_boxes_cxcywh[box, 3]
    out[0] = (center_x - half_width) * width
    out[1] = (center_y - half_height) * height
    out[2] = (center_x + half_width) * width
    out[3] = (center_y + half_height) * height
    usable = bool(is_usable(out[0], out[1], out[2], out[3]))
    if not usable:
        out[:] = 0
    return usable


@kernel
def _write_passing(
    exps: Boxes,
    totals: NDArray[np.float32],
    limits: NDArray[np.float32],
    first_box: int,
    keep: _Filter,
    out: _Arrays,
    count: int,
) -> int:
    """Writes the candidates of a group of default boxes, class by class, from row `count` on; returns the next row.

    Most classes of most groups have no candidate and are skipped at the speed of memory.
    """
    for c in range(len(keep.wanted)):
        values = exps[c + 1, : len(totals)]
        if not keep.wanted[c] or not _count_passing(values, limits):
            continue
        for g in range(len(totals)):
            if values[g] > limits[g]:
                score = values[g] / totals[g]
                if score > keep.threshold and score <= _ONE:
                    out.box_ids[count] = first_box + g
                    out.scores[count] = score
                    out.class_ids[count] = c
                    count += 1
    return count


@kernel
def _ssd_candidates(
    loc: Boxes, conf: Boxes, default_boxes_cxcywh: Boxes, keep: _Filter, width: int, height: int
) -> _Arrays:
    # Slightly wider than -log(threshold), so that rounding cannot prune what the exact test keeps.
    margin = np.float32(-math.log(max(keep.threshold, np.float32(1e-30))) + 1e-3)
    total_boxes = conf.shape[1]
    kept_ids, peaks = np.empty(total_boxes, np.int32), np.empty(total_boxes, np.float32)
    kept = 0
    for first in range(0, total_boxes, _BLOCK):
        last = kept + min(_BLOCK, total_boxes - first)
        kept += _prune(conf, first, margin, peaks[kept:last], kept_ids[kept:last])

    boxes = np.empty((kept, 4), np.float32)
    capacity = kept * (len(conf) - 1)  # memory that is never written costs nothing
    out = _Arrays(boxes, np.empty(capacity, np.int32), np.empty(capacity, np.float32), np.empty(capacity, np.int32))
    exps = np.empty((len(conf), _GROUP), np.float32)
    totals, limits = np.empty(_GROUP, np.float32), np.empty(_GROUP, np.float32)
    count = 0
    for start in range(0, kept, _GROUP):
        group = kept_ids[start : min(start + _GROUP, kept)]
        n = len(group)
        exponentials(conf, group, peaks[start : start + n], exps, totals[:n])
        for g in range(n):
            usable = _decode(
                loc, default_boxes_cxcywh, group[g], np.float32(width), np.float32(height), boxes[start + g]
            )
            limits[g] = _ALMOST * keep.threshold * totals[g] if usable else np.float32(np.inf)
        count = _write_passing(exps, totals[:n], limits[:n], start, keep, out, count)
    return _Arrays(boxes, out.box_ids[:count], out.scores[:count], out.class_ids[:count])


def ssd_candidates(
    loc: Boxes,
    conf: Boxes,
    default_boxes_cxcywh: Boxes,
    wanted: NDArray[np.bool_],
    threshold: float,
    width: int,
    height: int,
) -> Candidates:
    """Decodes the heads of one picture.

    Args:
        loc: (4, P) float32 C-contiguous offsets: x, y, width, height.
        conf: (1 + C, P) float32 C-contiguous logits; row 0 is the background.
        default_boxes_cxcywh: (P, 4) float32 default boxes in 0..1.
        wanted: (C,) bool, the requested classes.
        threshold: only greater scores are kept.
        width: width of the network input in pixels.
        height: height of the network input in pixels.
    """
    return Candidates(
        *_ssd_candidates(loc, conf, default_boxes_cxcywh, _Filter(wanted, np.float32(threshold)), width, height)
    )


def ssd_candidates_reference(
    loc: Boxes,
    conf: Boxes,
    default_boxes_cxcywh: Boxes,
    wanted: NDArray[np.bool_],
    threshold: float,
    width: int,
    height: int,
) -> Candidates:
    """The same as `ssd_candidates`, in plain numpy."""
    with np.errstate(all="ignore"):
        exponentials = np.exp(conf - conf.max(axis=0))
        probabilities = exponentials[1:] / exponentials.sum(axis=0)
        centers = default_boxes_cxcywh[:, :2] + CENTER_VARIANCE * loc[:2].T * default_boxes_cxcywh[:, 2:]
        sizes = default_boxes_cxcywh[:, 2:] * np.exp(SIZE_VARIANCE * loc[2:].T)
        scale = np.array([width, height, width, height], np.float32)
        boxes = cxcywh_to_xyxy(np.concatenate([centers, sizes], axis=1)) * scale
        passes = (probabilities > threshold) & (probabilities <= 1) & wanted[:, None] & are_usable(boxes)
    default_box_ids, class_ids = np.nonzero(passes.T)
    rows, box_ids = np.unique(default_box_ids, return_inverse=True)
    scores = probabilities[class_ids, default_box_ids]
    return Candidates(boxes[rows], box_ids.astype(np.int32), scores, class_ids.astype(np.int32))
