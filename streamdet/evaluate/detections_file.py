"""A file of detections from which a stopped evaluation resumes: JSON lines, a header and one line per image."""

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
    """Everything that detections depend on: a run resumes from a file only if all of it is equal.

    Attributes:
        model: name, for messages.
        model_sha256: of its file.
        model_spec: SHA-256 of its spec.
        annotations_sha256: of the annotations file, whose image and category ids are used.
        conf: minimum score.
        iou: of non-maximum suppression.
        max_detections: per image.
        provider: that ran the model.
        precision: as requested.
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
    """Stores the detections of each image, and reads those of an earlier run with the same identity.

    A last line that is incomplete, because the process was killed while writing it, is dropped. Every line reaches the
    operating system before `add` returns.

    Attributes:
        records: detections by image id.

    Args:
        path: of the file; created if it does not exist.
        identity: of this run.
        inputs: files that must not be overwritten.

    Raises:
        UsageError: the file is of another kind or of another run, and stays unchanged.
        SinkError: the file cannot be written.
    """

    def __init__(self, path: Path, identity: RunIdentity, inputs: InputFiles | None = None) -> None:
        check_output_file(path, overwrite=True, inputs=inputs or InputFiles())
        self._path = path
        self.records: dict[int, ImageDetections] = {}
        header = json.dumps({"kind": _KIND, **asdict(identity)}) + "\n"
        try:
            data = path.read_bytes() if path.is_file() else b""
            complete = self._read(data, header, identity)
            self._file: IO[bytes] = path.open("r+b" if path.is_file() else "wb", buffering=0)
            self._file.truncate(complete)
            self._file.seek(complete)
            if not complete:
                self._file.write(header.encode())
        except OSError as error:
            raise write_error(path, error) from None

    def add(self, record: ImageDetections) -> None:
        """Stores one image's detections.

        Raises:
            SinkError: the file cannot be written, for example because the disk is full.
        """
        line = (json.dumps(asdict(record), separators=(",", ":")) + "\n").encode()
        try:
            if self._file.write(line) < len(line):  # a full disk took only a part
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise write_error(self._path, error) from None
        self.records[record.image_id] = record

    def close(self) -> None:
        """Closes the file. Idempotent."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, data: bytes, header: str, identity: RunIdentity) -> int:
        """Reads the records of an earlier run; returns the size of the complete lines in bytes."""
        if header.encode().startswith(data):  # an empty file, or stopped within the first line
            return 0
        first, *lines = data.split(b"\n")
        _check_header(first, self._path, identity)
        for number, line in enumerate(lines[:-1], 2):
            try:
                record = _record(json.loads(line))
            except (ValueError, KeyError, TypeError):
                raise UsageError(f"{self._path}: line {number} is damaged: delete the file to start over") from None
            self.records[record.image_id] = record
        return len(data) - len(lines[-1]) if lines else 0


def _check_header(line: bytes, path: Path, identity: RunIdentity) -> None:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("kind") != _KIND:
        raise UsageError(f"{path} exists already and is not a detections file: give another name")
    for key, ours in asdict(identity).items():
        theirs = header.get(key)
        if theirs != ours:
            word = _WORDS.get(key, key)
            raise UsageError(
                f"{path} holds detections made with {word} {_short(theirs)}, this run has {_short(ours)}: "
                "give another name, or delete it to start over"
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
