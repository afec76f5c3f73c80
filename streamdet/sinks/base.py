"""The base class of all sinks, and the exceptions by which a sink ends a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from streamdet.types import Result, SourceInfo


class WindowClosed(Exception):
    """Raised by `Sink.write` or `Sink.idle` when the user ends the run at the sink. The run stops without an error."""


class ConsumerGone(Exception):
    """Raised by `Sink.write` when nothing reads its results any more. The run stops without an error."""


class Sink(ABC):
    """Receives the results of one stream.

    To write your own, subclass it and implement `open`, `write` and `close`. `tests/contract/test_sinks.py` tests what
    is written here for every sink.

    Life cycle: the constructor, `open` before the first result, `write` for each result, `close`. The constructor
    checks all it can without a stream (the folder exists and is writable), so that a run fails before its model is
    loaded. A stream without frames is never opened. `close` is always called, also after an error and without `open`.

    Threads: each sink has one thread that opens, writes and closes it, so `write` may block. Results wait
    in a bounded queue. When the queue is full, the stream waits (files) or this sink loses its oldest results (live);
    the other sinks lose nothing. With `needs_main_thread` the thread that called `run` does this work.

    Errors: raise `SinkError` for a full disk or a lost target. Any exception except `WindowClosed` and `ConsumerGone`
    stops the whole run; all sinks are closed, then the run raises it. Write messages as one line without credentials.

    Counting: the run counts each result as written once `write` returns, or as dropped, with the cause.

    Attributes:
        name: what the user asked for, without credentials.
        needs_annotated: the sink reads `Result.annotated`. Nothing is drawn if no sink of the stream needs it.
        tolerates_delay: results may arrive late, because they are stored and not acted on at once. False where
            they are shown, sent or passed on: the receiver may act on them.
        needs_main_thread: it must be opened, written and closed in the main thread (windows).
        max_lag_s: on live streams, a result that was captured longer ago is dropped once a newer one waits. The default
            lets a recording survive a short delay of its disk; a window needs less, because it shows the present.
        files: files written so far, for the summary of the run.
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
            SinkError: the sink cannot be opened; the message says what to do.
        """

    @abstractmethod
    def write(self, result: Result) -> None:
        """Writes one result. Must not modify `result` or its pictures: all sinks share them.

        Raises:
            SinkError: the sink cannot continue (disk full, target lost, not open). What was written before must stay
                usable.
            WindowClosed: the user closed the window. This result counts as shown.
            ConsumerGone: nothing reads the results any more. This result counts as dropped.
        """

    def idle(self) -> None:  # noqa: B027  # most sinks have nothing to do
        """Called regularly between results; only for sinks with `needs_main_thread`.

        Raises:
            WindowClosed: as in `write`.
        """

    @abstractmethod
    def close(self) -> None:
        """Finishes the output. Must be safe to call twice, and on a sink that was never opened.

        Raises:
            SinkError: the output could not be finished.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
