"""Frames on their way to the picture that are held back for a stated time, so that detections can overtake them."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator

from streamdet.pipeline.queues import Channel, Closed
from streamdet.types import Frame

log = logging.getLogger(__name__)

DELAY_BUFFER_BYTES = 256 << 20
"""Of all frames that wait in one pipeline: 2.9 s of 1080p at 30 frames/s, or 0.7 s of 4K."""
_GLANCE_S = 0.05  # how long a stop may go unnoticed while nothing comes


class DelayBuffer:
    """Takes frames from a channel and gives each one out `delay_s` after it was captured, in order.

    Args:
        frames: where they come from, until it is closed.
        delay_s: 0 gives every frame out at once.
        max_bytes: more than this is not held: the oldest frame then goes out early.

    Attributes:
        shown_early: frames that went out early for that reason.
    """

    def __init__(self, frames: Channel[Frame], delay_s: float, max_bytes: int) -> None:
        self._channel = frames
        self._delay_ns = round(1e9 * delay_s)
        self._most_bytes = max_bytes
        self.shown_early = 0
        self._held: deque[Frame] = deque()
        self._bytes = 0

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
                    self._bytes += _bytes(frame)
            while self._held and (self._is_due() or at_once() or self._is_too_much()):
                yield self._taken_out()
            if not open_ and self._held:
                time.sleep(min(self._wait_s() or 0.0, _GLANCE_S))

    def left(self) -> Iterator[Frame]:
        """Gives up the frames that were taken and not given out."""
        while self._held:
            yield self._taken_out()

    def _taken_out(self) -> Frame:
        frame = self._held.popleft()
        self._bytes -= _bytes(frame)
        return frame

    def _is_due(self) -> bool:
        return not self._delay_ns or time.monotonic_ns() - self._held[0].captured_ns >= self._delay_ns

    def _is_too_much(self) -> bool:
        if self._bytes <= self._most_bytes:
            return False
        self.shown_early += 1
        if self.shown_early == 1:
            self._tell(self._held[0])
        return True

    def _tell(self, frame: Frame) -> None:
        log.warning(
            "%s: frames are shown %.1f s after they came, not %g: the %d MiB are full in which they may wait;"
            " choose a delay that fits, smaller pictures, or fewer streams at once",
            frame.source,
            (time.monotonic_ns() - frame.captured_ns) / 1e9,
            self._delay_ns / 1e9,
            self._most_bytes >> 20,
        )

    def _wait_s(self) -> float | None:
        if not self._held:
            return None
        due_ns = self._held[0].captured_ns + self._delay_ns - time.monotonic_ns()
        return min(max(due_ns / 1e9, 0.0), _GLANCE_S)


def _bytes(frame: Frame) -> int:
    return sum(plane.nbytes for plane in frame.picture.planes)
