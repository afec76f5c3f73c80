"""The boxes of frames that the detector does not run on: the rate limit and the gate, in every-frame and live mode."""

import math
import threading

import numpy as np
import pytest

from streamdet.pipeline import accounting
from streamdet.pipeline.admission import DetectOptions
from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.plan import StreamPlan
from streamdet.pipeline.timing_mode import TimingMode
from streamdet.tracking.tracker import ByteTracker
from streamdet.tracking.tracker_options import TrackerOptions
from tests.waiting import wait_until

from .fakes import (
    CountingSource,
    FakeDetector,
    ListSink,
    ScriptedGate,
    SteppedSource,
    nothing_is_queued,
    run_plan,
)

pytestmark = pytest.mark.timeout(60)


def test_with_a_rate_limit_every_frame_is_shown_and_some_are_inferred():
    sink = ListSink()
    plan = StreamPlan(CountingSource(100), [sink], detect=DetectOptions(max_hz=2))  # of 10 frames per second
    done = run_plan(plan)
    assert (done.captured, done.shown, done.inferred, done.not_inferred) == (100, 100, 20, {"rate": 80})
    assert done.video_s == pytest.approx(10.0)
    assert done.inferred / done.video_s == pytest.approx(2.0), "per second of video, not of the clock"
    assert [r.frame.index for r in sink.results] == list(range(100))
    for result in sink.results:
        index = result.frame.index
        assert int(result.detections.boxes_xyxy[0, 0]) == 5 * (index // 5)  # kept: there is no tracker
        assert result.detection_age_s == pytest.approx(index % 5 / 10)


def test_unchanged_frames_reuse_the_last_detections():
    sink, gate = ListSink(), ScriptedGate(open_at=[0, 1, 60])
    plan = StreamPlan(CountingSource(100), [sink], detect=DetectOptions(gate=True), gate=gate)
    done = run_plan(plan)
    assert (done.inferred, done.not_inferred) == (3, {"still": 97})
    lefts = [int(r.detections.boxes_xyxy[0, 0]) for r in sink.results]
    assert lefts == [0] + 59 * [1] + 40 * [60]  # for 5.9 s: longer than boxes are kept without the gate
    assert sink.results[59].detection_age_s == pytest.approx(5.8)


def test_a_track_survives_unchanged_frames():
    class Same(FakeDetector):
        def _one(self, picture):
            found = super()._one(picture)
            found.detections.boxes_xyxy[:] = [1, 1, 5, 5]
            return found

    sink, gate = ListSink(), ScriptedGate(open_at=[0, 1, 99])
    tracker = ByteTracker(TrackerOptions())
    plan = StreamPlan(CountingSource(100), [sink], tracker=tracker, detect=DetectOptions(gate=True), gate=gate)
    run_plan(plan, Same())
    ids = {tuple(r.detections.track_ids.tolist()) for r in sink.results}
    assert len(ids) == 1
    np.testing.assert_allclose(sink.results[-2].detections.boxes_xyxy, [[1, 1, 5, 5]], atol=0.1)


def test_unchanged_live_frames_reuse_the_last_detections():
    source, sink, detector = SteppedSource(40, live=True), ListSink(), FakeDetector()
    plan = StreamPlan(
        source, [sink], TimingMode.LIVE, detect=DetectOptions(gate=True), gate=ScriptedGate(open_at=[0, 1, 30])
    )
    pipeline = Pipeline([plan], detector)
    stream = pipeline.streams[0]
    pipeline.start()
    for number in range(40):
        source.step()
        wait_until(lambda shown=number + 1: len(sink.results) == shown)
        inferred = 1 + (number >= 1) + (number >= 30)
        wait_until(lambda inferred=inferred: stream.stats.infer_ms.count == inferred)
    pipeline.wait()
    accounting.check_balance(pipeline.frame_counts())
    assert detector.seen == [0, 1, 30]
    lefts = [r.detections.boxes_xyxy[:, 0].tolist() for r in sink.results]
    assert lefts[2:30] == 28 * [[1]]  # a frame may be shown before its detections arrive
    assert lefts[31:] == 9 * [[30]]


def test_unchanged_live_frames_do_not_reuse_detections_older_than_the_last_change():
    """The frame that opened the gate is still under inference: earlier detections are outdated."""
    source, sink, gate = SteppedSource(10, live=True), ListSink(), threading.Event()
    detector = FakeDetector(gate=gate)
    plan = StreamPlan(
        source, [sink], TimingMode.LIVE, detect=DetectOptions(gate=True), gate=ScriptedGate(open_at=[0, 3])
    )
    pipeline = Pipeline([plan], detector)
    pipeline.start()
    for number in range(9):
        source.step()
        wait_until(lambda shown=number + 1: len(sink.results) == shown)
    assert all(math.isinf(r.detection_age_s) for r in sink.results)
    gate.set()
    wait_until(lambda: pipeline.streams[0].stats.infer_ms.count == 2)
    source.step()
    pipeline.wait()
    accounting.check_balance(pipeline.frame_counts())
    assert int(sink.results[-1].detections.boxes_xyxy[0, 0]) == 3
    assert sink.results[-1].detection_age_s == pytest.approx(0.6)


def test_detections_of_a_dropped_frame_are_reused():
    resume = threading.Event()
    blocking = lambda result: resume.wait(20) and result  # noqa: E731
    source, sink, detector = SteppedSource(100, live=True), ListSink(), FakeDetector()
    admitted = [0, *range(10, 40)]  # more than the queue to the render thread holds
    gate = ScriptedGate(open_at=admitted)
    plan = StreamPlan(source, [sink], TimingMode.LIVE, stages=[blocking], detect=DetectOptions(gate=True), gate=gate)
    pipeline = Pipeline([plan], detector)
    stream = pipeline.streams[0]
    pipeline.start()
    for number in range(90):
        source.step()
        inferred = sum(index <= number for index in admitted)
        wait_until(lambda inferred=inferred: stream.stats.infer_ms.count == inferred)
        wait_until(lambda captured=number + 1: stream.counts.received == captured)
    wait_until(lambda: stream.counts.dropped.total() > 60)
    resume.set()
    for _ in range(10):
        source.step()
    pipeline.wait()
    accounting.check_balance(pipeline.frame_counts())
    shown = {result.frame.index: result for result in sink.results}
    assert 39 not in shown
    assert shown[99].detections.boxes_xyxy[:, 0].tolist() == [39]
    assert shown[99].detection_age_s == pytest.approx(6.0)  # no mover keeps boxes for that long; the gate does


def test_dropped_frames_leave_nothing_behind():
    resume = threading.Event()
    slow = lambda result: resume.wait(20) and result  # noqa: E731
    plan = StreamPlan(
        CountingSource(2000, live=True), [], TimingMode.LIVE, stages=[slow], detect=DetectOptions(max_hz=0.001)
    )
    pipeline = Pipeline([plan], FakeDetector())
    pipeline.start()
    wait_until(lambda: pipeline.streams[0].counts.dropped["queue_full"] > 100)
    resume.set()
    pipeline.wait()
    accounting.check_balance(pipeline.frame_counts())
    assert nothing_is_queued(pipeline.streams[0])
