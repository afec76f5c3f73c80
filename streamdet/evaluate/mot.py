"""Tracking metrics: HOTA, MOTA and IDF1, computed by TrackEval from boxes in memory.

TrackEval is the reference implementation of HOTA (Luiten et al., IJCV 2021) and the scorer of MOTChallenge.
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
"""Minimum IoU of a shown box and an object that match, as for MOTChallenge. HOTA averages over 0.05 to 0.95."""

Ignored = Sequence[NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class MotNumbers:
    """Tracking metrics. Shares are 0 to 1, and NaN without objects.

    Attributes:
        hota: higher order tracking accuracy, the mean over IoU from 0.05 to 0.95.
        det_a: detection accuracy, a part of HOTA.
        ass_a: association accuracy, a part of HOTA.
        loc_a: localization accuracy of the matching boxes.
        mota: 1 - (misses + false positives + identity switches) / objects; negative if errors outnumber objects.
        motp: mean IoU of the matching boxes.
        idf1: F1 of the best one-to-one assignment of ground truth identities to tracks.
        id_precision: share of shown boxes whose track is assigned to their object's identity.
        id_recall: share of ground truth boxes shown by the track assigned to their identity.
        precision: share of shown boxes that match an object.
        recall: share of objects that are shown.
        matches: number of shown boxes that match an object.
        false_positives: number of shown boxes that match none.
        misses: number of objects not shown.
        id_switches: number of times that an object's track changes.
        fragmentations: number of times that an object is shown again after a gap.
        mostly_tracked: identities shown in more than 80 % of their frames.
        partly_tracked: identities shown in 20 % to 80 % of their frames.
        mostly_lost: identities shown in less than 20 % of their frames.
        identities: number in the ground truth.
        tracks: number shown.
        frames: number evaluated.
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
        """Number of ground truth boxes in all frames."""
        return self.matches + self.misses


@dataclass(frozen=True, slots=True, eq=False)
class MotSequence:
    """Ground truth and shown boxes of one video.

    Attributes:
        truth: ground truth of each frame; `track_ids` are identities, scores are not used.
        shown: shown boxes of each frame, with `track_ids`.
        ignored: for each frame (N,) bool: objects of `truth` that may be missed, because they are hardly visible or of
            no interest. They are not misses, and boxes shown for them are not false positives. None: all objects count.
    """

    truth: Sequence[Detections]
    shown: Sequence[Detections]
    ignored: Ignored | None = None

    def __post_init__(self) -> None:
        if len(self.truth) != len(self.shown):
            raise ValueError(
                f"truth has {len(self.truth)} frames, shown has {len(self.shown)}: both must have one item per frame"
            )
        if self.ignored is not None and [len(mask) for mask in self.ignored] != [len(frame) for frame in self.truth]:
            raise ValueError("ignored must have one bool per object of truth, frame by frame")
        _check_identities(self.truth, "truth")
        _check_identities(self.shown, "shown")


@dataclass(frozen=True, slots=True)
class MotResult:
    """Metrics of several sequences.

    Attributes:
        sequences: metrics of each, by name.
        combined: metrics over all boxes; a long sequence weighs more.
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
    """Compares shown boxes with ground truth, for one video.

    Args:
        truth: see `MotSequence`.
        shown: see `MotSequence`.
        ignored: see `MotSequence`.
        class_agnostic: let boxes of different classes match. All classes are counted together either way.
        min_iou: minimum IoU of a match, for MOTA, IDF1 and the numbers they consist of.

    Raises:
        ValueError: the numbers of frames differ, an object has no identity, or two of a frame have the same.
    """
    one = MotSequence(truth, shown, ignored)
    return evaluate_sequences({"": one}, class_agnostic=class_agnostic, min_iou=min_iou).combined


def evaluate_sequences(
    sequences: Mapping[str, MotSequence], *, class_agnostic: bool = False, min_iou: float = MIN_IOU
) -> MotResult:
    """Compares shown boxes with ground truth for several videos, separately and combined. Identities are per video.

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
    from trackeval.metrics.clear import CLEAR  # imported here: it takes half a second
    from trackeval.metrics.hota import HOTA
    from trackeval.metrics.identity import Identity

    return [HOTA(), *(kind({"THRESHOLD": min_iou, "PRINT_CONFIG": False}) for kind in (CLEAR, Identity))]


def _data(sequence: MotSequence, class_agnostic: bool, min_iou: float) -> dict[str, Any]:
    """Returns a sequence in TrackEval's format: similarities, and identities numbered from 0."""
    truth_ids, shown_ids, similarities = [], [], []
    ignored = sequence.ignored or [np.zeros(len(frame), np.bool_) for frame in sequence.truth]
    for truth, shown, mask in zip(sequence.truth, sequence.shown, ignored, strict=True):
        iou = iou_matrix(truth.boxes_xyxy, shown.boxes_xyxy)
        if not class_agnostic:
            iou[truth.class_ids[:, None] != shown.class_ids[None]] = 0.0
        counts = ~_of_ignored(iou, mask, min_iou)
        truth_ids.append(truth.track_ids[~mask])
        shown_ids.append(shown.track_ids[counts])
        similarities.append(iou[~mask][:, counts])
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


def _of_ignored(iou: NDArray[np.float64], ignored: NDArray[np.bool_], min_iou: float) -> NDArray[np.bool_]:
    """Returns which of the shown boxes match ignored objects, (M,) bool.

    As for MOTChallenge, the best assignment to all objects of the frame decides.
    """
    belongs = np.zeros(iou.shape[1], np.bool_)
    if ignored.any() and iou.size:
        column_of_row = assign(np.where(iou >= min_iou, iou, 0.0))
        columns = column_of_row[ignored]
        belongs[columns[columns >= 0]] = True
    return belongs


def _numbered(ids: list[NDArray[np.int64]]) -> tuple[list[NDArray[np.int64]], int]:
    """Returns the identities numbered from 0, and their number."""
    known = np.unique(np.concatenate(ids)) if ids else np.empty(0, np.int64)
    return [np.searchsorted(known, some) for some in ids], len(known)


def _check_identities(frames: Sequence[Detections], what: str) -> None:
    for k, frame in enumerate(frames):
        if (frame.track_ids < 0).any():
            raise ValueError(f"{what}: an object of frame {k} has no identity (track_ids below 0)")
        if len(np.unique(frame.track_ids)) < len(frame):
            raise ValueError(f"{what}: two objects of frame {k} have the same identity")


def _numbers(results: dict[str, Any], identities: int, tracks: int, frames: int) -> MotNumbers:
    """Returns TrackEval's results under our names; those at several IoU thresholds as their mean."""
    has_objects = results["CLR_TP"] + results["CLR_FN"] > 0

    def share(name: str, defined: bool = has_objects) -> float:
        return float(np.mean(results[name])) if defined else math.nan

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
