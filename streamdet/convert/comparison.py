"""Compares the detections of two networks in one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.boxes import pairwise_iou
from streamdet.detect.postprocess import RawDetections

CONF = 0.05
IOU = 0.5
"""The thresholds built into the published file."""
MAX_DETECTIONS = 200


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Largest allowed difference between two networks.

    Attributes:
        box: of a corner, as a share of the input's side.
        score: of a score.
        share: smallest share of the detections that must match within these. At 1.0, each of the others must be
            explained by rounding: at the score threshold, at the cut after the best 200, or at the overlap threshold.
    """

    box: float
    score: float
    share: float

    def __str__(self) -> str:
        return f"boxes {self.box:g}, scores {self.score:g}, at least {100 * self.share:g} % of the detections"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of comparing one image, or several.

    Attributes:
        count: detections of the reference.
        matched: of these, detections with the same class in the result, box and score within the tolerance.
        borderline: unmatched detections of both that rounding explains.
        unexplained: all other unmatched detections of both.
        max_box_difference: of a matched corner, as a share of the input's side.
        max_score_difference: of a matched score.
        example: the best unmatched detection in words, an unexplained one if there is one; "" for none.
    """

    count: int = 0
    matched: int = 0
    borderline: int = 0
    unexplained: int = 0
    max_box_difference: float = 0.0
    max_score_difference: float = 0.0
    example: str = ""

    def __add__(self, other: Comparison) -> Comparison:
        return Comparison(
            self.count + other.count,
            self.matched + other.matched,
            self.borderline + other.borderline,
            self.unexplained + other.unexplained,
            max(self.max_box_difference, other.max_box_difference),
            max(self.max_score_difference, other.max_score_difference),
            other.example if other.unexplained and not self.unexplained else self.example or other.example,
        )

    @property
    def matched_share(self) -> float:
        """Share of both networks' detections that match; 1 where there are none."""
        unmatched = self.borderline + self.unexplained
        return 2 * self.matched / (2 * self.matched + unmatched) if self.matched + unmatched else 1.0

    def within(self, tolerance: Tolerance) -> bool:
        """Returns whether the difference is within a tolerance."""
        if tolerance.share < 1:
            return self.matched_share >= tolerance.share
        # Rounding rarely changes more than one or two detections of a few; a larger number has another cause.
        few = self.borderline <= 2 and self.matched >= self.borderline
        return self.unexplained == 0 and (few or self.matched_share >= 0.97)


def compare(reference: RawDetections, result: RawDetections, side: int, tolerance: Tolerance) -> Comparison:
    """Compares the detections of two networks in one image.

    Args:
        reference: sorted by falling score.
        result: sorted by falling score.
        side: of both networks' input, in pixels.
        tolerance: within which two detections match.
    """
    partners = _match(reference, result, side, tolerance)
    first = np.flatnonzero(partners >= 0)
    second = partners[first]
    unmatched = np.flatnonzero(partners < 0), np.setdiff1d(np.arange(len(result)), second)
    explained = _explained_by_rounding(reference, result, unmatched, tolerance)
    unexplained = [indices[~known] for indices, known in zip(unmatched, explained, strict=True)]
    boxes = np.abs(reference.boxes_xyxy[first] - result.boxes_xyxy[second]) / side
    scores = np.abs(reference.scores[first] - result.scores[second])
    return Comparison(
        count=len(reference),
        matched=len(first),
        borderline=sum(int(known.sum()) for known in explained),
        unexplained=sum(len(indices) for indices in unexplained),
        max_box_difference=float(boxes.max(initial=0)),
        max_score_difference=float(scores.max(initial=0)),
        example=_describe_best(reference, result, unexplained, side)
        or _describe_best(reference, result, list(unmatched), side),
    )


def _match(reference: RawDetections, result: RawDetections, side: int, tolerance: Tolerance) -> NDArray[np.int64]:
    """Returns for each detection of the reference the index of its match in the result, -1 for none."""
    partners = np.full(len(reference), -1, np.int64)
    free = np.ones(len(result), np.bool_)
    for i in range(len(reference)):
        distance = np.abs(result.boxes_xyxy - reference.boxes_xyxy[i]).max(axis=1, initial=0) / side
        fits = free & (result.class_ids == reference.class_ids[i]) & (distance <= tolerance.box)
        fits &= np.abs(result.scores - reference.scores[i]) <= tolerance.score
        if fits.any():
            partners[i] = int(np.where(fits, distance, np.inf).argmin())
            free[partners[i]] = False
    return partners


_IndexPair = tuple[NDArray[np.int64], NDArray[np.int64]]


def _explained_by_rounding(
    reference: RawDetections, result: RawDetections, unmatched: _IndexPair, tolerance: Tolerance
) -> list[NDArray[np.bool_]]:
    """Returns for both networks which of their unmatched detections rounding explains."""
    both = (reference, result)
    overlaps = pairwise_iou(reference.boxes_xyxy, result.boxes_xyxy)
    overlaps[reference.class_ids[:, None] != result.class_ids[None]] = 0
    unmatched_overlaps = overlaps[unmatched[0]], overlaps.T[unmatched[1]]
    margin = 1e-3 + 20 * tolerance.box  # by which shifted corners change the overlap of small boxes
    threshold = max([CONF] + [float(found.scores[-1]) for found in both if len(found) >= MAX_DETECTIONS])
    explained = []
    for own, other, indices, overlap in zip(both, reversed(both), unmatched, unmatched_overlaps, strict=True):
        scores = own.scores[indices]
        at_overlap_threshold = np.abs(overlap - IOU) <= margin
        # Near 1, float32 scores of different boxes are often equal, and either box may come first. Nowhere else.
        near_one = scores[:, None] > 1 - tolerance.score
        tied = near_one & (overlap > IOU - margin) & (np.abs(other.scores - scores[:, None]) <= tolerance.score)
        at_score_threshold = scores <= threshold + 2 * tolerance.score
        explained.append(at_score_threshold | (at_overlap_threshold | tied).any(axis=1))
    for _ in range(MAX_DETECTIONS):  # an explained detection also explains those that it suppresses
        before = sum(int(known.sum()) for known in explained)
        for i in (0, 1):
            suppressing = unmatched[1 - i][explained[1 - i]]
            explained[i] |= (unmatched_overlaps[i][:, suppressing] > IOU - 1e-3).any(axis=1)
        if sum(int(known.sum()) for known in explained) == before:
            break
    return explained


def _describe_best(reference: RawDetections, result: RawDetections, indices: list[NDArray[np.int64]], side: int) -> str:
    texts = []
    for found, own, owner in ((reference, indices[0], "only the source"), (result, indices[1], "only the result")):
        for i in own[:1]:
            box = ", ".join(f"{value:.4f}" for value in found.boxes_xyxy[i] / side)
            score, class_id = float(found.scores[i]), int(found.class_ids[i])
            texts.append((-score, f"{owner} has class {class_id} with score {score:.4f} at ({box})"))
    return min(texts)[1] if texts else ""
