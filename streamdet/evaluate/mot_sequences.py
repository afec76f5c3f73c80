"""Where MOTChallenge's sequences lie: folders with truth, detections and ``seqinfo.ini``."""

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
        truth: file of what is there.
        detections: file of what a detector found; None where there is none.
        fps: frames per second; 0 where nothing says.
        length: frames; 0 where nothing says.
    """

    name: str
    truth: Path
    detections: Path | None = None
    fps: float = 0.0
    length: int = 0


@dataclass(frozen=True, slots=True)
class SequenceInfo:
    """What ``seqinfo.ini`` says; 0 and "" where it does not."""

    name: str = ""
    fps: float = 0.0
    length: int = 0


def read_info(path: Path) -> SequenceInfo:
    """Reads a ``seqinfo.ini``.

    Raises:
        UsageError: it is missing or not of this kind.
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
        raise UsageError(f"{path}: frameRate {fps:g} and seqLength {length} cannot be")
    if name in (".", "..") or not name.isprintable() or any(mark in name for mark in "/\\:"):  # of tracks
        raise UsageError(f"{path}: the name {name[:40]!r} cannot be that of a file: correct it")
    return SequenceInfo(name, fps, length)


def info_beside(file: Path) -> SequenceInfo:
    """Returns what the ``seqinfo.ini`` of a file's sequence says, where there is one.

    Raises:
        UsageError: as `read_info`.
    """
    for folder in (file.parent, file.parent.parent):
        if (folder / "seqinfo.ini").is_file():
            return read_info(folder / "seqinfo.ini")
    return SequenceInfo()


def find_sequences(folder: Path) -> tuple[list[SequenceFiles], list[str]]:
    """Returns the sequences in a folder, or the one that it is, and the names of those without truth.

    A sequence is a folder with ``gt/gt.txt`` as MOTChallenge packs it, or ``gt.txt``; the same with ``det``.

    Raises:
        UsageError: there is none with truth.
    """
    if not os.path.isdir(folder):
        raise UsageError(f"{folder}: there is no such folder")
    if _file(folder, "gt") is not None:
        return [_sequence(folder)], []
    inner = sorted(path for path in folder.iterdir() if path.is_dir())
    found = [_sequence(path) for path in inner if _file(path, "gt") is not None]
    if not found:
        raise UsageError(f"{folder}: no sequence with truth: expected NAME/gt/gt.txt or NAME/gt.txt in it")
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
