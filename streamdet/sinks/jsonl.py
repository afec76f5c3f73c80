"""JSON lines: one record per frame, for programs to read.

A file (``.jsonl`` or ``.ndjson``, UTF-8) holds one JSON object per line and frame. There is no header line, and every
record is complete in itself: files can be split, joined and read from any line. All records have these fields:

======================  ==========================================================================================
``schema``              version of this format, see `SCHEMA`
``source``              name of the stream
``index``               frame number within the source, from 0
``pts``, ``time_base``  presentation time as an integer in units of ``time_base`` seconds ("1/30000"). Equal to the
                        times of a video recorded in the same run
``pts_s``               presentation time in seconds
``width``, ``height``   size of the frame in pixels
``detection_age_s``     how much older than this frame the frame is that the detector ran on; 0 if it ran on
                        this frame, null before the first detection
``detections``          list of objects, see below; may be empty
======================  ==========================================================================================

Each object of ``detections``:

======================  ==========================================================================================
``box_xyxy``            [left, top, right, bottom] in pixels of the frame, rounded to 0.01, clipped to the frame
``score``               0 to 1
``class_id``            number of the class
``class_name``          name of the class; the number as text if the model has no names
``track_id``            number of the track; null if the object is not tracked
======================  ==========================================================================================
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path

import numpy as np

from streamdet.errors import SinkError
from streamdet.redact import redact
from streamdet.sinks.base import Sink
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.output_path import InputFiles, check_output_file, write_error
from streamdet.sinks.rollback_file import RollbackFile
from streamdet.types import Detections, Result, SourceInfo

SCHEMA = 1
"""Version of the record format.

It increases when a field is removed, renamed or changes its meaning: readers must refuse a version that they do not
know. It stays the same when a field is added: readers must ignore fields that they do not know. Records from before
this number existed have no ``schema`` field and otherwise equal version 1.
"""


class JsonLinesSink(Sink):
    """Writes one record per frame; the module's docstring describes the format.

    Each record reaches the operating system before `write` returns, so a killed process loses none. `open` creates the
    file; a file without records is valid.
    """

    tolerates_delay = True

    def __init__(self, path: Path, options: SinkOptions | None = None, inputs: InputFiles | None = None) -> None:
        super().__init__(redact(str(path)))
        self._path = path
        self._options = options or SinkOptions()
        check_output_file(path, overwrite=self._options.overwrite, inputs=inputs or InputFiles())
        self._file: RollbackFile | None = None

    def open(self, info: SourceInfo) -> None:
        """See `Sink.open`."""
        try:
            self._file = RollbackFile(self._path, overwrite=self._options.overwrite)
            self._file.empty()
        except OSError as error:
            raise write_error(self._path, error) from None
        self.files.append(self._path)

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        if self._file is None:
            raise SinkError(f"{self.name} is not open")
        try:
            self._file.write(json_line(result).encode())
            self._file.commit()  # a rollback removes an incomplete line
        except OSError as error:
            raise write_error(self._path, error) from None

    def close(self) -> None:
        """See `Sink.close`."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
        except OSError as error:
            raise write_error(self._path, error) from None


def json_line(result: Result) -> str:
    """Returns the record of one result, newline included."""
    frame = result.frame
    return (
        f'{{"schema":{SCHEMA},"source":{_quoted(frame.source)},"index":{frame.index},"pts":{frame.pts},'
        f'"time_base":"{frame.time_base.numerator}/{frame.time_base.denominator}","pts_s":{frame.pts_s:.6f},'
        f'"width":{frame.width},"height":{frame.height},'
        f'"detection_age_s":{_number(result.detection_age_s, 4)},'
        f'"detections":[{",".join(_objects(result.detections))}]}}\n'
    )


def _objects(detections: Detections) -> list[str]:
    # Formatted by hand: 2.5 times as fast as json.dumps of dicts, which would also write 17 digits of each float.
    boxes = detections.boxes_xyxy.tolist()
    box_format = "[{:.2f},{:.2f},{:.2f},{:.2f}]"
    if np.isfinite(detections.boxes_xyxy).all():
        box_texts = [box_format.format(*box) for box in boxes]
    else:
        box_texts = [f"[{','.join(_number(value, 2) for value in box)}]" for box in boxes]
    rows = zip(
        box_texts,
        detections.scores.tolist(),
        detections.class_ids.tolist(),
        detections.class_names,
        detections.track_ids.tolist(),
        strict=True,
    )
    return [
        f'{{"box_xyxy":{box_text},"score":{_number(score, 4)},"class_id":{class_id},"class_name":{_quoted(class_name)},'
        f'"track_id":{track_id if track_id >= 0 else "null"}}}'
        for box_text, score, class_id, class_name, track_id in rows
    ]


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "null"  # JSON has neither infinity nor NaN
