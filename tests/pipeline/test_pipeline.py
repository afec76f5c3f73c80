"""Pipelines of fake parts: order, accounting, stopping and errors, in every timing mode."""

import math
import signal
import threading

import pytest

from streamdet.errors import AccountingError, SinkError, SourceError
from streamdet.pipeline import accounting
from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.plan import StreamPlan
from streamdet.pipeline.timing_mode import TimingMode
from streamdet.sinks.base import WindowClosed
from tests.waiting import wait_until

from .fakes import CountingSource, FakeDetector, ListSink, SteppedSource

pytestmark = pytest.mark.timeout(30)


def run(*plans, detector=None, **kwargs):
    pipeline = Pipeline(plans, detector, **kwargs)
    pipeline.run()
    return pipeline


def balanced(pipeline):
    accounting.check_balance(pipeline.frame_counts())
    return {a.name: (a.received, a.passed, dict(a.dropped)) for a in pipeline.frame_counts()}


def test_every_frame_gets_its_own_detections_in_order():
    sink = ListSink()
    pipeline = run(StreamPlan(CountingSource(200), [sink]), detector=FakeDetector())
    assert [r.frame.index for r in sink.results] == list(range(200))
    assert [int(r.detections.boxes_xyxy[0, 0]) for r in sink.results] == list(range(200))
    assert all(r.detection_age_s == 0 for r in sink.results)
    assert balanced(pipeline) == {"cam": (200, 200, {}), "list": (200, 200, {})}


def test_a_source_runs_in_one_thread_and_sinks_open_and_close_once():
    source, sink = CountingSource(5), ListSink()
    run(StreamPlan(source, [sink]))
    assert len(source.threads) == 1
    assert source.closed >= 1
    assert (sink.opened, sink.closed) == (1, 1)


def test_a_slow_sink_slows_the_source_and_loses_nothing():
    gate = threading.Event()
    source, slow, fast = CountingSource(50), ListSink("slow", gate), ListSink("fast")
    pipeline = Pipeline([StreamPlan(source, [slow, fast])], FakeDetector())
    pipeline.start()
    wait_until(lambda: pipeline.streams[0].counts.received >= 8)  # it fills the queues, then waits
    assert pipeline.streams[0].counts.received < 20
    gate.set()
    pipeline.wait()
    assert len(slow.results) == len(fast.results) == 50


def test_live_mode_shows_every_frame_while_inference_hangs():
    gate = threading.Event()
    source, sink, detector = SteppedSource(30, live=True), ListSink(), FakeDetector(gate=gate)
    pipeline = Pipeline([StreamPlan(source, [sink], TimingMode.LIVE)], detector)
    pipeline.start()
    for number in range(30):
        source.step()
        wait_until(lambda shown=number + 1: len(sink.results) == shown)
    gate.set()
    pipeline.wait()
    assert balanced(pipeline)["cam"] == (30, 30, {})
    assert all(math.isinf(result.detection_age_s) for result in sink.results)
    assert detector.seen[-1] == 29  # the newest frame
    assert len(detector.seen) <= 2  # and the first, during which it hung


def test_live_mode_shows_detections_with_their_age():
    source, sink, detector = SteppedSource(6, live=True), ListSink(), FakeDetector(gate=threading.Event())
    pipeline = Pipeline([StreamPlan(source, [sink], TimingMode.LIVE)], detector)
    stream = pipeline.streams[0]
    pipeline.start()
    for number in range(6):
        if number == 2:
            detector.gate.set()  # frames 0 and 1 are shown, then the detector runs on both
            wait_until(lambda: stream.stats.infer_ms.count == 2)
        source.step()
        wait_until(lambda shown=number + 1: len(sink.results) == shown)
        if number >= 2:
            wait_until(lambda inferred=number + 1: stream.stats.infer_ms.count == inferred)
    pipeline.wait()
    ages = [round(10 * result.detection_age_s) for result in sink.results[2:]]
    lefts = [int(result.detections.boxes_xyxy[0, 0]) for result in sink.results[2:]]
    assert [index - left for index, left in zip(range(2, 6), lefts, strict=True)] == ages
    assert set(ages) <= {0, 1}  # detections of this frame, or of the one before


