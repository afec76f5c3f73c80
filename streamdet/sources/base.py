"""What a source is. Every source passes `tests/contract/test_sources.py`."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self

from streamdet.types import Frame


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source once it is open.

    Attributes:
        name: name of the stream, unique within a run.
        width: of the upright first frame, in pixels.
        height: of the upright first frame, in pixels.
        time_base: seconds per unit of every frame's `pts`.
        average_rate: frames per second as the container states it; None where it does not.
        frame_count: how many frames to expect; None where not known (live), an estimate otherwise.
        live: frames arrive at the camera's pace whether or not they are taken.
        codec: short name of the decoder, "raw" for generated pictures.
        audio_from: a file whose audio belongs to this video, for sinks that pass audio through.
    """

    name: str
    width: int
    height: int
    time_base: Fraction
    average_rate: Fraction | None = None
    frame_count: int | None = None
    live: bool = False
    codec: str = "raw"
    audio_from: Path | None = None


class Source(ABC):
    """Gives frames until it ends or fails.

    One thread opens, iterates and closes a source: FFmpeg containers crash when another thread closes them. Only
    `request_stop` may be called from elsewhere; after it, `frames` ends as soon as the blocking call under way allows,
    at the latest after the source's read timeout.

    Attributes:
        name: name of the stream.
        url: where it comes from, without credentials.
        live: True for cameras and network streams.
        still: True for pictures that have nothing to do with each other in time.
        files: the files it reads, which no output may overwrite.
        faults: what went wrong without ending the source, by cause ("decode_error", "reconnect", ...). Written by the
            owner thread, read by others for reports.
    """

    live: bool = False
    still: bool = False

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.url = url
        self.files: Sequence[Path] = ()
        self.faults: Counter[str] = Counter()
        self.stopping = threading.Event()

    @abstractmethod
    def open(self) -> SourceInfo:
        """Opens the source.

        Raises:
            SourceError: it cannot be opened; the message says what to do.
        """

    @abstractmethod
    def frames(self) -> Iterator[Frame]:
        """Yields frames in presentation order: `index` counts from 0 without gaps, `pts` strictly increases.

        Ends at the end of the stream or after `request_stop`.

        Raises:
            SourceError: the source failed before its end.
        """

    @abstractmethod
    def close(self) -> None:
        """Gives everything back. Idempotent, and harmless on a source that never opened."""

    def request_stop(self) -> None:
        """Asks `frames` to end. May be called from any thread, any number of times."""
        self.stopping.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
