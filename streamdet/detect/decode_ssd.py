"""Decodes the raw heads of the flagship's SSD: kernel and plain numpy twin."""

import math

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import Boxes, cxcywh_to_xyxy
from streamdet.detect.candidates import Candidates, are_usable, is_usable
from streamdet.kernels import kernel

# How offsets were scaled in training (SSD, Liu et al. 2016; MLPerf keeps the values).
CENTER_VARIANCE = np.float32(0.1)
SIZE_VARIANCE = np.float32(0.2)

_BLOCK = 512  # default boxes looked at together: their running maxima stay in the first-level cache
_ONE = np.float32(1.0)
_Arrays = tuple[Boxes, NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]


@kernel
def _prune(conf: Boxes, margin: np.float32) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Finds default boxes where some class can still pass the threshold, without computing one exponential.

    The sum under a softmax is at least the exponential of its greatest logit, so a class whose logit lies `margin`
    = -log(threshold) or more below that cannot pass. Rows are read along memory, which the compiler vectorises.

    Returns:
        (M,) indices of default boxes and (M,) their greatest logits.
    """
    rows, count = conf.shape
    boxes = np.empty(count, np.int32)
    peaks = np.empty(count, np.float32)
    found = 0
    best = np.empty(_BLOCK, np.float32)
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        for j in range(size):
            best[j] = conf[1, start + j]
        for row in range(2, rows):
            for j in range(size):
                value = conf[row, start + j]
                best[j] = value if value > best[j] else best[j]
        for j in range(size):
            background = conf[0, start + j]
            if not background - best[j] > margin:  # also true for NaN, which the softmax settles
                boxes[found] = start + j
                peaks[found] = background if background > best[j] else best[j]
                found += 1
    return boxes[:found], peaks[:found]


@kernel
def _ssd_candidates(
    loc: Boxes,
    conf: Boxes,
    priors_cxcywh: Boxes,
    wanted: NDArray[np.bool_],
    threshold: np.float32,
    width: int,
    height: int,
) -> _Arrays:
    # A little wider than -log(threshold), so that rounding cannot prune what the exact test would keep.
    margin = np.float32(-math.log(max(threshold, np.float32(1e-30))) + 1e-3)
    anchors, peaks = _prune(conf, margin)
    classes = len(wanted)
    boxes = np.empty((len(anchors), 4), np.float32)
    box_ids = np.empty(len(anchors) * classes, np.int32)
    scores = np.empty(len(anchors) * classes, np.float32)
    class_ids = np.empty(len(anchors) * classes, np.int32)
    exponentials = np.empty(classes, np.float32)
    box_count = 0
    count = 0
    half = np.float32(0.5)
    for a in range(len(anchors)):
        anchor = anchors[a]
        total = np.exp(conf[0, anchor] - peaks[a])
        for c in range(classes):
            exponentials[c] = np.exp(conf[c + 1, anchor] - peaks[a])
            total += exponentials[c]
        first = count
        for c in range(classes):
            score = exponentials[c] / total
            if wanted[c] and score > threshold and score <= _ONE:
                box_ids[count] = box_count
                scores[count] = score
                class_ids[count] = c
                count += 1
        if count == first:
            continue
        center_x = priors_cxcywh[anchor, 0] + CENTER_VARIANCE * loc[0, anchor] * priors_cxcywh[anchor, 2]
        center_y = priors_cxcywh[anchor, 1] + CENTER_VARIANCE * loc[1, anchor] * priors_cxcywh[anchor, 3]
        half_width = half * priors_cxcywh[anchor, 2] * np.exp(SIZE_VARIANCE * loc[2, anchor])
        half_height = half * priors_cxcywh[anchor, 3] * np.exp(SIZE_VARIANCE * loc[3, anchor])
        left = (center_x - half_width) * np.float32(width)
        top = (center_y - half_height) * np.float32(height)
        right = (center_x + half_width) * np.float32(width)
        bottom = (center_y + half_height) * np.float32(height)
        if is_usable(left, top, right, bottom):
            boxes[box_count, 0] = left
            boxes[box_count, 1] = top
            boxes[box_count, 2] = right
            boxes[box_count, 3] = bottom
            box_count += 1
        else:
            count = first
    return boxes[:box_count], box_ids[:count], scores[:count], class_ids[:count]


def ssd_candidates(
    loc: Boxes, conf: Boxes, priors_cxcywh: Boxes, wanted: NDArray[np.bool_], threshold: float, width: int, height: int
) -> Candidates:
    """Decodes one picture's heads.

    Args:
        loc: (4, P) float32 C-contiguous offsets: x, y, width, height.
        conf: (1 + C, P) float32 C-contiguous logits; row 0 is the background.
        priors_cxcywh: (P, 4) float32 default boxes in 0..1.
        wanted: (C,) bool, the classes asked for.
        threshold: only greater scores are kept.
        width: of the network's input, in pixels.
        height: of the network's input, in pixels.
    """
    return Candidates(*_ssd_candidates(loc, conf, priors_cxcywh, wanted, np.float32(threshold), width, height))


def ssd_candidates_reference(
    loc: Boxes, conf: Boxes, priors_cxcywh: Boxes, wanted: NDArray[np.bool_], threshold: float, width: int, height: int
) -> Candidates:
    """The same as `ssd_candidates` in plain numpy."""
    with np.errstate(all="ignore"):
        exponentials = np.exp(conf - conf.max(axis=0))
        probabilities = exponentials[1:] / exponentials.sum(axis=0)
        centers = priors_cxcywh[:, :2] + CENTER_VARIANCE * loc[:2].T * priors_cxcywh[:, 2:]
        sizes = priors_cxcywh[:, 2:] * np.exp(SIZE_VARIANCE * loc[2:].T)
        scale = np.array([width, height, width, height], np.float32)
        boxes = cxcywh_to_xyxy(np.concatenate([centers, sizes], axis=1)) * scale
        passes = (probabilities > threshold) & (probabilities <= 1) & wanted[:, None] & are_usable(boxes)
    anchors, class_ids = np.nonzero(passes.T)
    rows, box_ids = np.unique(anchors, return_inverse=True)
    scores = probabilities[class_ids, anchors]
    return Candidates(boxes[rows], box_ids.astype(np.int32), scores, class_ids.astype(np.int32))
