"""The base class of all sources."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from streamdet.types import Frame, SourceInfo


class Source(ABC):
    """Produces the frames of one stream until the stream ends or fails.

    To write your own, subclass it and implement `open`, `frames` and `close`. `tests/contract/test_sources.py` tests
    what is written here for every source.

    Life cycle: `open` once, then `frames`, then `close`. A source is not reused. `close` is always called, also after
    an error and without `open`.

    Threads: the run calls `open`, `frames` and `close` in one thread, because FFmpeg crashes when another thread closes
    its container. Only `request_stop` is called from other threads. It sets `stopping`; `frames` must then end as soon
    as the current blocking call returns, at the latest after the source's read timeout. Wait with
    ``self.stopping.wait(seconds)`` instead of `time.sleep`. Read `stopping` and `faults` from `self` each time: a
    source that wraps this one may replace them.

    Errors: raise `SourceError` (or `AuthError`) for everything that ends the stream early. It ends this stream, the
    other streams of the run continue, and the run raises it at its end. Any other exception is a defect: it stops the
    whole run. Write messages as one line without credentials.

    Counting: the run counts every yielded frame as captured. The source counts in `faults` what it lost or repaired
    itself. A live source that skips frames leaves a gap in `pts` but none in `index`.

    Attributes:
        name: name of the stream.
        url: the address, without credentials.
        live: True for cameras and network streams: frames arrive whether or not they are read.
        still_images: True for images that do not follow each other in time. They are not tracked by default.
        files: files that the source reads. No output may overwrite them.
        faults: number of faults that did not end the source, by cause ("decode_error", "reconnect", ...). The source's
            thread writes it; other threads read it for reports.
        stopping: set by `request_stop`.
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
        """Opens the source and returns what is known about it.

        `width`, `height` and `time_base` must be those of the first frame.

        Raises:
            SourceError: the source cannot be opened; the message says what to do.
        """

    @abstractmethod
    def frames(self) -> Iterator[Frame]:
        """Yields frames in presentation order, until the end of the stream or until `stopping` is set.

        `index` counts from 0 without gaps. `pts` strictly increases, and `time_base` is the same for all frames.
        `captured_ns` is `time.monotonic_ns()` when the frame arrived. The pipeline never changes a yielded picture, and
        the source must not change it either.

        Raises:
            SourceError: the source failed before its end.
        """

    @abstractmethod
    def close(self) -> None:
        """Releases all resources. Must be safe to call twice, and on a source that was never opened."""

    def request_stop(self) -> None:
        """Asks `frames` to end. May be called from any thread, any number of times."""
        self.stopping.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
