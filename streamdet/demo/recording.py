"""Checks a recording of the street scene by reading it back like any other file."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from streamdet.scenes.frame_code import read_frame_code
from streamdet.sources.factory import create_source


@dataclass(frozen=True, slots=True)
class RecordingCheck:
    """Content of a recording of the street scene.

    Attributes:
        frames: number of decoded frames.
        readable: frames with a readable frame code, in ascending order.
        on_time: of these, frames with the scene's timestamp, to half a tick.
    """

    frames: int
    readable: int
    on_time: int


def check_recording(path: Path, fps: Fraction) -> RecordingCheck:
    """Decodes a recording and compares the number in each frame code with the frame's timestamp.

    Raises:
        SourceError: the recording cannot be read.
    """
    frames = readable = on_time = 0
    last = -1
    with create_source(str(path)) as source:
        tick_s = float(source.open().time_base)
        for frame in source.frames():
            frames += 1
            code = read_frame_code(frame.picture)
            if code is None or code.number <= last:
                continue
            readable += 1
            last = code.number
            on_time += abs(frame.pts_s - float(code.number / fps)) <= tick_s / 2
    return RecordingCheck(frames, readable, on_time)
