"""The priority of threads."""

import os
import threading

import pytest

from streamdet.pipeline.niceness import lower_priority, run_at_niceness
from streamdet.pipeline.pipeline import Pipeline
from streamdet.pipeline.plan import StreamPlan
from streamdet.pipeline.timing_mode import TimingMode

from .fakes import (
    CountingSource,
    FakeDetector,
    ListSink,
)

pytestmark = pytest.mark.timeout(60)


def test_run_at_niceness_returns_the_result_or_raises_the_error():
    assert run_at_niceness(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        run_at_niceness(5, lambda: 1 / 0)
    assert lower_priority(0) is False


@pytest.mark.skipif("sys.platform != 'linux'")
def test_only_the_new_thread_has_the_niceness():
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
    nice = {}

    def record_niceness(what):
        nice[what] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    class RecordingSource(CountingSource):
        def open(self):
            record_niceness("capture")
            return super().open()

    class RecordingDetector(FakeDetector):
        def detect(self, pictures):
            record_niceness("infer")
            return super().detect(pictures)

    class RecordingSink(ListSink):
        def write(self, result):
            record_niceness("sink")
            super().write(result)

    def stage(result):
        record_niceness("render")
        return result

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    plan = StreamPlan(RecordingSource(5, live=live), [RecordingSink()], mode=mode, stages=[stage])
    Pipeline([plan], RecordingDetector()).run()
    upstream = before if not lowered else max(before, 10)
    assert nice == {"capture": upstream, "render": upstream, "infer": before, "sink": before}
