"""Plays a recorded source in real time, as a camera would send it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from streamdet.sources.base import Source
from streamdet.types import Frame, SourceInfo


class RealtimeSource(Source):
    """A live source that yields each frame of another source at the time of its `pts`.

    A slow reader gets the next frames without waiting; this source skips no frames.

    Args:
        inner: the source to play; owned by this one. It must not pace itself.
        now_ns: monotonic clock, in nanoseconds.
        wait: waits for a number of seconds or until the source is stopped; returns whether it was stopped.
    """

    live = True

    def __init__(
        self,
        inner: Source,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        super().__init__(inner.name, inner.url)
        self._inner = inner
        self.still_images = inner.still_images
        self.files, self.faults = inner.files, inner.faults
        self.stopping = inner.stopping  # shared, so that stopping this source stops both
        self._now_ns = now_ns
        self._wait = wait or self.stopping.wait
        self._start_ns: int | None = None  # when a frame with pts 0 is due

    def open(self) -> SourceInfo:
        """Opens the inner source; see `Source.open`."""
        return replace(self._inner.open(), live=True)

    def frames(self) -> Iterator[Frame]:
        """Yields each frame when it is due; see `Source.frames`."""
        for frame in self._inner.frames():
            pts_ns = round(frame.pts * frame.time_base * 1_000_000_000)
            if self._start_ns is None:
                self._start_ns = self._now_ns() - pts_ns
            early_ns = self._start_ns + pts_ns - self._now_ns()
            if early_ns > 0 and self._wait(early_ns * 1e-9):
                return
            yield replace(frame, captured_ns=self._now_ns())

    def close(self) -> None:
        """Closes the inner source; see `Source.close`."""
        self._inner.close()
