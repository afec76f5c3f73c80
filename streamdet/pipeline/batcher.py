"""Collects frames of all streams into batches for the inference thread, in turns weighted by priority."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from streamdet.pipeline.queues import Closed
from streamdet.types import Frame


@dataclass(slots=True)
class _Inbox:
    """The waiting frames of one stream, and its clock.

    Attributes:
        newest_only: a newer frame replaces a waiting one.
        step: by how much the clock advances with each frame taken.
        clock: increases with each frame taken; the stream furthest behind is next.
        frames: waiting frames, oldest first.
        closed: no more frames come.
    """

    newest_only: bool
    step: float
    clock: float = 0.0
    frames: deque[Frame] = field(default_factory=deque)
    closed: bool = False


class Batcher:
    """Capture threads put frames in, and the inference thread takes batches out.

    A newest-only stream has at most one frame here: a newer one replaces it, and the detector does not run on the
    older one. Other streams queue all their frames: the channel to the render thread, which every frame passes as well,
    bounds their number.

    The order is stride scheduling: every stream has a clock that advances by 1 / priority with each frame taken, and
    the stream whose clock is furthest behind is next. A stream that had no frames for a while does not get extra turns
    afterwards: its clock is set to that of the last frame taken.

    Args:
        max_batch: maximum number of frames per `take`.
        streams: name -> newest only.
        priorities: name -> share of the turns where streams compete; 1 by default.
        wait_s: how long a frame may wait, from its arrival, for frames of other streams to fill the batch.
    """

    def __init__(
        self,
        max_batch: int,
        streams: dict[str, bool],
        priorities: Mapping[str, float] | None = None,
        wait_s: float = 0.0,
    ) -> None:
        self._max_batch = max_batch
        shares = priorities or {}
        self._inboxes = {name: _Inbox(newest, 1 / shares.get(name, 1.0)) for name, newest in streams.items()}
        self._clock = 0.0  # of the stream whose frame was taken last
        self._wait_s = wait_s
        self._waiting_since_s = 0.0
        self._changed = threading.Condition()

    def put(self, stream: str, frame: Frame) -> None:
        """Queues a frame for inference; never waits.

        Raises:
            Closed: the stream is closed; the frame was not queued.
        """
        inbox = self._inboxes[stream]
        with self._changed:
            if inbox.closed:
                raise Closed
            if not self._has_frames():
                self._waiting_since_s = time.monotonic()
            if not inbox.frames:
                inbox.clock = max(inbox.clock, self._clock)
            elif inbox.newest_only:
                inbox.frames.clear()
            inbox.frames.append(frame)
            self._changed.notify_all()

    def take(self) -> list[tuple[str, Frame]]:
        """Waits for frames and returns up to `max_batch` of them with the names of their streams, in turns.

        Raises:
            Closed: every stream is closed and empty.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._has_frames() or all(inbox.closed for inbox in self._inboxes.values()))
            if self._wait_s and not self._is_full():
                self._changed.wait_for(self._is_full, max(0.0, self._waiting_since_s + self._wait_s - time.monotonic()))
            batch: list[tuple[str, Frame]] = []
            while len(batch) < self._max_batch and self._has_frames():
                name = self._next()
                inbox = self._inboxes[name]
                batch.append((name, inbox.frames.popleft()))
                self._clock = inbox.clock
                inbox.clock += inbox.step
            self._waiting_since_s = time.monotonic()
            if not batch:
                raise Closed
            return batch

    def _next(self) -> str:
        """Returns the stream whose clock is furthest behind; the first one of equals."""
        return min((name for name, inbox in self._inboxes.items() if inbox.frames), key=self._clock_of)

    def _clock_of(self, name: str) -> float:
        return self._inboxes[name].clock

    def _has_frames(self) -> bool:
        return any(inbox.frames for inbox in self._inboxes.values())

    def _is_full(self) -> bool:
        """Returns whether waiting is pointless: the batch is full, or every open stream has a frame in it."""
        count = sum(len(inbox.frames) for inbox in self._inboxes.values())
        return count >= self._max_batch or all(inbox.frames or inbox.closed for inbox in self._inboxes.values())

    def close(self, stream: str) -> None:
        """Takes no more frames of a stream; those that wait are still inferred. Idempotent."""
        with self._changed:
            self._inboxes[stream].closed = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Closes every stream and discards the waiting frames. Idempotent."""
        with self._changed:
            for inbox in self._inboxes.values():
                inbox.closed = True
                inbox.frames.clear()
            self._changed.notify_all()
