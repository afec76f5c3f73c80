"""Whether two networks find the same in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import pairwise_iou
from streamdet.detect.postprocess import RawDetections

CONF = 0.05
IOU = 0.5
"""The thresholds built into the published file."""
MOST = 200


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much two networks may differ.

    Attributes:
        box: of a corner, as a share of the input's side.
        score: of a score.
        share: of the detections that must have a partner within that; of the rest, at 1.0, each must be one that a
            rounding decides: at the threshold, at the cut after the best 200, or at the limit of overlap.
    """

    box: float
    score: float
    share: float

    def __str__(self) -> str:
        """Says it for people."""
        return f"boxes {self.box:g}, scores {self.score:g}, at least {100 * self.share:g} % of the detections"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison of one picture, or of several, gave.

    Attributes:
        count: detections of the reference.
        matched: of them, found again with the same label, box and score within the tolerance.
        borderline: of both, those without a partner that a rounding explains.
        unexplained: of both, the rest of those without a partner.
        box: greatest difference of a matched corner, as a share of the input's side.
        score: greatest difference of a matched score.
        first: the best detection without partner, for people, first of those without explanation; "" for none.
    """

    count: int = 0
    matched: int = 0
    borderline: int = 0
    unexplained: int = 0
    box: float = 0.0
    score: float = 0.0
    first: str = ""

    def __add__(self, other: Comparison) -> Comparison:
        return Comparison(
            self.count + other.count,
            self.matched + other.matched,
            self.borderline + other.borderline,
            self.unexplained + other.unexplained,
            max(self.box, other.box),
            max(self.score, other.score),
            other.first if other.unexplained and not self.unexplained else self.first or other.first,
        )

    @property
    def share(self) -> float:
        """Matched detections of all, of both sides; 1 where there are none."""
        lonely = self.borderline + self.unexplained
        return 2 * self.matched / (2 * self.matched + lonely) if self.matched + lonely else 1.0

    def within(self, tolerance: Tolerance) -> bool:
        """Whether the two agree."""
        if tolerance.share < 1:
            return self.share >= tolerance.share
        # Roundings decide rarely, one or two detections where there are few; more of them are something else.
        few = self.borderline <= 2 and self.matched >= self.borderline
        return self.unexplained == 0 and (few or self.share >= 0.97)


def compare(reference: RawDetections, result: RawDetections, side: int, tolerance: Tolerance) -> Comparison:
    """Compares what two networks found in one picture.

    Args:
        reference: by falling score.
        result: by falling score.
        side: of the input of both, in pixels.
        tolerance: for a pair to be the same detection.
    """
    partners = _pairs(reference, result, side, tolerance)
    mine = np.flatnonzero(partners >= 0)
    theirs = partners[mine]
    lonely = np.flatnonzero(partners < 0), np.setdiff1d(np.arange(len(result)), theirs)
    explained = _explained(reference, result, lonely, tolerance)
    unexplained = [keep[~known] for keep, known in zip(lonely, explained, strict=True)]
    boxes = np.abs(reference.boxes_xyxy[mine] - result.boxes_xyxy[theirs]) / side
    scores = np.abs(reference.scores[mine] - result.scores[theirs])
    return Comparison(
        count=len(reference),
        matched=len(mine),
        borderline=sum(int(known.sum()) for known in explained),
        unexplained=sum(len(left) for left in unexplained),
        box=float(boxes.max(initial=0)),
        score=float(scores.max(initial=0)),
        first=_first(reference, result, unexplained, side) or _first(reference, result, list(lonely), side),
    )


def _pairs(reference: RawDetections, result: RawDetections, side: int, tolerance: Tolerance) -> NDArray[np.int64]:
    """Returns for each detection of the reference its partner in the result, -1 for none."""
    partners = np.full(len(reference), -1, np.int64)
    free = np.ones(len(result), np.bool_)
    for i in range(len(reference)):
        near = np.abs(result.boxes_xyxy - reference.boxes_xyxy[i]).max(axis=1, initial=0) / side
        fits = free & (result.class_ids == reference.class_ids[i]) & (near <= tolerance.box)
        fits &= np.abs(result.scores - reference.scores[i]) <= tolerance.score
        if fits.any():
            partners[i] = int(np.where(fits, near, np.inf).argmin())
            free[partners[i]] = False
    return partners


_Two = tuple[NDArray[np.int64], NDArray[np.int64]]


def _explained(
    reference: RawDetections, result: RawDetections, lonely: _Two, tolerance: Tolerance
) -> list[NDArray[np.bool_]]:
    """Returns which detections without partner a rounding explains, in each of the two."""
    found = (reference, result)
    overlaps = pairwise_iou(reference.boxes_xyxy, result.boxes_xyxy)
    overlaps[reference.class_ids[:, None] != result.class_ids[None]] = 0
    overlap_of = overlaps[lonely[0]], overlaps.T[lonely[1]]
    limit = 1e-3 + 20 * tolerance.box  # what moving corners does to the overlap of small boxes
    weakest = max([CONF] + [float(f.scores[-1]) for f in found if len(f) >= MOST])
    known = []
    for own, other, mine, overlap in zip(found, reversed(found), lonely, overlap_of, strict=True):
        scores = own.scores[mine]
        at_limit = np.abs(overlap - IOU) <= limit
        # Near 1 float32 scores of different boxes are often equal, and either may come first. Nowhere else.
        sure = scores[:, None] > 1 - tolerance.score
        tied = sure & (overlap > IOU - limit) & (np.abs(other.scores - scores[:, None]) <= tolerance.score)
        known.append((scores <= weakest + 2 * tolerance.score) | (at_limit | tied).any(axis=1))
    for _ in range(MOST):  # one that is there or not decides about those that it overlaps
        before = sum(int(k.sum()) for k in known)
        for me in (0, 1):
            decided = lonely[1 - me][known[1 - me]]
            known[me] |= (overlap_of[me][:, decided] > IOU - 1e-3).any(axis=1)
        if sum(int(k.sum()) for k in known) == before:
            break
    return known


def _first(reference: RawDetections, result: RawDetections, left: list[NDArray[np.int64]], side: int) -> str:
    texts = []
    for found, indices, whose in ((reference, left[0], "only the source"), (result, left[1], "only the result")):
        for i in indices[:1]:
            box = ", ".join(f"{value:.4f}" for value in found.boxes_xyxy[i] / side)
            score, label = float(found.scores[i]), int(found.class_ids[i])
            texts.append((-score, f"{whose} has class {label} with score {score:.4f} at ({box})"))
    return min(texts)[1] if texts else ""
