"""Finds MOTChallenge sequences: folders with ground truth, detections and ``seqinfo.ini``."""

from __future__ import annotations

import configparser
import os
from dataclasses import dataclass
from pathlib import Path

from streamdet.errors import UsageError
from streamdet.evaluate.mot_text import MAX_FRAMES


@dataclass(frozen=True, slots=True)
class SequenceFiles:
    """The files of one sequence.

    Attributes:
        name: of the sequence.
        truth: ground truth file.
        detections: detections file; None if there is none.
        fps: frames per second; 0 if unknown.
        length: number of frames; 0 if unknown.
    """

    name: str
    truth: Path
    detections: Path | None = None
    fps: float = 0.0
    length: int = 0


@dataclass(frozen=True, slots=True)
class SequenceInfo:
    """Content of a ``seqinfo.ini``; 0 and "" for missing values."""

    name: str = ""
    fps: float = 0.0
    length: int = 0


def read_info(path: Path) -> SequenceInfo:
    """Reads a ``seqinfo.ini``.

    Raises:
        UsageError: the file is missing or in another format.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
        section = parser["Sequence"]
        fps = float(section.get("frameRate", "0"))
        length = int(section.get("seqLength", "0"))
        name = section.get("name", "").strip()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (configparser.Error, KeyError, ValueError):
        raise UsageError(f"{path}: not a seqinfo.ini: expected [Sequence] with frameRate and seqLength") from None
    if not 0 <= fps < 1e4 or not 0 <= length <= MAX_FRAMES:
        raise UsageError(f"{path}: frameRate {fps:g} or seqLength {length} is out of range")
    # The name becomes that of a file of tracks.
    if name in (".", "..") or not name.isprintable() or any(mark in name for mark in "/\\:"):
        raise UsageError(f"{path}: the name {name[:40]!r} is not a valid file name: correct it")
    return SequenceInfo(name, fps, length)


def info_next_to(file: Path) -> SequenceInfo:
    """Returns the content of the ``seqinfo.ini`` of a file's sequence; an empty one if there is none.

    Raises:
        UsageError: as `read_info`.
    """
    for folder in (file.parent, file.parent.parent):
        if (folder / "seqinfo.ini").is_file():
            return read_info(folder / "seqinfo.ini")
    return SequenceInfo()


def find_sequences(folder: Path) -> tuple[list[SequenceFiles], list[str]]:
    """Returns the sequences in a folder, or the folder itself as one, and the names of those without ground truth.

    A sequence is a folder with ``gt/gt.txt`` as MOTChallenge packs it, or ``gt.txt``; the same with ``det``.

    Raises:
        UsageError: none has ground truth.
    """
    if not os.path.isdir(folder):
        raise UsageError(f"{folder}: there is no such folder")
    if _file(folder, "gt") is not None:
        return [_sequence(folder)], []
    inner = sorted(path for path in folder.iterdir() if path.is_dir())
    found = [_sequence(path) for path in inner if _file(path, "gt") is not None]
    if not found:
        raise UsageError(f"{folder}: it contains no sequence with ground truth: expected NAME/gt/gt.txt or NAME/gt.txt")
    return found, [path.name for path in inner if _file(path, "det") is not None and _file(path, "gt") is None]


def _sequence(folder: Path) -> SequenceFiles:
    truth = _file(folder, "gt")
    assert truth is not None
    info = read_info(folder / "seqinfo.ini") if (folder / "seqinfo.ini").is_file() else SequenceInfo()
    return SequenceFiles(info.name or folder.resolve().name, truth, _file(folder, "det"), info.fps, info.length)


def _file(folder: Path, kind: str) -> Path | None:
    for path in (folder / kind / f"{kind}.txt", folder / f"{kind}.txt"):
        if path.is_file():
            return path
    return None
