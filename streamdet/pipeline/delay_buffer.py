"""The delay buffer of smooth mode: frames wait in it so that the next detections arrive before they are shown."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator

from streamdet.pipeline.captured_frame import CapturedFrame
from streamdet.pipeline.queues import Channel, Closed
from streamdet.types import Frame

log = logging.getLogger(__name__)

DELAY_BUFFER_BYTES = 256 << 20
"""Of all delay buffers of a pipeline together: 2.9 s of 1080p at 30 frames/s, or 0.7 s of 4K."""
_POLL_S = 0.05  # longest time until a stop is noticed while no frame arrives


class DelayBuffer:
    """Takes frames from a channel and yields each one `delay_s` after it was captured, in order.

    Args:
        frames: where the frames come from, until it is closed.
        delay_s: 0 yields every frame at once.
        max_bytes: of the buffered pictures; beyond it the oldest frame is yielded early.

    Attributes:
        shown_early: number of frames that were yielded early for that reason.
    """

    def __init__(self, frames: Channel[CapturedFrame], delay_s: float, max_bytes: int) -> None:
        self._channel = frames
        self._delay_ns = round(1e9 * delay_s)
        self._max_bytes = max_bytes
        self.shown_early = 0
        self._buffered: deque[CapturedFrame] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._buffered)

    def frames(
        self, on_arrival: Callable[[CapturedFrame], None], is_flushed: Callable[[], bool]
    ) -> Iterator[CapturedFrame]:
        """Yields the frames when they are due.

        Args:
            on_arrival: called with each frame as it arrives.
            is_flushed: returns True when frames must not wait any longer.
        """
        is_open = True
        while is_open or self._buffered:
            if is_open:
                try:
                    captured = self._channel.get(self._wait_s())
                except TimeoutError:
                    pass
                except Closed:
                    is_open = False
                else:
                    on_arrival(captured)
                    self._push(captured)
            while self._buffered:
                if not (self._is_due() or is_flushed()):
                    if not self._is_full():
                        break
                    self._count_early()
                yield self._pop()
            if not is_open and self._buffered:
                time.sleep(min(self._wait_s() or 0.0, _POLL_S))

    def drain(self) -> Iterator[CapturedFrame]:
        """Yields the buffered frames without waiting."""
        while self._buffered:
            yield self._pop()

    def _push(self, captured: CapturedFrame) -> None:
        self._buffered.append(captured)
        self._bytes += _bytes(captured.frame)

    def _pop(self) -> CapturedFrame:
        captured = self._buffered.popleft()
        self._bytes -= _bytes(captured.frame)
        return captured

    def _is_due(self) -> bool:
        return not self._delay_ns or time.monotonic_ns() - self._buffered[0].frame.captured_ns >= self._delay_ns

    def _is_full(self) -> bool:
        return self._bytes > self._max_bytes

    def _count_early(self) -> None:
        self.shown_early += 1
        if self.shown_early == 1:
            self._warn(self._buffered[0].frame)

    def _warn(self, frame: Frame) -> None:
        log.warning(
            "%s: frames are shown %.1f s after capture instead of %g s: the delay buffer is full (%d MiB);"
            " use a shorter delay, smaller pictures, or fewer streams at a time",
            frame.source,
            (time.monotonic_ns() - frame.captured_ns) / 1e9,
            self._delay_ns / 1e9,
            self._max_bytes >> 20,
        )

    def _wait_s(self) -> float | None:
        """Returns how long to wait for the next frame: until the oldest one is due; None if the buffer is empty."""
        if not self._buffered:
            return None
        due_ns = self._buffered[0].frame.captured_ns + self._delay_ns - time.monotonic_ns()
        return min(max(due_ns / 1e9, 0.0), _POLL_S)


def _bytes(frame: Frame) -> int:
    return sum(plane.nbytes for plane in frame.picture.planes)
