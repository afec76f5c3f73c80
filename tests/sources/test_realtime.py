"""Playing a source in real time, with a fake clock."""

from streamdet.sources.realtime import RealtimeSource
from tests.sources.fakes import ScriptedSource


class FakeTime:
    def __init__(self) -> None:
        self.now_ns = 5_000_000_000
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(round(seconds, 3))
        self.now_ns += round(seconds * 1e9)
        return False


def test_each_frame_is_yielded_when_it_is_due() -> None:
    time = FakeTime()
    source = RealtimeSource(ScriptedSource([0.0, 0.1, 0.5]), now_ns=lambda: time.now_ns, wait=time.wait)
    assert source.open().live
    frames = list(source.frames())
    assert time.waits == [0.1, 0.4]
    assert [frame.captured_ns / 1e9 for frame in frames] == [5.0, 5.1, 5.5]
    assert [frame.pts_s for frame in frames] == [0, 0.1, 0.5]


def test_a_late_reader_does_not_wait() -> None:
    time = FakeTime()
    source = RealtimeSource(ScriptedSource([0.0, 0.1, 0.2, 0.3]), now_ns=lambda: time.now_ns, wait=time.wait)
    source.open()
    for frame in source.frames():
        if frame.index == 0:
            time.now_ns += 250_000_000
    assert time.waits == [0.05]


def test_stop_while_waiting_for_a_frame() -> None:
    source = RealtimeSource(ScriptedSource([0.0, 1000.0]))
    source.open()
    frames = source.frames()
    next(frames)
    source.request_stop()
    assert list(frames) == []
