"""Random pipelines with failures at random places: they end, account for every frame, and leave nothing behind."""

import contextlib
import os
import random
import threading
import time

import psutil
import pytest

import streamdet
from streamdet.errors import SinkError, SourceError, StreamdetError
from streamdet.pipeline import accounting
from streamdet.pipeline.admission import DetectOptions
from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.plan import StreamPlan
from streamdet.pipeline.timing_mode import TimingMode
from tests.sources.clips import encode
from tests.waiting import wait_until

from .fakes import CountingSource, FakeDetector, ListSink, nothing_is_queued

pytestmark = pytest.mark.timeout(120)


class Injected:
    """Decides at random where a run fails, and keeps the errors that it raised."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.raised = []

    def at(self, chance):
        """Returns the index of a frame to fail at, or None."""
        return self.random.randrange(30) if self.random.random() < chance else None

    def now(self, chance, error):
        if self.random.random() < chance:
            self.fail(error)

    def fail(self, error):
        self.raised.append(error)
        raise error


class ShakySource(CountingSource):
    def __init__(self, name, live, injected):
        super().__init__(injected.random.choice([0, 1, 30, 10**9]), name, live)
        self.injected, self.breaks_at = injected, injected.at(0.3)
        self.open_fails, self.close_fails = injected.at(0.1), injected.at(0.1)

    def open(self):
        if self.open_fails is not None:
            self.injected.fail(SourceError("cannot open"))
        return super().open()

    def frames(self):
        for frame in super().frames():
            if frame.index == self.breaks_at:
                self.injected.fail(SourceError("gone"))
            if self.live:
                self.stopping.wait(0.0005)
            yield frame

    def close(self):
        super().close()
        if self.close_fails is not None and self.closed == 1:
            self.injected.fail(RuntimeError("close broke"))


class ShakySink(ListSink):
    def __init__(self, name, injected):
        super().__init__(name, needs_annotated=injected.random.random() < 0.5)
        self.injected, self.breaks_at = injected, injected.at(0.2)
        self.open_fails, self.close_fails = injected.at(0.1), injected.at(0.15)
        self.pause_s = injected.random.choice([0, 0, 0.002])
        self.threads = set()

    def open(self, info):
        self.threads.add(threading.get_ident())
        super().open(info)
        if self.open_fails is not None:
            self.injected.fail(SinkError("cannot open"))

    def write(self, result):
        self.threads.add(threading.get_ident())
        time.sleep(self.pause_s)
        if result.frame.index == self.breaks_at:
            self.injected.fail(SinkError("disk full"))
        super().write(result)

    def close(self):
        self.threads.add(threading.get_ident())
        super().close()
        if self.close_fails is not None:
            self.injected.fail(SinkError("cannot finish"))


class ShakyDetector(FakeDetector):
    def __init__(self, injected):
        super().__init__(max_batch=injected.random.choice([1, 4]))
        self.injected, self.breaks_at = injected, injected.at(0.15)
        self.pause_s = injected.random.choice([0, 0.003])

    def detect(self, pictures):
        time.sleep(self.pause_s)
        if self.breaks_at is not None and len(self.seen) >= self.breaks_at:
            self.injected.fail(RuntimeError("inference broke"))
        return super().detect(pictures)


DETECT_OPTIONS = [DetectOptions(), DetectOptions(max_hz=3), DetectOptions(gate=True, region=(0, 0, 0.5, 1))]


class ShakyGate:
    def __init__(self, injected):
        self.random = random.Random(injected.random.random())

    def admit(self, picture, time_s):
        return self.random.random() < 0.5


def shaky_stage(injected):
    breaks_at, drops = injected.at(0.1), injected.random.choice([0, 7])

    def stage(result):
        if result.frame.index == breaks_at:
            injected.fail(ZeroDivisionError("stage broke"))
        return None if drops and result.frame.index % drops == 1 else result

    return stage


@pytest.mark.parametrize("seed", range(60))
def test_random_failures_end_in_order(seed):
    injected = Injected(seed)
    draw = injected.random
    plans = []
    for number in range(draw.randint(1, 3)):
        mode = draw.choice(list(TimingMode))
        source = ShakySource(f"cam{number}", mode is TimingMode.LIVE, injected)
        sinks = [ShakySink(f"sink{number}.{k}", injected) for k in range(draw.randint(0, 3))]
        detect = draw.choice(DETECT_OPTIONS)
        plan = StreamPlan(source, sinks, mode, stages=[shaky_stage(injected)], detect=detect, gate=ShakyGate(injected))
        plans.append(plan)
    detector = ShakyDetector(injected) if draw.random() < 0.8 else None
    pipeline = Pipeline(plans, detector, stop_timeout_s=20)
    stopper = threading.Timer(draw.choice([0, 0.01, 0.05, 0.2]), pipeline.stop)

    pipeline.start()
    stopper.start()
    try:
        pipeline.wait()
        error = None
    except Exception as caught:
        error = caught
    stopper.join()

    assert pipeline.ended
    accounting.check_balance(pipeline.frame_counts())
    assert all(nothing_is_queued(stream) for stream in pipeline.streams)
    if error is not None:
        assert error in injected.raised
    elif injected.raised:  # an error of a source after the stop is not a failure
        assert all(isinstance(raised, SourceError) for raised in injected.raised)
    for plan in plans:
        assert plan.source.closed >= 1
        assert len(plan.source.threads) == 1
        for sink in plan.sinks:
            assert sink.opened <= 1
            assert sink.closed >= 1
            assert len(sink.threads) == 1
            indices = [result.frame.index for result in sink.results]
            assert indices == sorted(set(indices))


class HangingSource(CountingSource):
    """Delivers some frames, then hangs as in a library call until `release` is set."""

    def __init__(self, count, release, name="cam"):
        super().__init__(10**9, name, live=True)
        self.good, self.release = count, release

    def frames(self):
        for frame in super().frames():
            if frame.index == self.good:
                self.release.wait(60)
            yield frame


@pytest.mark.parametrize("mode", TimingMode)
def test_outputs_are_finished_although_a_source_hangs(mode):
    release, sink = threading.Event(), ListSink()
    pipeline = Pipeline([StreamPlan(HangingSource(5, release), [sink], mode)], FakeDetector(), stop_timeout_s=0.5)
    pipeline.start()
    wait_until(lambda: len(sink.results) >= 5)
    pipeline.stop()
    with pytest.raises(StreamdetError, match="capture:cam"):
        pipeline.wait()
    assert sink.closed == 1
    release.set()


def test_abandon_busy_ends_without_a_hanging_source():
    release, sink = threading.Event(), ListSink()
    pipeline = Pipeline([StreamPlan(HangingSource(5, release), [sink], TimingMode.LIVE)], None, abandon_busy=True)
    pipeline.start()
    wait_until(lambda: len(sink.results) >= 5)
    pipeline.stop()
    pipeline.wait()
    assert sink.closed == 1
    release.set()


def test_other_sinks_are_finished_although_one_hangs():
    gate, good = threading.Event(), ListSink("good")
    pipeline = Pipeline([StreamPlan(CountingSource(10**9), [ListSink("bad", gate), good])], None, stop_timeout_s=1)
    pipeline.start()
    wait_until(lambda: good.results)
    pipeline.stop()
    with pytest.raises(StreamdetError, match="sink:cam:bad"):
        pipeline.wait()
    assert good.closed == 1
    gate.set()


@pytest.mark.parametrize("abandon_busy", [False, True], ids=["waits", "abandons"])
def test_outputs_are_finished_although_inference_hangs(abandon_busy):
    gate, entered, sink = threading.Event(), threading.Event(), ListSink()

    class Hanging(FakeDetector):
        def detect(self, pictures):
            entered.set()
            return super().detect(pictures)

    pipeline = Pipeline(
        [StreamPlan(CountingSource(10**9), [sink])],
        Hanging(gate=gate),
        1 if not abandon_busy else 20,
        abandon_busy,
    )
    pipeline.start()
    assert entered.wait(20)
    pipeline.stop()
    with contextlib.nullcontext() if abandon_busy else pytest.raises(StreamdetError, match="infer"):
        pipeline.wait()
    assert sink.closed == 1
    accounting.check_balance(pipeline.frame_counts())
    gate.set()


@pytest.mark.parametrize("fault", ["hangs", "fails"])
def test_other_sources_continue_while_one_hangs_or_fails(fault):
    release, seen, other = threading.Event(), ListSink("seen"), ListSink("other")
    bad = HangingSource(3, release, "bad") if fault == "hangs" else CountingSource(10, "bad", live=True, fail_at=3)
    good = CountingSource(10**9, "good")
    detector = FakeDetector(max_batch=4)
    pipeline = Pipeline([StreamPlan(bad, [other], TimingMode.LIVE), StreamPlan(good, [seen])], detector)
    pipeline.start()
    wait_until(lambda: len(seen.results) >= 300)
    pipeline.stop()
    release.set()
    if fault == "fails":
        with pytest.raises(SourceError, match="camera is gone"):
            pipeline.wait()
    else:
        pipeline.wait()
    accounting.check_balance(pipeline.frame_counts())


def test_repeated_runs_leave_no_threads_and_no_open_files(tmp_path):
    clip = encode(tmp_path / "clip.mp4", 4, (64, 48))
    outputs = [str(tmp_path / "out.mp4"), str(tmp_path / "out.jsonl")]

    def run():
        streamdet.run(str(clip), outputs=outputs, model="none")

    run()  # libraries keep some files open after they are loaded
    me = psutil.Process(os.getpid())
    before = me.num_fds(), me.num_threads()
    for _ in range(50):
        run()
    assert me.num_fds() <= before[0]
    wait_until(lambda: me.num_threads() <= before[1])  # a thread that has ended still counts for a moment
