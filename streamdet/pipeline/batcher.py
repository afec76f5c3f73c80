"""Feeds the one inference thread from many streams: fairly, and newest frame or every frame."""

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
    newest_only: bool
    step: float
    served: float = 0.0
    frames: deque[Frame] = field(default_factory=deque)
    closed: bool = False


class Batcher:
    """Where capture threads leave frames and the inference thread takes batches.

    A newest-only stream keeps one frame here; a newer one replaces it (the older is still shown, it is just not
    inferred). Other streams keep all: their number is bounded by the channel to rendering, through which every frame
    goes as well.

    Whose turn it is: every stream has a clock that goes on by 1 / priority with each frame taken, and the one that is
    furthest behind is next (stride scheduling). A stream that had nothing to offer for a while does not get that time
    back: its clock starts where the last one taken stood.

    Args:
        max_batch: most frames per `take`.
        streams: name -> newest only.
        priorities: name -> share of the turns where streams compete; 1 where not named.
        wait_s: how long a frame waits for frames of the other streams to fill the batch, counted from its coming.
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
        self._now = 0.0
        self._wait_s = wait_s
        self._first_s = 0.0
        self._changed = threading.Condition()

    def put(self, stream: str, frame: Frame) -> None:
        """Leaves a frame to be inferred; never waits.

        Raises:
            Closed: the stream was closed; the frame was not taken.
        """
        inbox = self._inboxes[stream]
        with self._changed:
            if inbox.closed:
                raise Closed
            if not self._waiting():
                self._first_s = time.monotonic()
            if not inbox.frames:
                inbox.served = max(inbox.served, self._now)
            elif inbox.newest_only:
                inbox.frames.clear()
            inbox.frames.append(frame)
            self._changed.notify_all()

    def take(self) -> list[tuple[str, Frame]]:
        """Waits for frames and returns up to `max_batch`, by turns.

        Raises:
            Closed: every stream is closed and empty.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting() or all(inbox.closed for inbox in self._inboxes.values()))
            if self._wait_s and not self._is_full():
                self._changed.wait_for(self._is_full, max(0.0, self._first_s + self._wait_s - time.monotonic()))
            batch: list[tuple[str, Frame]] = []
            while len(batch) < self._max_batch and self._waiting():
                name = self._next()
                inbox = self._inboxes[name]
                batch.append((name, inbox.frames.popleft()))
                self._now = inbox.served
                inbox.served += inbox.step
            self._first_s = time.monotonic()
            if not batch:
                raise Closed
            return batch

    def _next(self) -> str:
        """Returns the stream that is furthest behind; of equals the first one named."""
        return min((name for name, inbox in self._inboxes.items() if inbox.frames), key=self._served)

    def _served(self, name: str) -> float:
        return self._inboxes[name].served

    def _waiting(self) -> bool:
        return any(inbox.frames for inbox in self._inboxes.values())

    def _is_full(self) -> bool:
        """Says whether waiting brings nothing more: the batch is full, or every open stream has something in it."""
        count = sum(len(inbox.frames) for inbox in self._inboxes.values())
        return count >= self._max_batch or all(inbox.frames or inbox.closed for inbox in self._inboxes.values())

    def close(self, stream: str) -> None:
        """Lets nothing more of this stream in; what waits is still inferred. Idempotent."""
        with self._changed:
            self._inboxes[stream].closed = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Closes every stream and forgets what waits. Idempotent."""
        with self._changed:
            for inbox in self._inboxes.values():
                inbox.closed = True
                inbox.frames.clear()
            self._changed.notify_all()
