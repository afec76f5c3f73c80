"""One stream: capture -> (inference) -> render -> sinks."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from streamdet.picture import Picture
from streamdet.pipeline.accounting import FrameCounts
from streamdet.pipeline.admission import Admission
from streamdet.pipeline.batcher import Batcher
from streamdet.pipeline.captured_frame import CapturedFrame, Verdict
from streamdet.pipeline.delay_buffer import DELAY_BUFFER_BYTES, DelayBuffer
from streamdet.pipeline.plan import StreamPlan
from streamdet.pipeline.pool import PicturePool
from streamdet.pipeline.queues import Channel, Closed, Policy
from streamdet.pipeline.region import Corner, crop
from streamdet.pipeline.sink_runner import SinkRunner
from streamdet.pipeline.stages import BoxSynchronizer, Inferred, annotate
from streamdet.pipeline.stats import StreamStats
from streamdet.pipeline.timing_mode import TimingMode
from streamdet.types import Detected, Detections, Frame, Result, SourceInfo

_MIN_QUEUED = 3  # frames between two threads: keeps both busy
_QUEUED_EVERY_FRAME = 6  # where every frame waits: absorbs a slow frame; 1 to 2 % faster than 3
_QUEUED_LIVE = 16  # for a live stream: servers start with a burst of frames
_MAX_LAG_S = 0.2  # a frame that has waited longer is dropped if newer ones follow: this bounds the age of live frames
_SILENCE_S = 2.0
_SINK_FRAMES = 64
_SINK_BYTES = 64 << 20  # absorbs a disk stall of about 1 s at 720p30, without a gigabyte in memory at 4K


def _is_late(captured: CapturedFrame) -> bool:
    return time.monotonic_ns() - captured.frame.captured_ns > 1e9 * _MAX_LAG_S


class Stream:
    """A running plan. One thread runs `capture`, one runs `render`, and each sink runner has its own thread.

    Args:
        plan: the parts and options of the stream.
        batcher: takes frames for inference; None without a detector.
        buffer_bytes: maximum size of the frames that wait in smooth mode.
    """

    def __init__(self, plan: StreamPlan, batcher: Batcher | None, buffer_bytes: int = DELAY_BUFFER_BYTES) -> None:
        self.plan = plan
        self.name = plan.source.name
        self.info: SourceInfo | None = None
        self.counts = FrameCounts(self.name)
        self._live = plan.mode is not TimingMode.EVERY_FRAME  # as the source is: it waits for nothing
        self._delay_s = plan.delay_s if plan.mode is TimingMode.SMOOTH else 0.0
        self.stats = StreamStats(self._delay_s)
        self._stopped = threading.Event()
        self._batcher = batcher
        self._admission = Admission(plan.detect, plan.gate)
        policy = Policy.DROP_OLDEST if self._live else Policy.BLOCK
        self._frames: Channel[CapturedFrame] = Channel(_MIN_QUEUED, policy, self._count_dropped, is_late=_is_late)
        self.delay_buffer = DelayBuffer(self._frames, self._delay_s, buffer_bytes)
        # In every-frame mode never full: it holds no more frames than `_frames` plus those in hand. A live stream drops
        # its oldest detections if the renderer stalls.
        self._inferred: Channel[Inferred] = Channel(2 * _QUEUED_EVERY_FRAME, Policy.DROP_OLDEST)
        self.sink_runners = [
            SinkRunner(sink, _MIN_QUEUED, policy, self._open_info, self._delay_s) for sink in plan.sinks
        ]
        # The following belong to the render thread.
        self._boxes = BoxSynchronizer(plan.tracker, plan.mover if self._live else None)
        self._last_inferred: Inferred | None = None
        self._observed_pts = -1
        self._pool = PicturePool()

    @property
    def waits(self) -> bool:
        """Whether every frame waits for inference and for the sinks: every-frame mode of a source that is not live."""
        return not self._live and not self.plan.source.live

    def _open_info(self) -> SourceInfo:
        assert self.info is not None, "a sink opens with its first result, which comes after the source is open"
        return self.info

    # The capture thread.

    def capture(self) -> None:
        """Opens, reads and closes the source.

        Raises:
            Exception: what the source raises, after the queues behind it were closed.
        """
        source = self.plan.source
        try:
            with source:
                self.info = source.open()
                self._set_capacities(self.info)
                for frame in self._limited(source.frames()):
                    self.counts.count_received()
                    self._send(frame)
        finally:
            self._frames.close()
            if self._batcher is not None:
                self._batcher.close(self.name)

    def _set_capacities(self, info: SourceInfo) -> None:
        """Lets the queues hold what memory allows: live streams lose fewer frames, others wait less often."""
        pictures = 1 if self.plan.annotator is None else 2  # the frame's own, and the copy that was drawn on
        fitting = _SINK_BYTES // (pictures * 3 * info.width * info.height // 2)
        self._frames.capacity = max(_MIN_QUEUED, min(_QUEUED_LIVE if self._live else _QUEUED_EVERY_FRAME, fitting))
        for runner in self.sink_runners:
            runner.capacity = max(_MIN_QUEUED, min(_SINK_FRAMES if self._live else _QUEUED_EVERY_FRAME, fitting))

    def _limited(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Yields frames until `max_frames` or `duration_s` is reached, and measures decoding."""
        end_s = None
        asked_s = time.perf_counter()
        for count, frame in enumerate(frames, start=1):
            if not self.plan.source.live:  # a live source spends its time waiting for the camera
                self.stats.decode_ms.add(1000 * (time.perf_counter() - asked_s))
            if self.plan.duration_s:
                end_s = frame.pts_s + self.plan.duration_s if end_s is None else end_s
                if frame.pts_s >= end_s:
                    return
            yield frame
            if count == self.plan.max_frames:
                return
            asked_s = time.perf_counter()

    def _send(self, frame: Frame) -> None:
        try:
            if self._batcher is None:
                captured = CapturedFrame(frame)
            else:
                captured = self._admission.admit(frame)
                if captured.verdict is Verdict.INFER:
                    self._batcher.put(self.name, frame)
                else:
                    self.stats.not_inferred[captured.verdict.value] += 1
            self._frames.put(captured)
        except Closed:
            self.counts.count_dropped("stopped")

    def _count_dropped(self, captured: CapturedFrame, cause: str) -> None:
        self.counts.count_dropped(cause)

    # The inference thread.

    def crop_for_inference(self, frame: Frame) -> tuple[Picture, Corner]:
        """Returns the region of a frame that the detector gets, and its corner in the frame."""
        return crop(frame.picture, self.plan.detect.region)

    def deliver(self, inferred: Inferred) -> None:
        """Takes the detections of a frame; never waits."""
        with contextlib.suppress(Closed):
            self._inferred.put(inferred)
        self.stats.add_inferred(inferred.detected.times)

    def end_inference(self) -> None:
        """Closes the queue of detections: no more will come."""
        self._inferred.close()

    # The render thread.

    def render(self) -> None:
        """Gives each frame its boxes and offers it to the sinks.

        Raises:
            Exception: what a stage or the annotator raises.
        """
        try:
            for captured in self.delay_buffer.frames(self._observe, self._stopped.is_set):
                if self._delay_s and self._stopped.is_set():
                    self._let_sinks_block()  # the buffered frames come all at once now, and none may be lost
                result = self._with_boxes(captured)
                if result is None:
                    self.counts.count_dropped("stopped")
                    continue
                result = self._through_stages(result)
                if result is None:
                    self.counts.count_dropped("stage")
                    continue
                self.stats.add_shown(result)
                for runner in self.sink_runners:
                    runner.offer(result)
                self.counts.count_passed()
        except BaseException:
            self.counts.count_dropped("render_failed")
            for _ in self.delay_buffer.drain():
                self.counts.count_dropped("stopped")
            raise
        finally:
            self._frames.abort("stopped")
            for runner in self.sink_runners:
                runner.end()

    def _observe(self, captured: CapturedFrame) -> None:
        """Live and smooth mode: takes a frame as it arrives, and the detections that have arrived by then."""
        if self._live and self._batcher is not None:
            self._boxes.observe(captured.frame)
            self._observed_pts = captured.frame.pts
            self._take_inferred_until(captured.frame.pts)
            self._reuse_detections(captured)

    def _let_sinks_block(self) -> None:
        for runner in self.sink_runners:
            runner.block()

    def _with_boxes(self, captured: CapturedFrame) -> Result | None:
        """Returns the frame with its boxes; None if it waits for detections that will not come any more."""
        frame = captured.frame
        if self._batcher is None:
            return Result(frame, Detections.empty())
        if self._live:
            if self._delay_s:  # more may have arrived since this frame did
                self._take_inferred_until(self._observed_pts)
                self.stats.interpolated += self._boxes.is_between(frame)
        elif captured.verdict is Verdict.INFER:
            try:
                inferred = self._inferred.get()
            except Closed:
                return None
            assert inferred.frame is frame, "detections arrive in the order of their frames"
            self._take([inferred])
        else:
            self._reuse_detections(captured)
        result = self._boxes.show(frame)
        return result if captured.reused_age_s is None else replace(result, detection_age_s=captured.reused_age_s)

    def _take_inferred_until(self, pts: int) -> None:
        self._take(self._inferred.take_while(lambda inferred: inferred.frame.pts <= pts))

    def _take(self, arrived: Sequence[Inferred]) -> None:
        self._boxes.take(arrived)
        self._last_inferred = arrived[-1] if arrived else self._last_inferred

    def _reuse_detections(self, captured: CapturedFrame) -> None:
        """Gives an unchanged frame the detections of the last frame the detector ran on, if they have arrived.

        Does nothing for a frame that the detector runs on itself, or that came too soon.
        """
        last = self._last_inferred
        if captured.verdict is Verdict.STILL and last is not None and last.frame.index == captured.reusable_index:
            self._boxes.take([Inferred(captured.frame, Detected(last.detected.detections))])
            captured.reused_age_s = captured.frame.pts_s - last.frame.pts_s

    def _through_stages(self, result: Result | None) -> Result | None:
        for stage in self.plan.stages:
            if result is None:
                return None
            result = stage(result)
        wanted = self.plan.always_annotate or any(sink.needs_annotated for sink in self.plan.sinks)
        if result is None or self.plan.annotator is None or not wanted:
            return result
        status = None if self.plan.status is None else self.plan.status(result)
        return annotate(result, self.plan.annotator, status, self._pool)

    # Any thread.

    def is_overdue(self) -> bool:
        """Returns whether a live stream is silent and its time is up, so that no frame will come to end it.

        `duration_s` limits the stream's own time, which advances with the clock.
        """
        if not (self.plan.source.live and self.plan.duration_s and self.stats.first_captured_ns):
            return False
        now_ns = time.monotonic_ns()
        silent_s = (now_ns - self.stats.last_shown_ns) / 1e9
        return silent_s > _SILENCE_S and (now_ns - self.stats.first_captured_ns) / 1e9 > self.plan.duration_s

    def stop(self) -> None:
        """Asks the source to end, and takes no more frames from it, even if it hangs.

        Captured frames are still rendered; the batcher drops those that wait for inference.
        """
        self.plan.source.request_stop()
        self._stopped.set()
        self._frames.close()

    def stop_waiting(self) -> None:
        """Waits no longer for an inference or a sink that hangs, so that the other sinks can be finished."""
        self._inferred.close()
        for runner in self.sink_runners:
            runner.end()
