"""Runs one sink: its queue, its thread's work, its books."""

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
    """One sink with the channel that leads to it.

    Args:
        sink: opened by the first result, closed when the channel ends.
        capacity: results the channel holds.
        policy: BLOCK holds the stream back; DROP_OLDEST loses this sink's own frames, counted: those that do not fit
            and those that are older than the sink's `max_lag_s`.
        info: gives the open source's info; called once, when the first result is there.
        delay_s: how much later than captured results are meant to come.
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
            capacity, policy, lambda _, cause: self.counts.count_dropped(cause), late=self._is_late
        )

    def _is_late(self, result: Result) -> bool:
        return time.monotonic_ns() - result.frame.captured_ns > 1e9 * (self.sink.max_lag_s + self._delay_s)

    @property
    def capacity(self) -> int:
        """Results the channel holds; may be raised before the first one."""
        return self._channel.capacity

    @capacity.setter
    def capacity(self, capacity: int) -> None:
        self._channel.capacity = capacity

    def hold_back(self) -> None:
        """Lets `offer` wait for the sink from now on, rather than drop."""
        self._channel.policy = Policy.BLOCK

    def offer(self, result: Result) -> None:
        """Hands a result to the sink; waits or drops as the policy says."""
        self.counts.count_received()
        try:
            self._channel.put(result)
        except Closed:
            self.counts.count_dropped("stopped")

    def end(self) -> None:
        """Says that no more results follow."""
        self._channel.close()

    def abort(self) -> None:
        """Drops what waits and takes nothing more."""
        self._channel.abort("stopped")

    def run(self) -> None:
        """Writes until the channel ends, then closes the sink. Raises what the sink raises first."""
        try:
            while self.step(None):
                pass
        except BaseException:
            self.give_up()
            raise
        self.finish()

    def step(self, timeout_s: float | None) -> bool:
        """Writes one result, if one comes in time. Returns False once the channel has ended."""
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
        """Drops what is left and closes a sink that failed; a second error of it is not news."""
        self.abort()
        with contextlib.suppress(Exception):
            self.sink.close()
