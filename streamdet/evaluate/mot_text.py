"""MOTChallenge's text files: detections, ground truth and tracks, one box per line.

Columns: frame (from 1), identity (-1 for detections), left, top, width, height, then depending on the file

    detections, tracks         score                   then anything, mostly -1,-1,-1
    ground truth of 2015       1 counts, 0 does not    then world coordinates, mostly -1,-1,-1: 10 columns
    ground truth since 2016    1 counts, 0 does not    class, visible share: 9 columns
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
"""Largest file that is read; the largest ground truth of MOT20 has 50 MB."""
MAX_FRAMES = 1 << 20
"""Most frames of a sequence; otherwise a number in the wrong column could create any number of empty frames."""
DISTRACTORS = (2, 7, 8, 12)
"""Classes of MOT16, 17 and 20 that look like persons and may be missed: person on a vehicle, static person, distractor,
reflection. (6, non-motorized vehicle, is one only in MOT20.)"""

_MIN_COLUMNS = 7
_MAX_COORDINATE_PX = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class MotGroundTruth:
    """Content of a ground truth file.

    Attributes:
        frames: the objects of each frame, starting with frame 1 of the file; all of class 0, with identities.
        ignored: for each frame (N,) bool, objects that may be missed.
    """

    frames: list[Detections]
    ignored: list[NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The lines of a file as a table of numbers."""

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
    """Reads the detections (``det.txt``) of each frame; identities are ignored.

    Args:
        path: of the file.
        length: number of frames of the sequence; 0 takes the last frame with a detection.
        score_range: scores to map to 0 and 1; scores outside are clipped. With the default, the file's scores must be
            in [0, 1].

    Raises:
        UsageError: the file is missing or in another format; the message says where, and the fix.
    """
    rows = _read(path, length)
    scores = rows.table[:, 6]
    low, high = score_range
    if score_range == (0.0, 1.0) and len(scores) and not (scores.min() >= 0 and scores.max() <= 1):
        raise UsageError(
            f"{path}: scores range from {scores.min():g} to {scores.max():g}, the tracker needs 0 to 1: "
            "give the scores that become 0 and 1 with --score-range LOW,HIGH"
        )
    rows.table[:, 6] = np.clip((scores - low) / (high - low), 0.0, 1.0)
    return [frame.detections(frame.table[:, 6], identities=False) for frame in rows.split(length or rows.last)]


def read_tracks(path: Path, length: int = 0) -> list[Detections]:
    """Reads a tracker's boxes and identities of each frame. An empty file is valid and has no tracks.

    No metric uses the scores; those outside [0, 1] are clipped.

    Raises:
        UsageError: as `read_detections`; or an identity is missing, or appears twice in a frame.
    """
    rows = _read(path, length)
    _check_identities(rows)
    return [
        frame.detections(np.clip(frame.table[:, 6], 0.0, 1.0), identities=True)
        for frame in rows.split(length or rows.last)
    ]


def read_ground_truth(path: Path, length: int = 0) -> MotGroundTruth:
    """Reads ground truth (``gt.txt``) by MOTChallenge's rules: objects marked 0 are left out, except `DISTRACTORS`.

    Raises:
        UsageError: as `read_tracks`; or no object counts.
    """
    rows = _read(path, length)
    counts, is_distractor = rows.table[:, 6] != 0, _are_distractors(rows)
    if not (counts & ~is_distractor).any():
        raise UsageError(f"{path}: it has no object that counts: is it a ground truth file, gt.txt?")
    length = length or rows.last
    rows = rows.only(counts | is_distractor)
    _check_identities(rows)
    frames = rows.split(length)
    ignored = [_are_distractors(frame) for frame in frames]
    return MotGroundTruth([frame.detections(np.ones(len(frame.table)), identities=True) for frame in frames], ignored)


def _are_distractors(rows: _Rows) -> NDArray[np.bool_]:
    """Returns which rows of a ground truth file are `DISTRACTORS`, (N,) bool; only files since 2016 have classes."""
    if rows.table.shape[1] != 9:
        return np.zeros(len(rows.table), np.bool_)
    return np.isin(rows.table[:, 7], DISTRACTORS)


def write_tracks(path: Path, frames: Iterable[Detections]) -> None:
    """Writes the tracked boxes of each frame in MOTChallenge's format; boxes without a track are left out.

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
    """Returns the content of a text file.

    Raises:
        UsageError: the file is missing, or cannot be read.
    """
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder: give the text file in it")
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise UsageError(f"{path} is larger than {MAX_BYTES >> 30} GiB, the limit for a file of boxes")
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
            warnings.simplefilter("ignore")  # numpy warns of an empty file
            table = np.loadtxt(text.splitlines(), delimiter=",", ndmin=2, dtype=np.float64)
    except ValueError:
        raise _format_error(text, path) from None
    if table.size == 0:
        return np.empty((0, _MIN_COLUMNS))
    if table.shape[1] < _MIN_COLUMNS:
        raise _format_error(text, path)
    return table


def _format_error(text: str, path: Path) -> UsageError:
    """Returns the error of the first invalid line."""
    columns = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.partition("#")[0].strip():
            continue
        parts = line.partition("#")[0].split(",")
        try:
            [float(part) for part in parts]
        except ValueError:
            return UsageError(f"{path}, line {number}: not comma-separated numbers: {_EXPECTED}")
        if len(parts) < _MIN_COLUMNS:
            return UsageError(f"{path}, line {number}: {len(parts)} columns: {_EXPECTED}")
        if columns and len(parts) != columns:
            return UsageError(f"{path}, line {number}: {len(parts)} columns, the lines before have {columns}")
        columns = len(parts)
    return UsageError(f"{path}: {_EXPECTED}")


def _check(table: NDArray[np.float64], text: str, path: Path, length: int) -> None:
    frames = table[:, 0]
    last = length or MAX_FRAMES
    for wrong, what in (
        (~np.isfinite(table[:, :7]).all(axis=1), "a number that is not finite"),
        ((frames < 1) | (frames != np.floor(frames)), "the first column is the frame, counted from 1"),
        (frames > last, f"a frame after the last, {last}: do the files belong together?"),
        (
            np.abs(table[:, 2:6]).max(axis=1, initial=0.0) > _MAX_COORDINATE_PX,
            "a box coordinate beyond a million pixels",
        ),
        ((table[:, 4:6] < 0).any(axis=1), "a negative width or height: columns 5 and 6 are a size, not a corner"),
    ):
        if wrong.any():
            raise UsageError(f"{path}, line {_line(text, int(np.argmax(wrong)))}: {what}")


def _check_identities(rows: _Rows) -> None:
    ids = rows.table[:, 1]
    if (ids < 0).any():
        frame = int(rows.frames[np.argmax(ids < 0)])
        raise UsageError(
            f"{rows.path}: a box of frame {frame} has no identity (second column below 0): is it a file of detections?"
        )
    if (ids != np.floor(ids)).any():
        raise UsageError(f"{rows.path}: identities, the second column, must be whole numbers")
    pairs, times = np.unique(rows.table[:, :2], axis=0, return_counts=True)
    if (times > 1).any():
        frame, identity = pairs[np.argmax(times > 1)].astype(int).tolist()
        raise UsageError(f"{rows.path}: identity {identity} appears twice in frame {frame}")


def _line(text: str, row: int) -> int:
    """Returns the line number of a row; empty lines and comments are not rows."""
    rows = [number for number, line in enumerate(text.splitlines(), 1) if line.partition("#")[0].strip()]
    return rows[row]
