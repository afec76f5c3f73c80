"""MOTChallenge's text files: detections, truth and tracks, a box a line.

Columns: frame (from 1), identity (-1 for detections), left, top, width, height, then by the kind of file

    detections, tracks   score                      then anything, mostly -1,-1,-1
    truth of 2015        1 counts, 0 does not       then a place in the world, mostly -1,-1,-1: 10 columns
    truth since 2016     1 counts, 0 does not       class, visible share: 9 columns
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdet.errors import UsageError
from streamdet.sinks.output_path import write_error
from streamdet.types import Detections

MAX_BYTES = 1 << 30
"""Largest file that is read; the largest truth of MOT20 has 50 MB."""
MAX_FRAMES = 1 << 20
"""Most frames of a sequence: a number in the wrong column must not make as many empty frames."""
DISTRACTORS = (2, 7, 8, 12)
"""Classes of MOT16, 17 and 20 that look like persons and need not be shown: on a vehicle, static, distractor,
reflection. (6, vehicles without motor, is one only in MOT20.)"""

_LEAST_COLUMNS = 7
_TOO_FAR_PX = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class MotGroundTruth:
    """What a truth file says.

    Attributes:
        frames: the objects of each frame, the first being frame 1 of the file; all of class 0, with identities.
        ignored: for each frame (N,) bool, objects that need not be shown.
    """

    frames: list[Detections]
    ignored: list[NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The lines of a file, as numbers."""

    path: Path
    table: NDArray[np.float64]

    @property
    def frames(self) -> NDArray[np.int64]:
        return self.table[:, 0].astype(np.int64)

    @property
    def last(self) -> int:
        return int(self.table[:, 0].max()) if len(self.table) else 0

    def only(self, which: NDArray[np.bool_]) -> _Rows:
        return _Rows(self.path, self.table[which])

    def split(self, length: int) -> list[_Rows]:
        """Returns the rows of each of the first `length` frames, in the order of the file."""
        table = self.table[np.argsort(self.frames, kind="stable")]
        edges = np.searchsorted(table[:, 0], np.arange(1, length + 2))
        return [_Rows(self.path, table[start:end]) for start, end in pairwise(edges)]

    def detections(self, scores: NDArray[np.float64], identities: bool) -> Detections:
        boxes_xyxy = np.hstack([self.table[:, 2:4], self.table[:, 2:4] + self.table[:, 4:6]]).astype(np.float32)
        ids = self.table[:, 1].astype(np.int64) if identities else None
        return Detections(boxes_xyxy, scores.astype(np.float32), np.zeros(len(scores), np.int32), ids)  # type: ignore[arg-type]


def read_detections(path: Path, length: int = 0, score_range: tuple[float, float] = (0.0, 1.0)) -> list[Detections]:
    """Reads detections (``det.txt``) of each frame; identities are left out.

    Args:
        path: of the file.
        length: frames of the sequence; 0 takes the last that has a detection.
        score_range: scores that become 0 and 1; those outside become 0 or 1 too. The file's own have to lie in [0, 1]
            unless this says otherwise.

    Raises:
        UsageError: the file is missing or not of this kind; the message says where and what to do.
    """
    rows = _read(path, length)
    scores = rows.table[:, 6]
    low, high = score_range
    if score_range == (0.0, 1.0) and len(scores) and not (scores.min() >= 0 and scores.max() <= 1):
        raise UsageError(
            f"{path}: scores go from {scores.min():g} to {scores.max():g}, a tracker needs 0 to 1: "
            "say with --score-range LOW,HIGH which scores are to be 0 and 1"
        )
    rows.table[:, 6] = np.clip((scores - low) / (high - low), 0.0, 1.0)
    return [frame.detections(frame.table[:, 6], identities=False) for frame in rows.split(length or rows.last)]


def read_tracks(path: Path, length: int = 0) -> list[Detections]:
    """Reads the boxes and identities that a tracker gave for each frame. A file without a line is one without tracks.

    Scores are not looked at by any metric; those outside [0, 1] become 0 or 1.

    Raises:
        UsageError: as `read_detections`; or an identity is missing, or is twice in a frame.
    """
    rows = _read(path, length)
    _check_identities(rows)
    return [
        frame.detections(np.clip(frame.table[:, 6], 0.0, 1.0), identities=True)
        for frame in rows.split(length or rows.last)
    ]


def read_ground_truth(path: Path, length: int = 0) -> MotGroundTruth:
    """Reads truth (``gt.txt``) by MOTChallenge's rules: what is marked 0 is left out, but for `DISTRACTORS`.

    Raises:
        UsageError: as `read_tracks`; or there is no object that counts.
    """
    rows = _read(path, length)
    counts, distracts = rows.table[:, 6] != 0, _distracts(rows)
    if not (counts & ~distracts).any():
        raise UsageError(f"{path}: there is no object that counts in it: is this a truth file, gt.txt?")
    length = length or rows.last
    rows = rows.only(counts | distracts)
    _check_identities(rows)
    frames = rows.split(length)
    ignored = [_distracts(frame) for frame in frames]
    return MotGroundTruth([frame.detections(np.ones(len(frame.table)), identities=True) for frame in frames], ignored)


