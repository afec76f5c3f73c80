"""Which frames are inferred, in which turn, and which boxes the others get."""

import math
import threading
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.errors import ConfigError
from streamdet.picture import Picture
from streamdet.pipeline import accounting
from streamdet.pipeline.admission import Admission, DetectOptions
from streamdet.pipeline.batcher import Batcher
from streamdet.pipeline.captured_frame import Verdict
from streamdet.pipeline.niceness import lower_priority, run_at_niceness
from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.plan import StreamPlan
from streamdet.pipeline.region import crop, in_picture
from streamdet.pipeline.report import report
from streamdet.pipeline.timing_mode import TimingMode
from streamdet.tracking.tracker import ByteTracker
from streamdet.tracking.tracker_options import TrackerOptions
from streamdet.types import Detections, Frame
from tests.waiting import wait_until

from .fakes import CountingSource, FakeDetector, ListSink, SteppedSource, nothing_is_queued

pytestmark = pytest.mark.timeout(60)


def frame_at(pts, time_base=Fraction(1, 1000), index=0):
    return Frame(Picture.from_bgr(np.zeros((6, 8, 3), np.uint8)), "cam", index, pts, time_base, 0)


class Scripted:
    """A gate that admits the frames with the given numbers."""

    def __init__(self, open_at=(), redetect=math.inf):
        self.open_at, self.seen = set(open_at), []

    def admit(self, picture, time_s):
        self.seen.append((picture.width, picture.height))
        return len(self.seen) - 1 in self.open_at


# Rates


@given(
    st.floats(0.2, 40),
    st.lists(st.integers(1, 200), min_size=2, max_size=400),
)
def test_the_rate_is_never_exceeded_and_nearly_reached(max_hz, steps_ms):
    admission = Admission(DetectOptions(max_hz=max_hz))
    times_ms = np.cumsum(steps_ms)
    taken = [t for t in times_ms.tolist() if admission.admit(frame_at(t)).verdict is Verdict.INFER]
    interval_ms = 1000 / max_hz
    for first in range(len(taken)):  # in any stretch of time
        span_ms = taken[-1] - taken[first]
        assert len(taken) - first <= span_ms / interval_ms + 2 + 1e-6
    gaps = np.diff(taken)
    assert not len(gaps) or gaps.max() < 2 * interval_ms + 2 * max(steps_ms)


def test_a_rate_that_does_not_divide_the_frame_rate_is_kept_on_average():
    admission = Admission(DetectOptions(max_hz=7))
    verdicts = Counter(admission.admit(frame_at(n, Fraction(1, 30))).verdict for n in range(3000))
    assert verdicts[Verdict.INFER] == pytest.approx(700, abs=1)
    assert verdicts[Verdict.TOO_SOON] == 3000 - verdicts[Verdict.INFER]


@pytest.mark.parametrize(
    "options", [{"max_hz": math.inf}, {"priority": -1}, {"redetect_s": 0}, {"region": (0.5, 0, 0.5, 1)}]
)
def test_impossible_options_are_errors(options):
    with pytest.raises(ConfigError):
        DetectOptions(**options)


# Turns


def serve(batcher, rounds, arrive):
    """Puts frames of some streams and takes one batch, in each round; returns how often each stream was served."""
    served = Counter()
    for number in range(rounds):
        for name in arrive(number):
            batcher.put(name, frame_at(number))
        served.update(name for name, _ in batcher.take())
    return served


def test_busy_streams_get_equal_turns():
    names = [f"cam{n}" for n in range(4)]
    served = serve(Batcher(1, dict.fromkeys(names, True)), 400, lambda _: names)
    assert set(served.values()) == {100}


@given(st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0, 8.0]), min_size=1, max_size=6))
def test_turns_follow_priorities(priorities):
    shares = {f"cam{n}": p for n, p in enumerate(priorities)}
    served = serve(Batcher(1, dict.fromkeys(shares, True), shares), 600, lambda _: list(shares))
    for name, share in shares.items():
        assert served[name] == pytest.approx(600 * share / sum(priorities), abs=len(priorities) + 1)


def test_a_stream_gets_no_extra_turns_after_a_silence():
    batcher = Batcher(1, {"steady": True, "silent": True})
    serve(batcher, 500, lambda _: ["steady"])
    served = serve(batcher, 20, lambda _: ["steady", "silent"])
    assert served["silent"] == pytest.approx(10, abs=1)


