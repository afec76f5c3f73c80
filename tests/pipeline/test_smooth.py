"""Smooth mode: every frame is shown after the stated delay, and none is lost."""

import threading
import time

import numpy as np
import pytest

from streamdet.pipeline import accounting
from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.plan import StreamPlan
from streamdet.pipeline.report import report
from streamdet.pipeline.timing_mode import TimingMode
from streamdet.types import Detections
from tests.waiting import wait_until

from .fakes import CountingSource, FakeDetector, ListSink, SteppedSource

pytestmark = pytest.mark.timeout(30)


class TimedSink(ListSink):
    """Remembers the age of each result."""

    def __init__(self, *args, pause_s=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.ages_s, self.pause_s = [], pause_s

    def write(self, result):
        time.sleep(self.pause_s)
        self.ages_s.append((time.monotonic_ns() - result.frame.captured_ns) / 1e9)
        super().write(result)


class PacedSource(CountingSource):
    """Delivers a frame every `period_s`."""

    def __init__(self, count, period_s, **kwargs):
        super().__init__(count, live=True, **kwargs)
        self.period_s = period_s

    def frames(self):
        for frame in super().frames():
            yield frame
            time.sleep(self.period_s)


class FakeMover:
    """Checks the order of the calls and shows no boxes."""

    def __init__(self):
        self.observed, self.updated, self.shown = [], [], []

    def observe(self, picture, time_s):
        assert not self.observed or time_s > self.observed[-1]
        self.observed.append(time_s)

    def update(self, detections, time_s):
        assert time_s in self.observed
        assert not self.updated or time_s > self.updated[-1]
        self.updated.append(time_s)

    def camera_motion(self, start_s, end_s):
        return np.eye(2, 3)

    def show(self, time_s):
        assert time_s in self.observed
        assert not self.shown or time_s > self.shown[-1]
        self.shown.append(time_s)
        return Detections.empty()


def smooth(source, sink, delay_s, mover=None, detector=None, **kwargs):
    plan = StreamPlan(source, [sink], TimingMode.SMOOTH, mover=mover, delay_s=delay_s)
    return Pipeline([plan], detector or FakeDetector(), **kwargs)


def test_every_frame_is_shown_once_in_order_after_the_stated_delay():
    sink, mover = TimedSink(), FakeMover()
    pipeline = smooth(PacedSource(30, 0.01), sink, 0.25, mover)
    pipeline.run()
    assert [result.frame.index for result in sink.results] == list(range(30))
    assert min(sink.ages_s) >= 0.25
    assert np.median(sink.ages_s) < 0.35
    assert mover.shown == mover.observed
    counted = {a.name: (a.received, a.passed, dict(a.dropped)) for a in pipeline.frame_counts()}
    assert counted == {"cam": (30, 30, {}), "list": (30, 30, {})}


def test_detections_arrive_before_their_delayed_frames_are_shown():
    sink, mover = ListSink(), FakeMover()
    pipeline = smooth(PacedSource(20, 0.01), sink, 0.3, mover)
    pipeline.run()
    (stream,) = report(pipeline).streams
    assert stream.delay_s == 0.3
    assert stream.mode == "smooth"
    assert (
        stream.interpolated == stream.shown == 20
    )  # the detector is fast: even the last frame's own detections have arrived
    assert all(result.detection_age_s <= 0.5 for result in sink.results)  # frames are 0.1 s apart in presentation time


def test_without_a_mover_the_last_boxes_are_kept():
    sink = ListSink()
    smooth(PacedSource(10, 0.01), sink, 0.1).run()
    assert len(sink.results) == 10
    assert all(len(result.detections) == 1 for result in sink.results)


def test_late_detections_do_not_delay_frames_further():
    gate, sink = threading.Event(), TimedSink()
    pipeline = smooth(PacedSource(20, 0.01), sink, 0.1, FakeMover(), FakeDetector(gate=gate))
    pipeline.start()
    wait_until(lambda: len(sink.results) == 20)
    gate.set()
    pipeline.wait()
    assert max(sink.ages_s) < 5
    (stream,) = report(pipeline).streams
    assert stream.interpolated == 0
    accounting.check_balance(pipeline.frame_counts())


def test_a_stop_shows_delayed_frames_at_once_and_a_slow_sink_loses_none():
    source, sink = SteppedSource(10**6, live=True), TimedSink(pause_s=0.01)
    pipeline = smooth(source, sink, 60.0, FakeMover())
    pipeline.start()
    counts = pipeline.streams[0].counts
    for _ in range(100):  # more than the queue of a sink holds
        source.step()
        wait_until(lambda seen=counts.received: counts.received > seen or counts.received >= 100)
        time.sleep(0.001)
    wait_until(lambda: counts.received == 100)
    wait_until(lambda: len(pipeline.streams[0]._frames) == 0)
    assert sink.results == []
    start = time.monotonic()
    pipeline.stop()
    source.step()
    pipeline.wait()
    assert time.monotonic() - start < 20
    assert [result.frame.index for result in sink.results] == list(
        range(counts.received - sum(counts.dropped.values()))
    )
    assert counts.passed == len(sink.results) >= 100
    (stream,) = report(pipeline).streams
    assert stream.fps > 1, "the delay that the stop cut short does not lower the rate"
    assert not pipeline.streams[0].sink_runners[0].counts.dropped


def test_a_stop_does_not_wait_for_a_hanging_sink():
    gate = threading.Event()
    source, sink = PacedSource(10**6, 0.001), ListSink(gate=gate)
    pipeline = smooth(source, sink, 0.05, FakeMover(), stop_timeout_s=1.0)
    pipeline.start()
    wait_until(lambda: pipeline.streams[0].counts.passed > 100)
    threading.Timer(0.8, gate.set).start()
    pipeline.stop()
    pipeline.wait()
    accounting.check_balance(pipeline.frame_counts())


@pytest.mark.parametrize("fails_in", ["observe", "update", "show"])
def test_a_failing_mover_ends_the_run_and_every_frame_is_accounted_for(fails_in):
    class Failing(FakeMover):
        def fail(self, *args):
            if len(self.observed) > 5 or fails_in == "update":
                raise ZeroDivisionError("moved into a wall")
            return FakeMover.__dict__[fails_in](self, *args)

    mover = Failing()
    setattr(mover, fails_in, mover.fail)
    pipeline = smooth(PacedSource(200, 0.002), ListSink(), 0.05, mover)
    pipeline.start()
    with pytest.raises(ZeroDivisionError, match="wall"):
        pipeline.wait()
    wait_until(lambda: pipeline.ended)
    accounting.check_balance(pipeline.frame_counts())


@pytest.mark.parametrize(
    ("modes", "share"), [([TimingMode.SMOOTH], 1), ([TimingMode.SMOOTH, TimingMode.LIVE, TimingMode.SMOOTH], 2)]
)
def test_smooth_streams_share_the_memory_and_each_warns_once_when_it_is_full(monkeypatch, caplog, modes, share):
    monkeypatch.setattr("streamdet.pipeline.pipeline.DELAY_BUFFER_BYTES", 20 * 144)
    plans = [
        StreamPlan(PacedSource(60, 0.005, name=f"cam{k}"), [ListSink(f"{k}")], mode, mover=FakeMover(), delay_s=0.5)
        for k, mode in enumerate(modes)
    ]
    pipeline = Pipeline(plans, FakeDetector())
    pipeline.run()
    logged = [record.getMessage() for record in caplog.records]
    for stream in report(pipeline).streams:
        assert (stream.shown_early > 0) == (stream.mode == "smooth")
        assert (
            stream.mode == "live" or 0 <= stream.shown - stream.shown_early <= 20 // share + 1
        )  # the last frames wait for the delay
        warnings = [line for line in logged if line.startswith(f"{stream.name}: frames are shown 0.")]
        assert len(warnings) == (stream.mode == "smooth")
    assert len(logged) == share
    assert all("instead of 0.5 s: the delay buffer is full (0 MiB)" in line for line in logged)
