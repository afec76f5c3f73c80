"""Reads tracks from the JSON lines of `streamdet run -o run.jsonl`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from streamdet.errors import UsageError
from streamdet.evaluate.mot_text import MAX_FRAMES, read_text
from streamdet.sinks.jsonl import SCHEMA
from streamdet.types import Detections

_EXPECTED = "expected a line of `streamdet run -o FILE.jsonl`"


def read_jsonl_tracks(path: Path, length: int = 0) -> list[Detections]:
    """Reads the tracked objects of each frame. All classes become 0: for MOTChallenge run with `--classes person`.

    Args:
        path: a file of `JsonLinesSink`, of one stream.
        length: number of frames of the sequence; 0 takes the last frame in the file. The first has `index` 0.

    Raises:
        UsageError: the file is missing or in another format, has a newer schema, or holds two streams or more frames
            than `length`.
    """
    frames: dict[int, Detections] = {}
    sources: set[str] = set()
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
            _check_schema(where, row)
            index, source = int(row["index"]), str(row["source"])
            objects = [found for found in row["detections"] if found["track_id"] is not None]
            detections = _detections(objects)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            raise UsageError(f"{where}: {_EXPECTED}") from None
        sources.add(source)
        if len(sources) > 1:
            raise UsageError(f"{where}: the file has a second stream, {source}: give a file of one stream")
        if not 0 <= index < (length or MAX_FRAMES):
            raise UsageError(f"{where}: frame {index} of {length or MAX_FRAMES}: do the files belong together?")
        if index in frames:
            raise UsageError(f"{where}: frame {index} appears twice: does the file hold two runs?")
        if len(np.unique(detections.track_ids)) < len(detections):
            raise UsageError(f"{where}: two objects have the same track_id")
        frames[index] = detections
    last = max(frames, default=-1) + 1
    return [frames.get(index, Detections.empty()) for index in range(length or last)]


def _check_schema(where: str, row: dict[str, Any]) -> None:
    schema = int(row.get("schema", 1))  # records from before the number existed equal version 1
    if schema > SCHEMA:
        raise UsageError(f"{where}: schema {schema}, but this streamdet reads only up to {SCHEMA}: upgrade streamdet")


def _detections(objects: list[dict[str, Any]]) -> Detections:
    boxes_xyxy = np.array([found["box_xyxy"] for found in objects], np.float32).reshape(-1, 4)
    scores = np.array([found["score"] for found in objects], np.float32)
    ids = [int(found["track_id"]) for found in objects]
    if (
        len(boxes_xyxy) != len(ids)
        or not all(map(math.isfinite, boxes_xyxy.ravel().tolist()))
        or min(ids, default=0) < 0
    ):
        raise ValueError(objects)
    return Detections(boxes_xyxy, scores, np.zeros(len(ids), np.int32), np.array(ids, np.int64))
