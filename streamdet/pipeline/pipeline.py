"""Runs streams over one detector: owns the threads, the first error, and the order of stopping."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from streamdet.errors import StreamdetError
from streamdet.interrupts import FirstInterrupt
from streamdet.pipeline.accounting import FrameCounts, check_balance
from streamdet.pipeline.batcher import Batcher
from streamdet.pipeline.delay_buffer import DELAY_BUFFER_BYTES
from streamdet.pipeline.niceness import lower_priority
from streamdet.pipeline.plan import StreamPlan
from streamdet.pipeline.queues import Closed
from streamdet.pipeline.region import detected_in_picture
from streamdet.pipeline.sink_runner import SinkRunner
from streamdet.pipeline.stages import Inferred
from streamdet.pipeline.stream import Stream
from streamdet.pipeline.timing_mode import TimingMode
from streamdet.protocols import Detector
from streamdet.sinks.base import ConsumerGone, WindowClosed

log = logging.getLogger(__name__)

_TICK_S = 0.05
_WINDOW_S = 0.01  # windows take turns: one whose stream is silent must not delay the others
# Where nothing is dropped, the slowest stage sets the pace: inference or encoding. So decoding and rendering run in the
# time that these leave. Measured with 1080p files on 2 cores: 10 % faster without inference, 5 to 8 % with YOLOX-nano.
# The priority is no lower, so that other programs cannot bring decoding to a stop.
_UPSTREAM_NICENESS = 10
_GRACE_S = 1.0  # enough for sources and inferences that are not in a long call


class Pipeline:
    """Runs stream plans at the same time over one detector, and accounts for every frame.

    An error of one source ends that stream; the others continue. Any other error ends the run. Either way, `run` raises
    the first error after everything is closed. Rendered frames are written before a sink is closed.

    Args:
        plans: the streams; their names must differ.
        detector: shared by all streams, used by one thread; None shows frames without boxes.
        stop_timeout_s: how long `run` waits for threads after a stop before it abandons them. After half of this time,
            an inference or a sink that hangs no longer keeps the other sinks from being finished.
        abandon_busy: after a stop, do not wait for long library calls (a server that does not answer, an inference of
            seconds): finish the outputs without them and return. For processes that end next.
        batch_wait_s: how long a frame may wait for frames of other streams, to be inferred with them.
        infer_nice: niceness of the inference thread, 0 to 19; see `run_at_niceness`.

    Attributes:
        streams: the running plans.
        started_ns: monotonic time of the start; 0 before it.
        ended_ns: monotonic time of the end; 0 before it.
        stage_cpu_s: processor time of the threads that have ended, by stage: "capture", "infer", "render", "sink".
    """

    def __init__(
        self,
        plans: Sequence[StreamPlan],
        detector: Detector | None,
        stop_timeout_s: float = 20.0,
        abandon_busy: bool = False,
        batch_wait_s: float = 0.0,
        infer_nice: int = 0,
    ) -> None:
        names = [plan.source.name for plan in plans]
        if len(set(names)) != len(names):
            raise ValueError(f"streams need different names, got {names}")
        self._detector = detector
        self._batcher: Batcher | None = None
        if detector is not None:
            newest_only = {plan.source.name: plan.mode is not TimingMode.EVERY_FRAME for plan in plans}
            priorities = {plan.source.name: plan.detect.priority for plan in plans}
            self._batcher = Batcher(detector.max_batch, newest_only, priorities, batch_wait_s)
        buffers = sum(plan.mode is TimingMode.SMOOTH for plan in plans)
        self.streams = [Stream(plan, self._batcher, DELAY_BUFFER_BYTES // max(buffers, 1)) for plan in plans]
        self._by_name = {stream.name: stream for stream in self.streams}
        self._stop_timeout_s = stop_timeout_s
        self._abandon_busy = abandon_busy
        self._infer_nice = infer_nice
        self._threads: list[threading.Thread] = []
        self._library_threads: list[threading.Thread] = []  # those that may be in a long library call
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._stopped_ns = 0
        self._process_s = (0.0, 0.0)
        self.started_ns = 0
        self.ended_ns = 0
        self.stage_cpu_s: dict[str, float] = {}

    @property
    def stopping(self) -> bool:
        """True after `stop`."""
        return self._stopping.is_set()

    @property
    def ended(self) -> bool:
        """True once every thread of a started pipeline has ended."""
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def cpu_s(self) -> float:
        """Processor time of this process from start to end, or until now; includes the threads of libraries."""
        started_s, ended_s = self._process_s
        return (ended_s or time.process_time()) - started_s

    def start(self) -> None:
        """Starts all threads and returns."""
        self.started_ns = time.monotonic_ns()
        self._process_s = (time.process_time(), 0.0)
        for stream in self.streams:
            for runner in stream.sink_runners:
                if not runner.sink.needs_main_thread:
                    self._spawn(f"sink:{stream.name}:{runner.sink.name}", self._run_sink, runner)
            self._spawn(f"render:{stream.name}", self._guard, _render, stream)
        if self._batcher is not None:
            self._library_threads.append(self._spawn("infer", self._guard, self._infer))
        for stream in self.streams:
            self._library_threads.append(self._spawn(f"capture:{stream.name}", self._capture, stream))

    def run(self, on_tick: Callable[[], None] = lambda: None) -> None:
        """Starts, shows windows in this thread, and returns when every stream has ended and every sink is closed.

        Ctrl-C stops in order and is raised after everything is closed; a second Ctrl-C is raised at once.

        Args:
            on_tick: called a few times a second from this thread, for progress displays.

        Raises:
            StreamdetError: the first error of the run, after everything was closed.
            AccountingError: frames are not accounted for.
            KeyboardInterrupt: Ctrl-C was pressed.
        """

        def tick() -> None:
            if interrupt.received:
                self.stop()
            on_tick()

        with FirstInterrupt() as interrupt:
            self.start()
            try:
                self.wait(tick)
            except Exception:
                if not self.ended and not self._stopping.is_set():  # `on_tick` failed
                    self.stop()
                    self.wait()
                raise
        if interrupt.received:
            raise KeyboardInterrupt

    def wait(self, on_tick: Callable[[], None] = lambda: None) -> None:
        """Waits for the end of a started run, as `run` does."""
        windows = [runner for stream in self.streams for runner in stream.sink_runners if runner.sink.needs_main_thread]
        last_tick_s = 0.0
        while windows or not self.ended:
            windows = [runner for runner in windows if self._show(runner)]
            if not windows:
                self._join_one(_TICK_S)
            if time.monotonic() - last_tick_s < _TICK_S:
                continue
            last_tick_s = time.monotonic()
            on_tick()
            for stream in self.streams:
                if stream.is_overdue():
                    stream.stop()
            if self._stopping.is_set():
                stopped_s = (time.monotonic_ns() - self._stopped_ns) / 1e9
                self._unblock_streams(stopped_s)
                if self._may_abandon_busy(stopped_s):
                    break
                if stopped_s > self._stop_timeout_s:
                    self._report_hanging_threads()
                    break
        if not self.ended_ns:
            self.ended_ns = time.monotonic_ns()
            self._process_s = (self._process_s[0], time.process_time())
        if self._error is not None:
            raise self._error
        check_balance(self.frame_counts())

    def stop(self) -> None:
        """Asks everything to end: sources first, then inference; rendered frames are still written.

        Returns at once; may be called from any thread, any number of times.
        """
        self._stopped_ns = self._stopped_ns or time.monotonic_ns()
        self._stopping.set()
        for stream in self.streams:
            stream.stop()
        if self._batcher is not None:
            self._batcher.abort()

    def frame_counts(self) -> list[FrameCounts]:
        """Returns the counts of every stream and every sink."""
        return [counts for s in self.streams for counts in (s.counts, *(runner.counts for runner in s.sink_runners))]

    def _unblock_streams(self, stopped_s: float) -> None:
        """After a stop: lets streams continue without threads that take long, so that their sinks can be finished."""
        for stream in self.streams:
            if self._abandon_busy and stopped_s > _GRACE_S:
                stream.end_inference()
            if stopped_s > self._stop_timeout_s / 2:
                stream.stop_waiting()

    def _may_abandon_busy(self, stopped_s: float) -> bool:
        """Returns whether only threads in long library calls are left, and these may be abandoned."""
        if not self._abandon_busy or stopped_s <= _GRACE_S:
            return False
        return all(thread in self._library_threads for thread in self._threads if thread.is_alive())

    def _report_hanging_threads(self) -> None:
        hanging = ", ".join(thread.name for thread in self._threads if thread.is_alive())
        self._remember(StreamdetError(f"did not end within {self._stop_timeout_s:g} s of being stopped: {hanging}"))

    # Below: the threads.

    def _spawn(self, name: str, target: Callable[..., None], *args: object) -> threading.Thread:
        # daemon: a thread that hangs in a library must not keep the process alive after `run` has abandoned it
        thread = threading.Thread(target=self._timed, args=(target, *args), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _timed(self, target: Callable[..., None], *args: object) -> None:
        try:
            target(*args)
        finally:
            stage = threading.current_thread().name.partition(":")[0]
            with self._lock:
                self.stage_cpu_s[stage] = self.stage_cpu_s.get(stage, 0.0) + time.thread_time()

    def _capture(self, stream: Stream) -> None:
        lower_priority(_UPSTREAM_NICENESS if stream.waits else 0)  # the threads that the decoder starts inherit it
        try:
            stream.capture()
        except StreamdetError as error:
            if self._stopping.is_set():  # the stop interrupted it: this is not a failure
                log.debug("%s ended: %s", stream.name, error)
                return
            self._remember(error)
            if len(self.streams) > 1:
                log.warning("%s ended: %s", stream.name, error)
        except BaseException as error:
            self._fail(error)

    def _infer(self) -> None:
        assert self._detector is not None
        assert self._batcher is not None
        lower_priority(self._infer_nice)
        try:
            while True:
                batch = [(self._by_name[name], frame) for name, frame in self._batcher.take()]
                crops = [stream.crop_for_inference(frame) for stream, frame in batch]
                found = self._detector.detect([picture for picture, _ in crops])
                for (stream, frame), (_, corner), detected in zip(batch, crops, found, strict=True):
                    stream.deliver(Inferred(frame, detected_in_picture(detected, corner)))
        except Closed:
            pass
        finally:
            for stream in self.streams:
                stream.end_inference()

    def _run_sink(self, runner: SinkRunner) -> None:
        try:
            runner.run()
        except (ConsumerGone, WindowClosed):
            self.stop()
        except BaseException as error:
            self._fail(error)

    def _guard(self, work: Callable[..., None], *args: object) -> None:
        try:
            work(*args)
        except BaseException as error:
            self._fail(error)

    def _show(self, runner: SinkRunner) -> bool:
        """Writes the next result to a window, if there is one. Returns False once the window has ended."""
        try:
            if runner.step(_WINDOW_S):
                return True
            runner.finish()
        except WindowClosed:
            self.stop()
            runner.give_up()
        except Exception as error:
            self._fail(error)
            runner.give_up()
        return False

    def _remember(self, error: BaseException) -> None:
        with self._lock:
            self._error = self._error or error

    def _fail(self, error: BaseException) -> None:
        self._remember(error)
        self.stop()

    def _join_one(self, timeout_s: float) -> None:
        alive = [thread for thread in self._threads if thread.is_alive()]
        if alive:
            alive[0].join(timeout_s)


def _render(stream: Stream) -> None:
    lower_priority(_UPSTREAM_NICENESS if stream.waits else 0)
    stream.render()
