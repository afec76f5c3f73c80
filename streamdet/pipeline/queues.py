"""The queue between two threads: bounded, closable, with a named policy for a full queue."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


class Policy(Enum):
    """What `put` does on a full channel: wait for room, or drop the oldest item (which `on_drop` counts)."""

    BLOCK = "block"
    DROP_OLDEST = "drop_oldest"


class Closed(Exception):
    """The channel takes no more items, or is closed and empty."""


class Channel(Generic[T]):
    """A bounded queue that can be closed from either side.

    (`queue.Queue` has `shutdown` only since Python 3.13, and cannot drop items.)

    Args:
        capacity: maximum number of items, at least 1.
        policy: what `put` does when full.
        on_drop: called with every dropped item and the cause: "queue_full", "late", or the argument of `abort`.
        is_late: returns whether an item is too old to keep when newer ones follow; used by DROP_OLDEST.
    """

    def __init__(
        self,
        capacity: int,
        policy: Policy,
        on_drop: Callable[[T, str], None] = lambda item, cause: None,
        is_late: Callable[[T], bool] = lambda item: False,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.capacity = capacity
        self.policy = policy
        self._on_drop = on_drop
        self._is_late = is_late
        self._items: deque[T] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Adds an item; waits for room or drops the oldest item, depending on the policy.

        Raises:
            Closed: the channel is closed, or was closed while waiting; `item` was not added.
        """
        with self._changed:
            if self.policy is Policy.BLOCK:
                self._changed.wait_for(lambda: self._closed or len(self._items) < self.capacity)
            if self._closed:
                raise Closed
            dropped = self._make_room() if self.policy is Policy.DROP_OLDEST else []
            self._items.append(item)
            self._changed.notify_all()
        for old, cause in dropped:
            self._on_drop(old, cause)

    def _make_room(self) -> list[tuple[T, str]]:
        dropped = []
        while self._items and self._is_late(self._items[0]):
            dropped.append((self._items.popleft(), "late"))
        while len(self._items) >= self.capacity:
            dropped.append((self._items.popleft(), "queue_full"))
        return dropped

    def get(self, timeout_s: float | None = None) -> T:
        """Removes and returns the oldest item; waits for one.

        Raises:
            Closed: the channel is closed and empty.
            TimeoutError: nothing came within `timeout_s`.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._items or self._closed, timeout_s):
                raise TimeoutError
            if not self._items:
                raise Closed
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def take_while(self, wanted: Callable[[T], bool]) -> list[T]:
        """Removes and returns, without waiting, the leading items for which `wanted` returns True."""
        with self._changed:
            taken = []
            while self._items and wanted(self._items[0]):
                taken.append(self._items.popleft())
            if taken:
                self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Takes no more items; those inside can still be removed. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self, cause: str) -> None:
        """Closes the channel and drops the items inside, with the given cause. Idempotent."""
        with self._changed:
            self._closed = True
            dropped = list(self._items)
            self._items.clear()
            self._changed.notify_all()
        for item in dropped:
            self._on_drop(item, cause)

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                yield self.get()
            except Closed:
                return

    def __len__(self) -> int:
        return len(self._items)
