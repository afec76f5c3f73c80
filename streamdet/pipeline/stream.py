"""One stream's way through the pipeline: capture -> (inference) -> render -> sinks."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from streamdet.picture import Picture
from streamdet.pipeline.accounting import FrameCounts
from streamdet.pipeline.admission import Admission, DetectOptions, Verdict
from streamdet.pipeline.batcher import Batcher
from streamdet.pipeline.delay_buffer import DELAY_BUFFER_BYTES, DelayBuffer
from streamdet.pipeline.pool import PicturePool
from streamdet.pipeline.queues import Channel, Closed, Policy
from streamdet.pipeline.region import Corner, crop
from streamdet.pipeline.sink_runner import SinkRunner
from streamdet.pipeline.stages import (
    BoxSynchronizer,
    Inferred,
    annotate,
)
from streamdet.pipeline.stats import StreamStats
from streamdet.pipeline.timing_mode import TimingMode
from streamdet.protocols import Annotator, Gate, Mover, Stage, Tracker
from streamdet.sinks.base import Sink
from streamdet.sources.base import Source
from streamdet.types import Detected, Detections, Frame, Result, SourceInfo


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What one stream is made of.

    Attributes:
        source: where frames come from.
        sinks: where results go.
        mode: how frames and detections meet.
        mode_reason: why this mode was chosen, for people; "" where it was asked for.
        tracker: gives and keeps ids; None for detections as they are.
        mover: brings boxes to the frames that are shown, where these are not the ones that were inferred.
        delay_s: how long after they came frames are shown in smooth mode.
        annotator: draws, where a sink wants a picture or `always_annotate` is set.
        stages: the user's own steps, in order, between tracking and drawing; where every frame waits, in a thread that
            gives way to inference and encoding.
        status: text for the status line of a frame; None for none.
        always_annotate: draw even where no sink wants pictures (for callers that iterate results).
        max_frames: stop after so many frames; 0 for no limit.
        duration_s: stop after so much of the stream's own time; 0 for no limit.
        detect: when and where the detector looks.
        gate: decides what is still, where `detect` asks for it.
    """

    source: Source
    sinks: Sequence[Sink] = ()
    mode: TimingMode = TimingMode.EVERY_FRAME
    tracker: Tracker | None = None
    mover: Mover | None = None
    delay_s: float = 1.0
    annotator: Annotator | None = None
    stages: Sequence[Stage] = ()
    status: Callable[[Result], str] | None = None
    always_annotate: bool = False
    max_frames: int = 0
    duration_s: float = 0.0
    detect: DetectOptions = DetectOptions()  # noqa: RUF009  # frozen
    gate: Gate | None = None
    mode_reason: str = ""


_IN_FLIGHT = 3  # frames between two threads, at least: keeps every one busy
_IN_STEP = 6  # the same where every frame waits: rides out a slow one; 1 to 2 % faster than 3
_BURST = 16  # the same for a live stream: servers begin with several frames at once
_LIVE_LAG_S = 0.2  # but none that has waited so long is shown if there are newer ones: this bounds the age
_SILENCE_S = 2.0
_SINK_FRAMES = 64
_SINK_BYTES = 64 << 20  # rides out a hiccup of the disk of about 1 s at 720p30, without holding a gigabyte at 4K


def _has_waited_long(frame: Frame) -> bool:
    return time.monotonic_ns() - frame.captured_ns > 1e9 * _LIVE_LAG_S