def test_a_stream_keeps_its_turn_when_its_frame_is_replaced():
    """A stream whose waiting frame is replaced repeatedly is still the next one."""
    batcher = Batcher(1, {"slow": True, "quick": True})
    for number in range(50):
        batcher.put("quick", frame_at(number))
        batcher.put("slow", frame_at(number))
    order = []
    for number in range(50, 60):
        batcher.put("quick", frame_at(number))
        batcher.put("slow", frame_at(number))
        order += [name for name, _ in batcher.take()]
    assert Counter(order) == {"slow": 5, "quick": 5}


def test_a_batch_waits_a_limited_time_for_other_streams():
    batcher = Batcher(2, {"a": True, "b": True}, wait_s=60)
    taken = []
    taker = threading.Thread(target=lambda: taken.append(batcher.take()))
    batcher.put("a", frame_at(1))
    taker.start()
    batcher.put("b", frame_at(2))
    taker.join(20)
    assert sorted(name for name, _ in taken[0]) == ["a", "b"]
    quick = Batcher(2, {"a": True, "b": True}, wait_s=0.001)
    quick.put("a", frame_at(1))
    assert [name for name, _ in quick.take()] == ["a"]


@pytest.mark.parametrize("end", [lambda b: b.close("b"), lambda b: b.abort()], ids=["close", "abort"])
def test_a_batch_does_not_wait_for_streams_that_have_ended(end):
    batcher = Batcher(2, {"a": True, "b": True}, wait_s=60)
    batcher.put("a", frame_at(1))
    ended = []

    def take():
        try:
            batcher.take()
        except Exception as error:
            ended.append(error)

    taker = threading.Thread(target=take)
    taker.start()
    end(batcher)
    taker.join(20)
    assert not taker.is_alive()


# The boxes of frames that are not inferred


def run(plan, detector=None):
    pipeline = Pipeline([plan], detector or FakeDetector())
    pipeline.run()
    accounting.check_balance(pipeline.frame_counts())
    return report(pipeline).streams[0]


