"""What stands between two threads: bounded, closable, with a named policy for when it is full."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


class Policy(Enum):
    """What `put` does on a full channel: wait for room, or drop the oldest item (which is counted)."""

    BLOCK = "block"
    DROP_OLDEST = "drop_oldest"


class Closed(Exception):
    """The channel takes nothing more, or is closed and empty."""


class Channel(Generic[T]):
    """A bounded queue that can be closed from either side.

    (`queue.Queue` gets a `shutdown` in Python 3.13 only, and knows no dropping.)

    Args:
        capacity: most items held, at least 1.
        policy: what `put` does when full.
        on_drop: called with every item that is dropped and the cause ("queue_full", "late", or what `abort` was told).
        late: says that an item is too old to be worth keeping once newer ones follow; DROP_OLDEST asks it.
    """

    def __init__(
        self,
        capacity: int,
        policy: Policy,
        on_drop: Callable[[T, str], None] = lambda item, cause: None,
        late: Callable[[T], bool] = lambda item: False,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.capacity = capacity
        self.policy = policy
        self._on_drop = on_drop
        self._late = late
        self._items: deque[T] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Adds an item; waits for room or drops the oldest, as the policy says.

        Raises:
            Closed: the channel was closed, also while waiting; `item` was not taken.
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
        while self._items and self._late(self._items[0]):
            dropped.append((self._items.popleft(), "late"))
        while len(self._items) >= self.capacity:
            dropped.append((self._items.popleft(), "queue_full"))
        return dropped

    def get(self, timeout_s: float | None = None) -> T:
        """Takes the oldest item, waiting for one.

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
        """Takes, without waiting, the leading items for which `wanted` is true."""
        with self._changed:
            taken = []
            while self._items and wanted(self._items[0]):
                taken.append(self._items.popleft())
            if taken:
                self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Lets nothing more in; what is inside can still be taken. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self, cause: str) -> None:
        """Closes, and drops what is inside for the given cause. Idempotent."""
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