def test_a_slow_live_sink_loses_only_its_own_frames_which_are_counted():
    gate = threading.Event()
    slow, fast = ListSink("slow", gate), ListSink("fast")
    pipeline = Pipeline([StreamPlan(CountingSource(500, live=True), [slow, fast], TimingMode.LIVE)], None)
    pipeline.start()
    for thread in pipeline._threads:
        if thread.name.startswith(("capture", "render")):
            thread.join()
    gate.set()
    pipeline.wait()
    counted = balanced(pipeline)
    assert counted["slow"][2].get("queue_full", 0) + counted["slow"][1] == counted["slow"][0]
    assert len(slow.results) == counted["slow"][1] <= 66 + 1


@pytest.mark.parametrize("mode", TimingMode)
def test_stop_ends_everything_and_accounts_for_every_frame(mode):
    sink = ListSink()
    pipeline = Pipeline([StreamPlan(CountingSource(10**9), [sink], mode)], FakeDetector())
    pipeline.start()
    wait_until(lambda: sink.results)
    pipeline.stop()
    pipeline.stop()
    pipeline.wait()
    balanced(pipeline)
    assert sink.closed == 1


def test_stop_while_inference_hangs_drops_the_waiting_frames():
    gate = threading.Event()
    pipeline = Pipeline([StreamPlan(CountingSource(10**9), [ListSink()])], FakeDetector(gate=gate))
    pipeline.start()
    wait_until(lambda: pipeline.streams[0].counts.received >= 5)
    pipeline.stop()
    gate.set()
    pipeline.wait()
    assert balanced(pipeline)["cam"][2]["stopped"] >= 3


def test_the_error_of_a_source_is_raised_after_its_frames_are_written():
    sink = ListSink()
    pipeline = Pipeline([StreamPlan(CountingSource(100, fail_at=40), [sink])], FakeDetector())
    with pytest.raises(SourceError, match="camera is gone"):
        pipeline.run()
    assert len(sink.results) == 40
    assert sink.closed == 1
    balanced(pipeline)


def test_other_sources_continue_after_one_fails():
    sinks = [ListSink("a"), ListSink("b")]
    pipeline = Pipeline(
        [
            StreamPlan(CountingSource(100, "one", fail_at=3), [sinks[0]]),
            StreamPlan(CountingSource(100, "two"), [sinks[1]]),
        ],
        FakeDetector(),
    )
    with pytest.raises(SourceError):
        pipeline.run()
    assert [len(s.results) for s in sinks] == [3, 100]


def test_a_failing_sink_ends_the_run_and_closes_the_others():
    bad, good = ListSink("bad", fail_at=10), ListSink("good")
    pipeline = Pipeline([StreamPlan(CountingSource(10**9), [bad, good])], FakeDetector())
    with pytest.raises(SinkError, match="disk full"):
        pipeline.run()
    counted = balanced(pipeline)
    assert counted["bad"][2]["sink_failed"] == 1
    assert len(good.results) >= 10
    assert good.closed == bad.closed == 1


def test_a_failing_detector_ends_the_run():
    sink = ListSink()
    pipeline = Pipeline([StreamPlan(CountingSource(10**9), [sink])], FakeDetector(fail_at=7))
    with pytest.raises(RuntimeError, match="inference broke"):
        pipeline.run()
    assert [r.frame.index for r in sink.results] == list(range(7))
    balanced(pipeline)


def test_a_failing_stage_ends_the_run():
    def broken(result):
        raise ZeroDivisionError("mine")

    pipeline = Pipeline([StreamPlan(CountingSource(50), [ListSink()], stages=[broken])], FakeDetector())
    with pytest.raises(ZeroDivisionError):
        pipeline.run()
    balanced(pipeline)


def test_frames_dropped_by_a_stage_are_counted():
    sink = ListSink()
    odd = StreamPlan(CountingSource(10), [sink], stages=[lambda r: r if r.frame.index % 2 else None])
    pipeline = run(odd, detector=FakeDetector())
    assert [r.frame.index for r in sink.results] == [1, 3, 5, 7, 9]
    assert balanced(pipeline)["cam"] == (10, 5, {"stage": 5})


def test_streams_share_the_detector_in_batches_and_in_turns():
    gate = threading.Event()
    detector = FakeDetector(max_batch=4, gate=gate)
    sinks = [ListSink(f"s{i}") for i in range(4)]
    pipeline = Pipeline([StreamPlan(CountingSource(20, f"c{i}"), [sinks[i]]) for i in range(4)], detector)
    pipeline.start()
    wait_until(lambda: all(stream.counts.received >= 3 for stream in pipeline.streams))
    gate.set()
    pipeline.wait()
    assert all([r.frame.index for r in sink.results] == list(range(20)) for sink in sinks)
    assert max(detector.batches) == 4


