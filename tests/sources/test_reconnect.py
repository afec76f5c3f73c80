"""Reconnecting: waits, timestamps across an outage, and stopping; with a fake clock."""

import logging
import threading
from fractions import Fraction
from itertools import pairwise

import pytest

from streamdet.errors import AuthError, SourceError
from streamdet.sources.options import BackoffOptions
from streamdet.sources.reconnect import Backoff, ConnectionState, ReconnectingSource
from tests.sources.fakes import ScriptedSource

LOST = SourceError("cam: no data for 5 s")
REFUSED = AuthError("cam: the credentials were refused")


class FakeTime:
    """A clock that advances only by waiting."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now_s += seconds
        return False


def no_jitter(low: float, high: float) -> float:
    return 0.0


def reconnecting(connections: list[ScriptedSource], time: FakeTime | None = None, **more) -> ReconnectingSource:
    time = time or FakeTime()
    rest = iter(connections[1:])
    backoff = Backoff(BackoffOptions(), no_jitter)
    return ReconnectingSource(connections[0], lambda: next(rest), backoff=backoff, now=time.now, wait=time.wait, **more)


def test_waits_double_up_to_the_cap() -> None:
    backoff = Backoff(BackoffOptions(), no_jitter)
    assert [backoff.next_delay_s(LOST) for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]
    backoff.record_uptime(59.9)
    assert backoff.next_delay_s(LOST) == 30
    backoff.record_uptime(60)
    assert [backoff.next_delay_s(LOST) for _ in range(2)] == [1, 2]


def test_waits_after_refused_credentials_are_at_least_auth_s() -> None:
    for draw in (lambda low, high: low, lambda low, high: high):
        backoff = Backoff(BackoffOptions(), draw)
        assert all(backoff.next_delay_s(REFUSED) >= 30 for _ in range(5))


def test_jitter_stays_within_its_limits() -> None:
    backoff = Backoff(BackoffOptions(first_s=10, cap_s=10))
    waits = [backoff.next_delay_s(LOST) for _ in range(300)]
    assert min(waits) >= 8
    assert max(waits) <= 12
    assert len(set(waits)) > 100


def test_an_outage_of_one_hour_causes_few_attempts() -> None:
    backoff, elapsed, attempts = Backoff(BackoffOptions()), 0.0, 0
    while elapsed < 3600:
        elapsed += backoff.next_delay_s(LOST)
        attempts += 1
    assert attempts <= 155


def test_frames_continue_after_an_outage_with_a_gap_of_its_length(caplog: pytest.LogCaptureFixture) -> None:
    down = ScriptedSource([], open_error=SourceError("cam: the connection was refused rtsp://u:s3cret@cam"))
    first, second = ScriptedSource([100.0, 100.04, LOST]), ScriptedSource([107.5, 107.54])
    source = reconnecting([first, down, down, second])
    with caplog.at_level(logging.INFO), source:
        source.open()
        assert source.state is ConnectionState.RUNNING
        frames = list(source.frames())
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [frame.pts_s for frame in frames] == pytest.approx([0, 0.04, 7.5, 7.54], abs=1e-4)
    assert source.faults == {"reconnect": 1}
    assert first.closed
    assert second.closed
    assert source.state is ConnectionState.ENDED
    messages = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert messages == [
        "cam: no data for 5 s; reconnecting, first attempt in 1.0 s",
        "cam: reconnected after 7.0 s",
    ]
    assert "s3cret" not in caplog.text


def test_the_end_of_a_connection_without_an_error_ends_the_source() -> None:
    source = reconnecting([ScriptedSource([1.0, 2.0])])
    with source:
        source.open()
        assert len(list(source.frames())) == 2
        assert list(source.frames()) == []
    assert source.faults == {}


def test_size_and_time_base_may_change_after_a_reconnect() -> None:
    first = ScriptedSource([1.0, LOST])
    second = ScriptedSource([3.0, 3.5], size=(16, 8), time_base=Fraction(1, 1000))
    with reconnecting([first, second]) as source:
        info = source.open()
        frames = list(source.frames())
    assert [(f.width, f.pts, f.time_base) for f in frames] == [
        (8, 0, info.time_base),
        (16, 180_000, info.time_base),
        (16, 225_000, info.time_base),
    ]


def test_timestamps_increase_even_if_the_lost_connection_was_ahead() -> None:
    first = ScriptedSource([1.0, 1.04, 9.0, LOST])  # a burst: its timestamps span more time than its arrival
    second = ScriptedSource([2.0, 2.04])
    with reconnecting([first, second]) as source:
        source.open()
        assert all(a.pts < b.pts for a, b in pairwise(source.frames()))


@pytest.mark.parametrize("drift", [-100e-6, 100e-6])
def test_the_gap_has_its_full_length_after_a_day_of_drift(drift: float) -> None:
    first = ScriptedSource([0.0, 86_400.0, LOST], drift=drift)  # 8.6 s of drift
    second = ScriptedSource([86_405.0])
    with reconnecting([first, second]) as source:
        source.open()
        times = [frame.pts_s for frame in source.frames()]
    assert times[2] - times[1] == pytest.approx(5, abs=0.001)


def test_bursts_of_connections_do_not_accumulate() -> None:
    # each delivers 3 s of video in its first second
    connections = [ScriptedSource([i * 10.0, i * 10.0 + 1, LOST], drift=2.0) for i in range(20)]
    with reconnecting([*connections, ScriptedSource([200.0])]) as source:
        source.open()
        assert list(source.frames())[-1].pts_s == pytest.approx(200, abs=0.2)


def test_a_first_connection_that_fails_is_not_retried() -> None:
    time = FakeTime()
    with (
        reconnecting([ScriptedSource([], open_error=LOST)], time) as source,
        pytest.raises(SourceError, match="no data"),
    ):
        source.open()
    assert time.waits == []
    assert source.state is ConnectionState.ENDED


def test_wait_for_source_retries_the_first_connection() -> None:
    time = FakeTime()
    down = [ScriptedSource([], open_error=LOST) for _ in range(3)]
    with reconnecting([*down, ScriptedSource([5.0])], time, wait_for_source=True) as source:
        source.open()
        assert [frame.index for frame in source.frames()] == [0]
    assert time.waits == [1, 2, 4]


def test_a_healthy_run_resets_the_waits() -> None:
    time = FakeTime()

    def minute() -> None:
        time.now_s += 61

    down = ScriptedSource([], open_error=LOST)
    connections = [ScriptedSource([1.0, LOST]), down, down, ScriptedSource([99.0, LOST], on_frame=minute), down]
    with reconnecting([*connections, ScriptedSource([200.0])], time) as source:
        source.open()
        assert len(list(source.frames())) == 3
    assert time.waits == [1, 2, 4, 1, 2]


def test_a_stop_ends_the_wait() -> None:
    waiting = threading.Event()
    source = ReconnectingSource(
        ScriptedSource([1.0, LOST]), lambda: ScriptedSource([]), BackoffOptions(first_s=1000, cap_s=1000)
    )

    def wait(seconds: float) -> bool:
        waiting.set()
        return source.stopping.wait(seconds)

    source._wait = wait
    source.open()
    stopper = threading.Thread(target=lambda: waiting.wait(20) and source.request_stop())
    stopper.start()
    assert len(list(source.frames())) == 1
    stopper.join()
    source.close()


def test_a_stop_reaches_a_connection_that_is_opening() -> None:
    source: ReconnectingSource

    class Slow(ScriptedSource):
        def open(self):
            source.request_stop()
            assert self.stopping.wait(20)
            raise SourceError("cam: stopped")

    source = reconnecting([ScriptedSource([1.0, LOST]), Slow([])])
    source.open()
    assert len(list(source.frames())) == 1
    source.close()


def test_a_stop_before_the_first_connection_ends_open_with_an_error() -> None:
    source = ReconnectingSource(
        ScriptedSource([], open_error=LOST), lambda: ScriptedSource([], open_error=LOST), wait_for_source=True
    )
    source.request_stop()
    with pytest.raises(SourceError):
        source.open()
    source.close()
