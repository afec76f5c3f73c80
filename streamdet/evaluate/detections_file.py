"""A file of detections that a stopped evaluation goes on from: JSON lines, a header and one line for each picture."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Self

from streamdet.errors import UsageError
from streamdet.evaluate.coco_detections import ImageDetections
from streamdet.sinks.output_path import InputFiles, check_output_file, write_error

_KIND = "streamdet detections"


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What detections depend on: a file is only continued where all of it is the same.

    Attributes:
        model: name, for people.
        model_sha256: of its file.
        model_spec: of how it is fed and read.
        annotations_sha256: of the annotations file, whose picture and category ids are used.
        conf: least score.
        iou: of non-maximum suppression.
        max_detections: of a picture.
        provider: what ran the model.
        precision: as asked for.
        streamdet: version.
    """

    model: str
    model_sha256: str
    model_spec: str
    annotations_sha256: str
    conf: float
    iou: float
    max_detections: int
    provider: str
    precision: str
    streamdet: str


_WORDS = {
    "model": "model",
    "model_sha256": "model file with SHA-256",
    "model_spec": "model description with SHA-256",
    "annotations_sha256": "annotations file with SHA-256",
    "max_detections": "max-detections",
    "streamdet": "streamdet version",
}


class DetectionsFile:
    """Keeps what was found in each picture, and knows what an earlier run with the same identity found.

    A line that was cut, because the process was killed while writing it, is dropped. Every line reaches the operating
    system before `add` returns.

    Attributes:
        records: what is kept, by picture.

    Args:
        path: of the file; made where it is not there.
        identity: of this run.
        inputs: files that must not be written.

    Raises:
        UsageError: it is a file of another kind, or of another run; nothing in it is changed.
        SinkError: it cannot be written.
    """

    def __init__(self, path: Path, identity: RunIdentity, inputs: InputFiles | None = None) -> None:
        check_output_file(path, overwrite=True, inputs=inputs or InputFiles())
        self._path = path
        self.records: dict[int, ImageDetections] = {}
        header = json.dumps({"kind": _KIND, **asdict(identity)}) + "\n"
        try:
            data = path.read_bytes() if path.is_file() else b""
            whole = self._read(data, header, identity)
            self._file: IO[bytes] = path.open("r+b" if path.is_file() else "wb", buffering=0)
            self._file.truncate(whole)
            self._file.seek(whole)
            if not whole:
                self._file.write(header.encode())
        except OSError as error:
            raise write_error(path, error) from None

    def add(self, record: ImageDetections) -> None:
        """Keeps one picture's detections.

        Raises:
            SinkError: the disk is full, for one.
        """
        line = (json.dumps(asdict(record), separators=(",", ":")) + "\n").encode()
        try:
            if self._file.write(line) < len(line):  # the last that a full disk takes
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise write_error(self._path, error) from None
        self.records[record.image_id] = record

    def close(self) -> None:
        """Gives the file back. Idempotent."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, data: bytes, header: str, identity: RunIdentity) -> int:
        """Reads the records of an earlier run; returns how many bytes of the file are whole lines."""
        if header.encode().startswith(data):  # nothing yet, or stopped within the very first line
            return 0
        first, *lines = data.split(b"\n")
        _check_header(first, self._path, identity)
        for number, line in enumerate(lines[:-1], 2):
            try:
                record = _record(json.loads(line))
            except (ValueError, KeyError, TypeError):
                raise UsageError(f"{self._path}: line {number} is damaged: delete the file to begin anew") from None
            self.records[record.image_id] = record
        return len(data) - len(lines[-1]) if lines else 0


def _check_header(line: bytes, path: Path, identity: RunIdentity) -> None:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("kind") != _KIND:
        raise UsageError(f"{path} is there already and no file of detections: give another name")
    for key, ours in asdict(identity).items():
        theirs = header.get(key)
        if theirs != ours:
            word = _WORDS.get(key, key)
            raise UsageError(
                f"{path} holds detections made with {word} {_short(theirs)}, this run has {_short(ours)}: "
                "give another name, or delete it to begin anew"
            )


def _record(row: Any) -> ImageDetections:
    count = len(row["scores"])
    if not count == len(row["category_ids"]) == len(row["boxes_xywh"]) or any(len(b) != 4 for b in row["boxes_xywh"]):
        raise ValueError("columns of different lengths")
    preprocess, infer, postprocess = row["times_ms"]
    return ImageDetections(
        int(row["image_id"]),
        tuple(row["category_ids"]),
        tuple(row["scores"]),
        tuple(tuple(box) for box in row["boxes_xywh"]),
        (preprocess, infer, postprocess),
    )


def _short(value: Any) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text[:80]