def test_limits_stop_after_a_number_of_frames_or_seconds():
    few, brief = ListSink("few"), ListSink("brief")
    run(StreamPlan(CountingSource(100), [few], max_frames=7))
    run(StreamPlan(CountingSource(100), [brief], duration_s=1.5))
    assert (len(few.results), len(brief.results)) == (7, 15)


def test_nothing_is_drawn_unless_a_sink_needs_annotated_pictures():
    class CountingAnnotator:
        calls = 0

        def draw(self, picture, detections, *, time_s, status=None):
            CountingAnnotator.calls += 1
            picture.planes[0][:] = 255

    run(StreamPlan(CountingSource(3), [ListSink()], annotator=CountingAnnotator()))
    assert CountingAnnotator.calls == 0
    sink = ListSink(needs_annotated=True)
    run(StreamPlan(CountingSource(3), [sink], annotator=CountingAnnotator()))
    assert CountingAnnotator.calls == 3
    assert (sink.results[2].annotated.bgr() == 255).all()
    assert (sink.results[2].frame.picture.bgr() == 2).all()


def test_main_thread_sinks_run_in_the_calling_thread_and_may_end_the_run():
    class Window(ListSink):
        needs_main_thread = True

        def write(self, result):
            assert threading.current_thread() is threading.main_thread()
            if result.frame.index == 4:
                raise WindowClosed
            super().write(result)

    window = Window()
    pipeline = run(StreamPlan(CountingSource(10**9), [window]), detector=FakeDetector())
    assert len(window.results) == 4
    assert window.closed == 1
    balanced(pipeline)


def test_frames_without_account_are_an_error():
    counts = accounting.FrameCounts("cam")
    counts.count_received()
    with pytest.raises(AccountingError, match="cam: 1 in, 0 out"):
        accounting.check_balance([counts])


def test_repeated_runs_leave_no_threads():
    before = threading.active_count()
    for _ in range(20):
        run(StreamPlan(CountingSource(20), [ListSink()]), detector=FakeDetector())
    assert threading.active_count() == before


def test_a_live_sink_skips_results_older_than_its_limit_if_newer_ones_follow():
    gate = threading.Event()
    slow = ListSink("slow", gate)
    slow.max_lag_s = 0.0
    pipeline = Pipeline([StreamPlan(CountingSource(40, live=True), [slow], TimingMode.LIVE)], None)
    pipeline.start()
    for thread in pipeline._threads:
        if thread.name.startswith(("capture", "render")):
            thread.join()
    gate.set()
    pipeline.wait()
    received, written, dropped = balanced(pipeline)["slow"]
    assert written <= 2  # the one being written, and the newest
    assert dropped == {"late": received - written}


def test_a_silent_live_stream_ends_after_its_duration(monkeypatch):
    monkeypatch.setattr("streamdet.pipeline.stream._SILENCE_S", 0.02)

    class Silent(CountingSource):
        def frames(self):
            yield from super().frames()
            self.stopping.wait(20)

    sink = ListSink()
    pipeline = run(StreamPlan(Silent(3, live=True), [sink], TimingMode.LIVE, duration_s=0.5))
    assert [result.frame.index for result in sink.results] == [0, 1, 2]
    assert not pipeline.stopping


def test_a_window_handles_events_while_no_frames_arrive():
    class Window(ListSink):
        needs_main_thread = True

        def idle(self):
            assert threading.current_thread() is threading.main_thread()
            raise WindowClosed

    class Silent(CountingSource):
        def frames(self):
            yield from super().frames()
            self.stopping.wait(20)

    window, other = Window("window"), ListSink("other")
    run(StreamPlan(Silent(1, live=True), [window, other], TimingMode.LIVE))
    assert [len(window.results), len(other.results)] == [1, 1]
    assert window.closed == other.closed == 1


def test_ctrl_c_is_raised_after_everything_is_closed():
    sink = ListSink()
    pressed = []

    def press():
        if sink.results and not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)

    pipeline = Pipeline([StreamPlan(CountingSource(10**9), [sink])], FakeDetector())
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(press)
    assert pipeline.ended
    assert sink.closed == 1
    balanced(pipeline)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_error_of_a_progress_display_is_raised_after_everything_is_closed():
    sink = ListSink()

    def broken():
        raise BrokenPipeError("the reader is gone")

    pipeline = Pipeline([StreamPlan(CountingSource(10**9), [sink])], None)
    with pytest.raises(BrokenPipeError):
        pipeline.run(broken)
    assert pipeline.ended
    assert sink.closed == 1
