"""Feeds the one inference thread from many streams: fairly, and newest frame or every frame."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from streamdet.pipeline.queues import Closed
from streamdet.types import Frame


@dataclass(slots=True)
class _Inbox:
    newest_only: bool
    frames: deque[Frame] = field(default_factory=deque)
    closed: bool = False


class Batcher:
    """Where capture threads leave frames and the inference thread takes batches.

    A newest-only stream keeps one frame here; a newer one replaces it (the older is still shown, it is just not
    inferred). Other streams keep all: their number is bounded by the channel to rendering, through which every frame
    goes as well.

    Args:
        max_batch: most frames per `take`.
        streams: name -> newest only.
    """

    def __init__(self, max_batch: int, streams: dict[str, bool]) -> None:
        self._max_batch = max_batch
        self._inboxes = {name: _Inbox(newest_only) for name, newest_only in streams.items()}
        self._turns = deque(streams)
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
            if inbox.newest_only:
                inbox.frames.clear()
            inbox.frames.append(frame)
            self._changed.notify_all()

    def take(self) -> list[tuple[str, Frame]]:
        """Waits for frames and returns up to `max_batch`, one of each stream in turn before a second of any.

        Raises:
            Closed: every stream is closed and empty.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting() or all(inbox.closed for inbox in self._inboxes.values()))
            batch: list[tuple[str, Frame]] = []
            while len(batch) < self._max_batch and self._waiting():
                name = self._turns[0]
                self._turns.rotate(-1)
                if frames := self._inboxes[name].frames:
                    batch.append((name, frames.popleft()))
            if not batch:
                raise Closed
            return batch

    def _waiting(self) -> bool:
        return any(inbox.frames for inbox in self._inboxes.values())

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
