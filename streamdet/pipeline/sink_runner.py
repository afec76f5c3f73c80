"""Runs one sink: its queue, the work of its thread, its accounting."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from streamdet.pipeline.accounting import FrameCounts
from streamdet.pipeline.queues import Channel, Closed, Policy
from streamdet.pipeline.stats import Histogram
from streamdet.sinks.base import ConsumerGone, Sink, WindowClosed
from streamdet.types import Result, SourceInfo


class SinkRunner:
    """A sink with the channel of results that leads to it.

    Args:
        sink: opened with the first result, closed when the channel ends.
        capacity: maximum number of results in the channel.
        policy: with BLOCK the stream waits for the sink; with DROP_OLDEST this sink loses frames, which are counted:
            those that do not fit, and those older than the sink's `max_lag_s`.
        info: returns the info of the open source; called once, with the first result.
        delay_s: intended time from capture to the sink.

    Attributes:
        sink: the sink.
        counts: its accounting.
        age_ms: from capture until a result was written.
        write_ms: duration of `Sink.write`.
    """

    def __init__(
        self, sink: Sink, capacity: int, policy: Policy, info: Callable[[], SourceInfo], delay_s: float = 0.0
    ) -> None:
        self.sink = sink
        self.counts = FrameCounts(sink.name)
        self.age_ms = Histogram()
        self.write_ms = Histogram()
        self._info = info
        self._delay_s = delay_s
        self._opened = False
        self._channel: Channel[Result] = Channel(
            capacity, policy, lambda _, cause: self.counts.count_dropped(cause), is_late=self._is_late
        )

    def _is_late(self, result: Result) -> bool:
        return time.monotonic_ns() - result.frame.captured_ns > 1e9 * (self.sink.max_lag_s + self._delay_s)

    @property
    def capacity(self) -> int:
        """Maximum number of results in the channel; may be raised before the first result."""
        return self._channel.capacity

    @capacity.setter
    def capacity(self, capacity: int) -> None:
        self._channel.capacity = capacity

    def block(self) -> None:
        """Makes `offer` wait for the sink from now on instead of dropping results."""
        self._channel.policy = Policy.BLOCK

    def offer(self, result: Result) -> None:
        """Queues a result for the sink; waits or drops, depending on the policy."""
        self.counts.count_received()
        try:
            self._channel.put(result)
        except Closed:
            self.counts.count_dropped("stopped")

    def end(self) -> None:
        """Closes the channel: no more results follow."""
        self._channel.close()

    def abort(self) -> None:
        """Drops the queued results and takes no more."""
        self._channel.abort("stopped")

    def run(self) -> None:
        """Writes until the channel ends, then closes the sink.

        Raises:
            Exception: the first one of the sink.
        """
        try:
            while self.step(None):
                pass
        except BaseException:
            self.give_up()
            raise
        self.finish()

    def step(self, timeout_s: float | None) -> bool:
        """Writes one result, if one arrives in time. Returns False once the channel has ended."""
        try:
            result = self._channel.get(timeout_s)
        except TimeoutError:
            if self._opened:
                self.sink.idle()
            return True
        except Closed:
            return False
        start = time.perf_counter()
        try:
            if not self._opened:
                self._opened = True
                self.sink.open(self._info())
            self.sink.write(result)
        except WindowClosed:
            self.counts.count_passed()  # it was shown
            raise
        except ConsumerGone:
            self.counts.count_dropped("stopped")
            raise
        except BaseException:
            self.counts.count_dropped("sink_failed")
            raise
        self.counts.count_passed()
        self.write_ms.add(1000 * (time.perf_counter() - start))
        self.age_ms.add((time.monotonic_ns() - result.frame.captured_ns) / 1e6)
        return True

    def finish(self) -> None:
        """Closes the sink once its channel has ended."""
        self.abort()
        self.sink.close()

    def give_up(self) -> None:
        """Drops the queued results and closes a sink that failed; later errors from it are ignored."""
        self.abort()
        with contextlib.suppress(Exception):
            self.sink.close()
