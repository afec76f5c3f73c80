"""Evaluates tracks of MOTChallenge sequences, read from files or computed by the tracker from detections."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from streamdet.errors import UsageError
from streamdet.evaluate.mot import MIN_IOU, MotResult, MotSequence, evaluate_sequences
from streamdet.evaluate.mot_jsonl import read_jsonl_tracks
from streamdet.evaluate.mot_sequences import SequenceFiles
from streamdet.evaluate.mot_text import read_detections, read_ground_truth, read_tracks
from streamdet.tracking.tracker import ByteTracker, warm_up
from streamdet.tracking.tracker_options import TrackerOptions
from streamdet.types import Detections


@dataclass(frozen=True, slots=True)
class MotOptions:
    """Options of an evaluation.

    Attributes:
        tracker: options of the tracker, where it computes the tracks.
        score_range: see `read_detections`.
        min_iou: minimum IoU of a match.
    """

    tracker: TrackerOptions = field(default_factory=TrackerOptions)
    score_range: tuple[float, float] = (0.0, 1.0)
    min_iou: float = MIN_IOU


@dataclass(frozen=True, slots=True)
class MotJob:
    """A sequence and the tracks to evaluate.

    Attributes:
        files: of the sequence.
        tracks: file with a tracker's output, or ``.jsonl`` of `streamdet run`; None runs the tracker on the sequence's
            detections.
    """

    files: SequenceFiles
    tracks: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MotRun:
    """The result of an evaluation.

    Attributes:
        result: the metrics.
        shown: by sequence, the tracks of each frame.
        us_per_frame: by sequence, median time of a tracker update in microseconds; only where the tracker ran.
        sources: by sequence, the file of the tracks or detections.
    """

    result: MotResult
    shown: Mapping[str, Sequence[Detections]]
    us_per_frame: Mapping[str, float]
    sources: Mapping[str, Path]


def evaluate_mot_files(jobs: Sequence[MotJob], options: MotOptions | None = None) -> MotRun:
    """Evaluates the tracks of each sequence against its ground truth; runs the tracker where there are no tracks.

    Raises:
        UsageError: a file is invalid, two sequences have the same name, or a sequence without tracks lacks detections
            or a frame rate.
    """
    options = options or MotOptions()
    names = [job.files.name for job in jobs]
    if len(set(names)) < len(names):
        raise UsageError(f"two sequences have the same name: {', '.join(sorted(names))}")
    for job in jobs:
        _check(job)
    sequences: dict[str, MotSequence] = {}
    us_per_frame: dict[str, float] = {}
    sources: dict[str, Path] = {}
    for job in jobs:
        files = job.files
        truth = read_ground_truth(files.truth, files.length)
        if job.tracks is not None:
            sources[files.name] = job.tracks
            is_ours = job.tracks.suffix.lower() in (".jsonl", ".ndjson")
            shown = read_jsonl_tracks(job.tracks, files.length) if is_ours else read_tracks(job.tracks, files.length)
        elif files.detections is not None:
            sources[files.name] = files.detections
            found = read_detections(files.detections, files.length, options.score_range)
            shown, us_per_frame[files.name] = track(found, files.fps, options.tracker)
        length = max(len(truth.frames), len(shown))
        ignored = [*truth.ignored, *[np.empty(0, np.bool_)] * (length - len(truth.ignored))]
        sequences[files.name] = MotSequence(_padded(truth.frames, length), _padded(shown, length), ignored)
    result = evaluate_sequences(sequences, min_iou=options.min_iou)
    return MotRun(result, {name: sequence.shown for name, sequence in sequences.items()}, us_per_frame, sources)


def track(
    frames: Sequence[Detections], fps: float, options: TrackerOptions | None = None
) -> tuple[list[Detections], float]:
    """Runs the tracker on the detections of each frame.

    Returns:
        The tracks of each frame, and the median time of an update in microseconds.
    """
    warm_up()
    tracker = ByteTracker(options)
    shown, times_ns = [], []
    for index, found in enumerate(frames):
        started = time.perf_counter_ns()
        shown.append(tracker.update(found, index / fps))
        times_ns.append(time.perf_counter_ns() - started)
    return shown, float(np.median(times_ns)) / 1e3 if times_ns else 0.0


def _check(job: MotJob) -> None:
    files = job.files
    if job.tracks is None and files.detections is None:
        raise UsageError(
            f"{files.name}: there are no detections next to {files.truth}: expected det/det.txt or det.txt"
        )
    if job.tracks is None and not files.fps:
        raise UsageError(f"{files.name}: the frame rate is unknown: give --fps, or a seqinfo.ini next to the files")


def _padded(frames: Sequence[Detections], length: int) -> list[Detections]:
    return [*frames, *[Detections.empty()] * (length - len(frames))]