class Stream:
    """A running plan. One thread runs `capture`, one runs `render`, and each sink runner has a thread of its own.

    Args:
        plan: what to do.
        batcher: where frames are left for inference; None where nothing is inferred.
        buffer_bytes: most that frames which wait in smooth mode take.
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
        self._looked_at_pts = -1
        self._batcher = batcher
        policy = Policy.DROP_OLDEST if self._live else Policy.BLOCK
        self._frames: Channel[Frame] = Channel(_IN_FLIGHT, policy, self._drop, late=_has_waited_long)
        self.delay_buffer = DelayBuffer(self._frames, self._delay_s, buffer_bytes)
        self._admission = Admission(plan.detect, plan.gate)
        # Frames that wait for no detection of their own -> why, and the frame that was looked at last before them.
        self._not_inferred: dict[int, tuple[Verdict, int]] = {}
        self._looked_at = -1
        self._found: Inferred | None = None
        self._pool = PicturePool()
        # Every frame under inference is also in `_frames`, being put there, or with the renderer: this never fills up.
        self._inferred: Channel[Inferred] = Channel(2 * _IN_STEP, Policy.DROP_OLDEST)
        self._held_s: dict[int, float] = {}  # frames that show what an earlier one did -> how old that is
        self._moved_boxes = BoxSynchronizer(plan.tracker, plan.mover if self._live else None)
        self.sink_runners = [
            SinkRunner(sink, _IN_FLIGHT, policy, self._opened_info, self._delay_s) for sink in plan.sinks
        ]

    @property
    def waits(self) -> bool:
        """Whether its source is in no hurry: every frame waits for inference and for the sinks."""
        return not self._live and not self.plan.source.live

    def _opened_info(self) -> SourceInfo:
        assert self.info is not None, "a sink opens with its first result, which comes after the source is open"
        return self.info

    def capture(self) -> None:
        """Opens, reads and closes the source. Raises what the source raises, after everything behind it was told."""
        source = self.plan.source
        try:
            with source:
                self.info = source.open()
                self._make_room(self.info)
                for frame in self._limited(source.frames()):
                    self.counts.count_received()
                    self._send(frame)
        finally:
            self._frames.close()
            if self._batcher is not None:
                self._batcher.close(self.name)

    def _make_room(self, info: SourceInfo) -> None:
        """Lets threads fall behind by what memory allows: live streams would lose frames, others wait more often."""
        pictures = 1 if self.plan.annotator is None else 2  # the one that was drawn on comes beside the frame's own
        fitting = _SINK_BYTES // (pictures * 3 * info.width * info.height // 2)
        self._frames.capacity = max(_IN_FLIGHT, min(_BURST if self._live else _IN_STEP, fitting))
        for runner in self.sink_runners:
            runner.capacity = max(_IN_FLIGHT, min(_SINK_FRAMES if self._live else _IN_STEP, fitting))

    def _limited(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        end_s = None
        asked = time.perf_counter()
        for count, frame in enumerate(frames, start=1):
            if not self.plan.source.live:  # a live source's time is spent waiting for the camera
                self.stats.decode_ms.add(1000 * (time.perf_counter() - asked))
            if self.plan.duration_s:
                end_s = frame.pts_s + self.plan.duration_s if end_s is None else end_s
                if frame.pts_s >= end_s:
                    return
            yield frame
            if count == self.plan.max_frames:
                return
            asked = time.perf_counter()

    def _send(self, frame: Frame) -> None:
        try:
            if self._batcher is not None and self._is_looked_at(frame):
                self._batcher.put(self.name, frame)
            self._frames.put(frame)
        except Closed:
            self._drop(frame, "stopped")

    def _is_looked_at(self, frame: Frame) -> bool:
        verdict = self._admission.decide(frame)
        if verdict is Verdict.INFER:
            self._looked_at = frame.index
            return True
        self.stats.not_inferred[verdict.value] += 1
        self._not_inferred[frame.index] = verdict, self._looked_at
        return False

    def _drop(self, frame: Frame, cause: str) -> None:
        self._not_inferred.pop(frame.index, None)
        self.counts.count_dropped(cause)

    def crop_for_inference(self, frame: Frame) -> tuple[Picture, Corner]:
        """Returns what of a frame the detector gets, and where in the frame that begins."""
        return crop(frame.picture, self.plan.detect.region)

    def deliver(self, inferred: Inferred) -> None:
        """Takes what the inference thread found; never waits."""
        with contextlib.suppress(Closed):
            self._inferred.put(inferred)
        self.stats.add_inferred(inferred.detected.times)

    def end_of_inference(self) -> None:
        """Says that no more detections will come."""
        self._inferred.close()

    def render(self) -> None:
        """Gives each frame its boxes and hands it to the sinks. Raises what a stage or the painter raises."""
        try:
            for frame in self.delay_buffer.frames(self._look_at, self._finish_at_once):
                result = self._with_boxes(frame)
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
            for _ in self.delay_buffer.left():
                self.counts.count_dropped("stopped")
            raise
        finally:
            self._frames.abort("stopped")
            for runner in self.sink_runners:
                runner.end()

    def _look_at(self, frame: Frame) -> None:
        """Looks at a frame as it comes, and takes what has been inferred by then."""
        if self._live and self._batcher is not None:
            self._moved_boxes.observe(frame)
            self._looked_at_pts = frame.pts
            self._take(self._inferred.take_while(lambda item: item.frame.pts <= frame.pts))
            self._hold(frame)

    def _finish_at_once(self) -> bool:
        """Says whether frames that are held are to be shown without delay; sinks then take all of them."""
        if self._stopped.is_set():
            for runner in self.sink_runners:
                runner.hold_back()
        return self._stopped.is_set()

    def _with_boxes(self, frame: Frame) -> Result | None:
        if self._batcher is None:
            return Result(frame, Detections.empty())
        if self._live:
            if self._delay_s:  # more may have come since this frame did
                self._take(self._inferred.take_while(lambda item: item.frame.pts <= self._looked_at_pts))
                self.stats.interpolated += self._moved_boxes.is_between(frame)
        elif frame.index in self._not_inferred:
            self._hold(frame)
        else:
            try:
                inferred = self._inferred.get()
            except Closed:
                return None
            assert inferred.frame is frame, "detections arrive in the order of their frames"
            self._take([inferred])
        result = self._moved_boxes.show(frame)
        held_s = self._held_s.pop(frame.index, None)
        return result if held_s is None else replace(result, detection_age_s=held_s)

    def _take(self, arrived: Sequence[Inferred]) -> None:
        self._moved_boxes.take(arrived)
        self._found = arrived[-1] if arrived else self._found

    def _hold(self, frame: Frame) -> None:
        """Takes for a frame in which all is still what was found in the one that was looked at last, if that is known.

        Does nothing for a frame that was itself looked at, or is not because it came too soon.
        """
        verdict, last = self._not_inferred.pop(frame.index, (Verdict.INFER, -1))
        if verdict is Verdict.STILL and self._found is not None and self._found.frame.index == last:
            self._moved_boxes.take([Inferred(frame, Detected(self._found.detected.detections))])
            self._held_s[frame.index] = frame.pts_s - self._found.frame.pts_s

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

    def overdue(self) -> bool:
        """Says whether a live stream has gone silent and its time is up: no frame will come to end it.

        `duration_s` counts the stream's own time, which goes on with the clock.
        """
        if not (self.plan.source.live and self.plan.duration_s and self.stats.first_captured_ns):
            return False
        now_ns = time.monotonic_ns()
        silent_s = (now_ns - self.stats.last_shown_ns) / 1e9
        return silent_s > _SILENCE_S and (now_ns - self.stats.first_captured_ns) / 1e9 > self.plan.duration_s

    def stop(self) -> None:
        """Asks the source to end, and takes no more from it, should it hang.

        What has been captured is finished; frames that wait for inference are given up by the batcher.
        """
        self.plan.source.request_stop()
        self._stopped.set()
        self._frames.close()

    def hurry(self) -> None:
        """Waits no longer for an inference or a sink that hangs, so that the other sinks can be finished."""
        self._inferred.close()
        for runner in self.sink_runners:
            runner.end()