def test_with_a_rate_limit_every_frame_is_shown_and_some_are_inferred():
    sink = ListSink()
    plan = StreamPlan(CountingSource(100), [sink], detect=DetectOptions(max_hz=2))  # of 10 frames per second
    done = run(plan)
    assert (done.captured, done.shown, done.inferred, done.not_inferred) == (100, 100, 20, {"rate": 80})
    assert done.video_s == pytest.approx(10.0)
    assert done.inferred / done.video_s == pytest.approx(2.0), "per second of video, not of the clock"
    assert [r.frame.index for r in sink.results] == list(range(100))
    for result in sink.results:
        index = result.frame.index
        assert int(result.detections.boxes_xyxy[0, 0]) == 5 * (index // 5)  # kept: there is no tracker
        assert result.detection_age_s == pytest.approx(index % 5 / 10)


def test_unchanged_frames_reuse_the_last_detections():
    sink, gate = ListSink(), Scripted(open_at=[0, 1, 60])
    plan = StreamPlan(CountingSource(100), [sink], detect=DetectOptions(gate=True), gate=gate)
    done = run(plan)
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

    sink, gate = ListSink(), Scripted(open_at=[0, 1, 99])
    tracker = ByteTracker(TrackerOptions())
    plan = StreamPlan(CountingSource(100), [sink], tracker=tracker, detect=DetectOptions(gate=True), gate=gate)
    run(plan, Same())
    ids = {tuple(r.detections.track_ids.tolist()) for r in sink.results}
    assert len(ids) == 1
    np.testing.assert_allclose(sink.results[-2].detections.boxes_xyxy, [[1, 1, 5, 5]], atol=0.1)


def test_unchanged_live_frames_reuse_the_last_detections():
    source, sink, detector = SteppedSource(40, live=True), ListSink(), FakeDetector()
    plan = StreamPlan(
        source, [sink], TimingMode.LIVE, detect=DetectOptions(gate=True), gate=Scripted(open_at=[0, 1, 30])
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
    assert lefts[2:30] == 28 * [[1]]  # inferred frames may have been shown before their detections arrived
    assert lefts[31:] == 9 * [[30]]


def test_unchanged_live_frames_do_not_reuse_detections_older_than_the_last_change():
    """The frame that opened the gate is still under inference: earlier detections are outdated."""
    source, sink, gate = SteppedSource(10, live=True), ListSink(), threading.Event()
    detector = FakeDetector(gate=gate)
    plan = StreamPlan(source, [sink], TimingMode.LIVE, detect=DetectOptions(gate=True), gate=Scripted(open_at=[0, 3]))
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
    gate = Scripted(open_at=admitted)
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


# Regions


class FullPictureDetector(FakeDetector):
    """Detects one object that fills the picture, and remembers the sizes of the pictures."""

    def _one(self, picture):
        self.sizes = getattr(self, "sizes", set()) | {(picture.width, picture.height)}
        found = super()._one(picture)
        found.detections.boxes_xyxy[:] = [0, 0, picture.width, picture.height]
        return found


@pytest.mark.parametrize("mode", TimingMode)
def test_the_detector_gets_the_region_only_and_boxes_are_in_the_frame(mode):
    detector, sink = FullPictureDetector(), ListSink()
    detect = DetectOptions(region=(0.25, 0.5, 1, 1))
    gate = Scripted(open_at=range(20))
    source = SteppedSource(20, live=mode is TimingMode.LIVE)  # pictures of 8 x 6
    pipeline = Pipeline([StreamPlan(source, [sink], mode, detect=detect, gate=gate)], detector)
    pipeline.start()
    for number in range(20):
        source.step()
        wait_until(lambda count=number + 1: pipeline.streams[0].stats.infer_ms.count == count)
    pipeline.wait()
    assert detector.sizes == {(6, 4)}  # 8 x 0.25 = 2 to 8; 6 x 0.5 = 3, on an even row: 2 to 6
    boxes = [r.detections.boxes_xyxy.tolist() for r in sink.results if len(r.detections)]
    assert boxes
    assert all(box == [[2, 2, 8, 6]] for box in boxes)


def test_the_gate_sees_the_region_only():
    gate = Scripted(open_at=range(5))
    detect = DetectOptions(region=(0, 0, 0.5, 1), gate=True)
    run(StreamPlan(CountingSource(5), [ListSink()], detect=detect, gate=gate))
    assert set(gate.seen) == {(4, 6)}


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_crop_covers_the_requested_region(width, height, horizontal, vertical):
    (left, right), (top, bottom) = sorted(horizontal), sorted(vertical)
    if left == right or top == bottom:
        return
    picture = Picture.from_bgr(np.zeros((height, width, 3), np.uint8))
    part, (x, y) = crop(picture, (left, top, right, bottom))
    assert x % 2 == y % 2 == 0
    assert x <= left * width
    assert y <= top * height
    assert right * width - 1e-4 <= x + part.width <= width
    assert bottom * height - 1e-4 <= y + part.height <= height


def test_boxes_of_a_region_are_moved_to_the_picture():
    found = Detections(np.array([[1, 2, 3, 4]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int32))
    assert in_picture(found, (10, 20)).boxes_xyxy.tolist() == [[11, 22, 13, 24]]
    assert in_picture(found, (10, 20)).boxes_xyxy.dtype == np.float32
    assert in_picture(found, (0, 0)) is found


# Niceness


def test_run_at_niceness_returns_the_result_or_raises_the_error():
    assert run_at_niceness(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        run_at_niceness(5, lambda: 1 / 0)
    assert lower_priority(0) is False


@pytest.mark.skipif("sys.platform != 'linux'")
def test_only_the_new_thread_has_the_niceness():
    import os

    def niceness():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = niceness()
    assert run_at_niceness(3, niceness) == max(before, 3)
    assert niceness() == before


@pytest.mark.skipif("sys.platform != 'linux'")
@pytest.mark.parametrize(
    ("live", "mode", "lowered"),
    [(False, TimingMode.EVERY_FRAME, True), (True, TimingMode.EVERY_FRAME, False), (True, TimingMode.LIVE, False)],
)
def test_capture_and_rendering_of_files_have_a_lower_priority_than_inference_and_encoding(live, mode, lowered):
    import os

    nice = {}

    def record_niceness(what):
        nice[what] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    class Source(CountingSource):
        def open(self):
            record_niceness("capture")
            return super().open()

    class Noting(FakeDetector):
        def detect(self, pictures):
            record_niceness("infer")
            return super().detect(pictures)

    class NotingSink(ListSink):
        def write(self, result):
            record_niceness("sink")
            super().write(result)

    def stage(result):
        record_niceness("render")
        return result

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    plan = StreamPlan(Source(5, live=live), [NotingSink()], mode=mode, stages=[stage])
    Pipeline([plan], Noting()).run()
    upstream = before if not lowered else max(before, 10)
    assert nice == {"capture": upstream, "render": upstream, "infer": before, "sink": before}
