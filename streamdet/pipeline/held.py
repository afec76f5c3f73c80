"""Frames on their way to the picture that are held back for a stated time, so that detections can overtake them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator

from streamdet.pipeline.queues import Channel, Closed
from streamdet.types import Frame

_GLANCE_S = 0.05  # how long a stop may go unnoticed while nothing comes


class Held:
    """Takes frames from a channel and gives each one out `delay_s` after it was captured, in order.

    Args:
        frames: where they come from, until it is closed.
        delay_s: 0 gives every frame out at once.
        most_bytes: more than this is not held: the oldest frame then goes out early.
    """

    def __init__(self, frames: Channel[Frame], delay_s: float, most_bytes: int) -> None:
        self._channel = frames
        self._delay_ns = round(1e9 * delay_s)
        self._most_bytes = most_bytes
        self._held: deque[Frame] = deque()

    def frames(self, look_at: Callable[[Frame], None], at_once: Callable[[], bool]) -> Iterator[Frame]:
        """Yields the frames when they are due.

        Args:
            look_at: called with each frame as it comes.
            at_once: says that nothing is to be waited for any more.
        """
        open_ = True
        while open_ or self._held:
            if open_:
                try:
                    frame = self._channel.get(self._wait_s())
                except TimeoutError:
                    pass
                except Closed:
                    open_ = False
                else:
                    look_at(frame)
                    self._held.append(frame)
            while self._held and (self._is_due() or at_once()):
                yield self._held.popleft()
            if not open_ and self._held:
                time.sleep(min(self._wait_s() or 0.0, _GLANCE_S))

    def left(self) -> Iterator[Frame]:
        """Gives up the frames that were taken and not given out."""
        while self._held:
            yield self._held.popleft()

    def _is_due(self) -> bool:
        first = self._held[0]
        if not self._delay_ns or time.monotonic_ns() - first.captured_ns >= self._delay_ns:
            return True
        return len(self._held) * sum(plane.nbytes for plane in first.picture.planes) > self._most_bytes

    def _wait_s(self) -> float | None:
        if not self._held:
            return None
        due_ns = self._held[0].captured_ns + self._delay_ns - time.monotonic_ns()
        return min(max(due_ns / 1e9, 0.0), _GLANCE_S)
