"""Discards all results: for benchmarks, and for runs whose results are used elsewhere."""

from __future__ import annotations

from streamdet.errors import SinkError
from streamdet.sinks.base import Sink
from streamdet.types import Result, SourceInfo


class NullSink(Sink):
    """Discards every result.

    Attributes:
        received: number of results so far.
    """

    tolerates_delay = True

    def __init__(self, name: str = "null:") -> None:
        super().__init__(name)
        self.received = 0
        self._open = False

    def open(self, info: SourceInfo) -> None:
        """See `Sink.open`."""
        self._open = True

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        if not self._open:
            raise SinkError(f"{self.name} is not open")
        self.received += 1

    def close(self) -> None:
        """See `Sink.close`."""
        self._open = False