def _distracts(rows: _Rows) -> NDArray[np.bool_]:
    """Returns which rows of a truth file are of `DISTRACTORS`, (N,) bool; only files since 2016 tell classes."""
    if rows.table.shape[1] != 9:
        return np.zeros(len(rows.table), np.bool_)
    return np.isin(rows.table[:, 7], DISTRACTORS)


def write_tracks(path: Path, frames: Iterable[Detections]) -> None:
    """Writes the tracked boxes of each frame as MOTChallenge's servers and tools take them; others are left out.

    Raises:
        SinkError: the file cannot be written.
    """
    try:
        with path.open("w", encoding="ascii", newline="\n") as file:
            for number, frame in enumerate(frames, 1):
                for (left, top, right, bottom), score, track in zip(
                    frame.boxes_xyxy.tolist(), frame.scores.tolist(), frame.track_ids.tolist(), strict=True
                ):
                    if track >= 0:
                        box = f"{left:.3f},{top:.3f},{right - left:.3f},{bottom - top:.3f}"
                        file.write(f"{number},{track},{box},{score:.4f},-1,-1,-1\n")
    except OSError as error:
        raise write_error(path, error) from None


def read_text(path: Path) -> str:
    """Returns what is in a text file.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder: give the text file in it")
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise UsageError(f"{path} has more than {MAX_BYTES >> 30} GB: not a file of boxes?")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file: check the path") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not a text file: {_EXPECTED}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot read {path}: {reason}") from None


def _read(path: Path, length: int) -> _Rows:
    text = read_text(path)
    table = _parse(text, path)
    _check(table, text, path, length)
    return _Rows(path, table)


_EXPECTED = "expected lines of frame,identity,left,top,width,height,score"


def _parse(text: str, path: Path) -> NDArray[np.float64]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file without a line
            table = np.loadtxt(text.splitlines(), delimiter=",", ndmin=2, dtype=np.float64)
    except ValueError:
        raise _complaint(text, path) from None
    if table.size == 0:
        return np.empty((0, _LEAST_COLUMNS))
    if table.shape[1] < _LEAST_COLUMNS:
        raise _complaint(text, path)
    return table


def _complaint(text: str, path: Path) -> UsageError:
    """Returns what is wrong with the first line that is."""
    columns = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.partition("#")[0].strip():
            continue
        parts = line.partition("#")[0].split(",")
        try:
            [float(part) for part in parts]
        except ValueError:
            return UsageError(f"{path}, line {number}: not numbers between commas: {_EXPECTED}")
        if len(parts) < _LEAST_COLUMNS:
            return UsageError(f"{path}, line {number}: {len(parts)} columns: {_EXPECTED}")
        if columns and len(parts) != columns:
            return UsageError(f"{path}, line {number}: {len(parts)} columns where the lines before have {columns}")
        columns = len(parts)
    return UsageError(f"{path}: {_EXPECTED}")


def _check(table: NDArray[np.float64], text: str, path: Path, length: int) -> None:
    frames = table[:, 0]
    last = length or MAX_FRAMES
    for wrong, what in (
        (~np.isfinite(table[:, :7]).all(axis=1), "a number that is not finite"),
        ((frames < 1) | (frames != np.floor(frames)), "the first column is the frame, counted from 1"),
        (frames > last, f"a frame beyond the last, {last}: do the files belong together?"),
        (np.abs(table[:, 2:6]).max(axis=1, initial=0.0) > _TOO_FAR_PX, "a box beyond a million pixels"),
        ((table[:, 4:6] < 0).any(axis=1), "a negative width or height: columns 5 and 6 are a size, not a corner"),
    ):
        if wrong.any():
            raise UsageError(f"{path}, line {_line(text, int(np.argmax(wrong)))}: {what}")


def _check_identities(rows: _Rows) -> None:
    ids = rows.table[:, 1]
    if (ids < 0).any():
        frame = int(rows.frames[np.argmax(ids < 0)])
        raise UsageError(f"{rows.path}: a box of frame {frame} has no identity (second column below 0): detections?")
    if (ids != np.floor(ids)).any():
        raise UsageError(f"{rows.path}: identities, the second column, must be whole numbers")
    pairs, times = np.unique(rows.table[:, :2], axis=0, return_counts=True)
    if (times > 1).any():
        frame, identity = pairs[np.argmax(times > 1)].astype(int).tolist()
        raise UsageError(f"{rows.path}: identity {identity} is twice in frame {frame}")


def _line(text: str, row: int) -> int:
    """Returns the number of the line that holds a row; empty lines and comments hold none."""
    holds = [number for number, line in enumerate(text.splitlines(), 1) if line.partition("#")[0].strip()]
    return holds[row]
