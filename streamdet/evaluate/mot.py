"""How well objects are followed: HOTA, MOTA and IDF1, computed by TrackEval from boxes in memory.

TrackEval is the reference implementation of HOTA (Luiten et al., IJCV 2021) and what MOTChallenge scores with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdet.tracking.matching import assign, iou_matrix
from streamdet.types import Detections

MIN_IOU = 0.5
"""Overlap from which a shown box is the object's; what MOTChallenge takes. HOTA takes 0.05 to 0.95 in turn."""

Ignored = Sequence[NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class MotNumbers:
    """How well objects were followed. Shares are 0 to 1, and NaN where there was no object to follow.

    Attributes:
        hota: higher order tracking accuracy, the mean over overlaps from 0.05 to 0.95.
        det_a: its part that is about finding.
        ass_a: its part that is about keeping identities.
        loc_a: how exactly the boxes lie, of those that match.
        mota: 1 - (misses + false positives + identity switches) / objects; negative where more is wrong than there is.
        motp: mean overlap of the boxes that match.
        idf1: F1 of the best one-to-one pairing of true identities with shown ones.
        id_precision: share of shown boxes that carry the identity paired with their object's.
        id_recall: share of true boxes that are shown under the identity paired with theirs.
        precision: share of shown boxes that match an object.
        recall: share of objects that are shown.
        matches: boxes shown where an object is.
        false_positives: boxes shown where none is.
        misses: objects not shown.
        id_switches: how often an object is shown under another identity than the last time.
        fragmentations: how often an object is shown again after it was not.
        mostly_tracked: identities shown for more than 80 % of their frames.
        partly_tracked: those between.
        mostly_lost: identities shown for less than 20 % of their frames.
        identities: true ones.
        tracks: shown ones.
        frames: looked at.
    """

    hota: float
    det_a: float
    ass_a: float
    loc_a: float
    mota: float
    motp: float
    idf1: float
    id_precision: float
    id_recall: float
    precision: float
    recall: float
    matches: int
    false_positives: int
    misses: int
    id_switches: int
    fragmentations: int
    mostly_tracked: int
    partly_tracked: int
    mostly_lost: int
    identities: int
    tracks: int
    frames: int

    @property
    def objects(self) -> int:
        """True boxes in all frames together."""
        return self.matches + self.misses


@dataclass(frozen=True, slots=True, eq=False)
class MotSequence:
    """What is in each frame, and what was shown of it.

    Attributes:
        truth: for each frame the objects that are there; `track_ids` are their identities, scores do not count.
        shown: for each frame the boxes that were shown, with `track_ids`.
        ignored: for each frame (N,) bool: objects of `truth` that need not be shown, because they are scarcely visible
            or of no interest. They are no misses, and what is shown of them is no false positive. None: all count.
    """

    truth: Sequence[Detections]
    shown: Sequence[Detections]
    ignored: Ignored | None = None

    def __post_init__(self) -> None:
        if len(self.truth) != len(self.shown):
            raise ValueError(f"truth has {len(self.truth)} frames, shown {len(self.shown)}: give one of each per frame")
        if self.ignored is not None and [len(mask) for mask in self.ignored] != [len(frame) for frame in self.truth]:
            raise ValueError("ignored must hold a bool for each object of truth, frame by frame")
        _check_identities(self.truth, "truth")
        _check_identities(self.shown, "shown")


@dataclass(frozen=True, slots=True)
class MotResult:
    """Numbers of several sequences.

    Attributes:
        sequences: of each, by its name.
        combined: of all boxes together: a long sequence weighs more.
    """

    sequences: Mapping[str, MotNumbers]
    combined: MotNumbers


def evaluate_mot(
    truth: Sequence[Detections],
    shown: Sequence[Detections],
    ignored: Ignored | None = None,
    *,
    class_agnostic: bool = False,
    min_iou: float = MIN_IOU,
) -> MotNumbers:
    """Compares what was shown with what is there, for one video.

    Args:
        truth: see `MotSequence`.
        shown: see `MotSequence`.
        ignored: see `MotSequence`.
        class_agnostic: let a box of another class match. Otherwise it never does; all classes are counted together.
        min_iou: overlap from which a shown box is the object's, for MOTA and IDF1 and what belongs to them.

    Raises:
        ValueError: numbers of frames differ, an object has no identity, or two of a frame have the same.
    """
    one = MotSequence(truth, shown, ignored)
    return evaluate_sequences({"": one}, class_agnostic=class_agnostic, min_iou=min_iou).combined


def evaluate_sequences(
    sequences: Mapping[str, MotSequence], *, class_agnostic: bool = False, min_iou: float = MIN_IOU
) -> MotResult:
    """Does the same for several videos, each on its own and all together; identities are a video's own.

    Raises:
        ValueError: there is no sequence.
    """
    if not sequences:
        raise ValueError("there is no sequence to evaluate")
    data = {name: _data(sequence, class_agnostic, min_iou) for name, sequence in sequences.items()}
    counts = {name: (d["num_gt_ids"], d["num_tracker_ids"], d["num_timesteps"]) for name, d in data.items()}
    of_each: dict[str, dict[str, Any]] = {name: {} for name in data}
    of_all: dict[str, Any] = {}
    for metric in _metrics(min_iou):
        results = {name: metric.eval_sequence(d) for name, d in data.items()}
        for name, result in results.items():
            of_each[name] |= result
        of_all |= metric.combine_sequences(results)
    total = tuple(np.array(list(counts.values())).sum(axis=0).tolist())
    return MotResult({name: _numbers(of_each[name], *counts[name]) for name in data}, _numbers(of_all, *total))


def _metrics(min_iou: float) -> list[Any]:
    from trackeval.metrics.clear import CLEAR  # here: it takes half a second
    from trackeval.metrics.hota import HOTA
    from trackeval.metrics.identity import Identity

    return [HOTA(), *(kind({"THRESHOLD": min_iou, "PRINT_CONFIG": False}) for kind in (CLEAR, Identity))]


def _data(sequence: MotSequence, class_agnostic: bool, min_iou: float) -> dict[str, Any]:
    """Returns a sequence as TrackEval's metrics take it: similarities, and identities counted from 0."""
    truth_ids, shown_ids, similarities = [], [], []
    ignored = sequence.ignored or [np.zeros(len(frame), np.bool_) for frame in sequence.truth]
    for truth, shown, mask in zip(sequence.truth, sequence.shown, ignored, strict=True):
        alike = iou_matrix(truth.boxes_xyxy, shown.boxes_xyxy)
        if not class_agnostic:
            alike[truth.class_ids[:, None] != shown.class_ids[None]] = 0.0
        counts = ~_of_ignored(alike, mask, min_iou)
        truth_ids.append(truth.track_ids[~mask])
        shown_ids.append(shown.track_ids[counts])
        similarities.append(alike[~mask][:, counts])
    truth_number, identities = _numbered(truth_ids)
    shown_number, tracks = _numbered(shown_ids)
    return {
        "gt_ids": truth_number,
        "tracker_ids": shown_number,
        "similarity_scores": similarities,
        "num_gt_ids": identities,
        "num_tracker_ids": tracks,
        "num_gt_dets": sum(map(len, truth_ids)),
        "num_tracker_dets": sum(map(len, shown_ids)),
        "num_timesteps": len(similarities),
    }


def _of_ignored(alike: NDArray[np.float64], ignored: NDArray[np.bool_], min_iou: float) -> NDArray[np.bool_]:
    """Returns which of the shown boxes belong to ignored objects, (M,) bool.

    As MOTChallenge does: the best pairing with all objects of the frame decides.
    """
    belongs = np.zeros(alike.shape[1], np.bool_)
    if ignored.any() and alike.size:
        column_of_row = assign(np.where(alike >= min_iou, alike, 0.0))
        columns = column_of_row[ignored]
        belongs[columns[columns >= 0]] = True
    return belongs


def _numbered(ids: list[NDArray[np.int64]]) -> tuple[list[NDArray[np.int64]], int]:
    """Returns identities as numbers from 0 on, and how many there are."""
    known = np.unique(np.concatenate(ids)) if ids else np.empty(0, np.int64)
    return [np.searchsorted(known, some) for some in ids], len(known)


def _check_identities(frames: Sequence[Detections], what: str) -> None:
    for k, frame in enumerate(frames):
        if (frame.track_ids < 0).any():
            raise ValueError(f"{what}: an object of frame {k} has no identity (track_ids below 0)")
        if len(np.unique(frame.track_ids)) < len(frame):
            raise ValueError(f"{what}: two objects of frame {k} have the same identity")


def _numbers(results: dict[str, Any], identities: int, tracks: int, frames: int) -> MotNumbers:
    """Returns TrackEval's results under our names; those over several overlaps as their mean."""
    some = results["CLR_TP"] + results["CLR_FN"] > 0

    def share(name: str, there_is: bool = some) -> float:
        return float(np.mean(results[name])) if there_is else math.nan

    return MotNumbers(
        hota=share("HOTA"),
        det_a=share("DetA"),
        ass_a=share("AssA"),
        loc_a=share("LocA"),
        mota=share("MOTA"),
        motp=share("MOTP", results["CLR_TP"] > 0),
        idf1=share("IDF1"),
        id_precision=share("IDP", tracks > 0),
        id_recall=share("IDR"),
        precision=share("CLR_Pr", tracks > 0),
        recall=share("CLR_Re"),
        matches=int(results["CLR_TP"]),
        false_positives=int(results["CLR_FP"]),
        misses=int(results["CLR_FN"]),
        id_switches=int(results["IDSW"]),
        fragmentations=int(results["Frag"]),
        mostly_tracked=int(results["MT"]),
        partly_tracked=int(results["PT"]),
        mostly_lost=int(results["ML"]),
        identities=identities,
        tracks=tracks,
        frames=frames,
    )
