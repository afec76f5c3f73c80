"""What a source is. Every source passes `tests/contract/test_sources.py`."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from streamdet.types import Frame, SourceInfo


class Source(ABC):
    """Gives frames until it ends or fails.

    One thread opens, iterates and closes a source: FFmpeg containers crash when another thread closes them. Only
    `request_stop` may be called from elsewhere; after it, `frames` ends as soon as the blocking call under way allows,
    at the latest after the source's read timeout.

    Attributes:
        name: name of the stream.
        url: where it comes from, without credentials.
        live: True for cameras and network streams.
        still_images: True for pictures that have nothing to do with each other in time.
        files: the files it reads, which no output may overwrite.
        faults: what went wrong without ending the source, by cause ("decode_error", "reconnect", ...). Written by the
            owner thread, read by others for reports.
    """

    live: bool = False
    still_images: bool = False

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
