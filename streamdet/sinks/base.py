"""What a sink is. Every sink passes `tests/contract/test_sinks.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from streamdet.types import Result, SourceInfo


class WindowClosed(Exception):
    """Raised by `Sink.write` when a person has ended the run at the sink: it stops as normal, without an error."""


class ConsumerGone(Exception):
    """Raised by `Sink.write` when nobody takes results any more, this one included: the run stops without an error."""


class Sink(ABC):
    """Takes the results of one stream.

    One thread opens, writes and closes a sink. The constructor checks what can be checked without a stream (folder
    exists, may be written) so that a run fails before its model is loaded.

    Attributes:
        name: what the user asked for, without credentials.
        needs_annotated: it needs `Result.annotated`; where no sink does, nothing is drawn.
        tolerates_delay: results may arrive late, because they are stored and nobody acts on them at once. False where
            they are shown, sent or passed on: whoever receives them may act on them.
        needs_main_thread: it must be opened, written and closed in the main thread (windows).
        max_lag_s: of a live stream, results captured longer ago than this make way for newer ones. A recording rides
            out a hiccup of its disk; who looks on wants to see what is now.
        files: what it has written so far, for the summary.
    """

    needs_annotated: bool = False
    tolerates_delay: bool = False
    needs_main_thread: bool = False
    max_lag_s: float = 2.0

    def __init__(self, name: str) -> None:
        self.name = name
        self.files: list[Path] = []

    @abstractmethod
    def open(self, info: SourceInfo) -> None:
        """Prepares for a stream.

        Raises:
            SinkError: it cannot be opened; the message says what to do.
        """

    @abstractmethod
    def write(self, result: Result) -> None:
        """Takes one result. Neither `result` nor its pictures are modified.

        Raises:
            SinkError: it can take no more (disk full, target gone). What was written before stays usable.
            WindowClosed: a person has closed the window; this result was shown.
            ConsumerGone: nobody takes results any more; this one was not taken.
        """

    def idle(self) -> None:  # noqa: B027  # most sinks have nothing to do
        """Called in place of `write` from time to time while nothing comes, on sinks of the main thread only.

        Raises:
            WindowClosed: as `write`.
        """

    @abstractmethod
    def close(self) -> None:
        """Finishes the output. Idempotent, and harmless on a sink that never opened.

        Raises:
            SinkError: the output could not be finished.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
