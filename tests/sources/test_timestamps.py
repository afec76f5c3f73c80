"""Timestamp repair of files and live streams."""

import random
from collections import Counter
from fractions import Fraction
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.sources.timestamps import LIVE_TIME_BASE, BestEffortTimestamp, FileClock, LiveClock

times = st.one_of(st.none(), st.integers(-(2**40), 2**40), st.integers(-50, 50))


@given(st.lists(times, max_size=60), st.integers(0, 5000))
def test_file_timestamps_always_increase(raw: list[int | None], step: int) -> None:
    clock = FileClock(step, Counter())
    pts = [clock.stamp(t) for t in raw]
    assert all(a < b for a, b in pairwise(pts))


@given(st.sets(st.integers(-(2**40), 2**40), min_size=1))
def test_increasing_file_timestamps_are_kept_exactly(raw: set[int]) -> None:
    faults: Counter[str] = Counter()
    clock = FileClock(40, faults)
    assert [clock.stamp(t) for t in sorted(raw)] == sorted(raw)
    assert not faults


@pytest.mark.parametrize(
    ("raw", "expected", "faults"),
    [
        pytest.param([0, 10, 10, 20], [0, 10, 15, 20], {"backward_pts": 1}, id="one repeats"),
        pytest.param([0, 10, 2, 20, 30], [0, 10, 15, 20, 30], {"backward_pts": 1}, id="one runs backwards"),
        pytest.param(
            [0, 10, 20, 3, 21, 30, 40],
            [0, 10, 20, 25, 26, 30, 40],
            {"backward_pts": 1},
            id="the next is early",
        ),
        pytest.param(
            [0, 10, 10, 10, 10, 20, 30], [0, 10, 15, 20, 25, 26, 30], {"backward_pts": 3}, id="one repeats three times"
        ),
        pytest.param([0] * 5 + [10, 20], [0, 5, 10, 15, 20, 30, 40], {"backward_pts": 5}, id="one repeats many times"),
        pytest.param([0, None, 20, 30], [0, 10, 20, 30], {"missing_pts": 1}, id="one is missing"),
        pytest.param([None, None, 20], [0, 10, 20], {"missing_pts": 2}, id="the first are missing"),
        pytest.param([100, 110, 0, 10, 20], [100, 110, 115, 125, 135], {"backward_pts": 2}, id="joined recordings"),
        pytest.param([0, 10, 500, 510], [0, 10, 500, 510], {}, id="a gap is kept"),
        pytest.param([-20, -10, 0], [-20, -10, 0], {}, id="an edit list starts below zero"),
    ],
)
def test_file_timestamps_are_repaired(raw: list[int | None], expected: list[int], faults: dict[str, int]) -> None:
    counted: Counter[str] = Counter()
    clock = FileClock(10, counted)
    assert [clock.stamp(t) for t in raw] == expected
    assert counted == faults


@given(
    st.integers(2, 5000).flatmap(lambda step: st.tuples(st.just(step), st.lists(st.integers(step // 2 + 1, 3 * step)))),
    st.data(),
)
def test_a_single_backward_timestamp_changes_no_other(intervals: tuple[int, list[int]], data: st.DataObject) -> None:
    step, others = intervals
    good = list(accumulate(others, initial=0))
    position = data.draw(st.integers(1, len(good)))
    outlier = data.draw(st.integers(-(2**40), good[position - 1]))
    faults: Counter[str] = Counter()
    clock = FileClock(step, faults)
    pts = [clock.stamp(t) for t in [*good[:position], outlier, *good[position:]]]
    assert pts[:position] + pts[position + 1 :] == good
    assert faults == {"backward_pts": 1}


@given(st.sets(st.integers(0, 10_000), min_size=2, max_size=60), st.integers(0, 500), st.data())
def test_timestamps_after_a_backward_one_move_less_than_a_step(times: set[int], step: int, data: st.DataObject) -> None:
    good = sorted(times)
    position = data.draw(st.integers(1, len(good)))
    outlier = data.draw(st.integers(-100, good[position - 1]))
    clock = FileClock(step, Counter())
    pts = [clock.stamp(t) for t in [*good[:position], outlier, *good[position:]]]
    following = pts[position + 1 :]
    assert all(0 <= b - g <= max(1, step // 2) for b, g in zip(following, good[position:], strict=True))


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        pytest.param([(0, 0), (2, 1), (3, 2)], [0, 2, 3], id="presentation times that increase"),
        pytest.param([(1, 2), (3, 3), (4, 4), (2, 5), (5, 6)], [1, 3, 4, 5, 6], id="generated ones of AVI"),
        pytest.param([(None, 2), (None, 3)], [2, 3], id="decoding times only"),
        pytest.param([(None, None), (4, None)], [None, 4], id="neither"),
    ],
)
def test_best_effort_chooses_between_pts_and_dts(
    pairs: list[tuple[int | None, int | None]], expected: list[int | None]
) -> None:
    timestamp = BestEffortTimestamp()
    assert [timestamp.choose(*pair) for pair in pairs] == expected


MS = 90  # of the live time base
BASE = Fraction(1, 1000)


def live(
    rows: list[tuple[int | None, int]], faults: Counter[str] | None = None, tolerance_s: float = 2.0
) -> list[float]:
    """Stamps rows of (raw, arrival) in milliseconds and returns `pts` in milliseconds."""
    clock = LiveClock(BASE, Fraction(1, 25), Counter() if faults is None else faults, tolerance_s)
    return [clock.stamp(raw, 10**12 + arrival * 10**6) / MS for raw, arrival in rows]


@given(st.lists(st.tuples(times, st.integers(0, 10_000)), max_size=60))
def test_live_timestamps_always_increase(rows: list[tuple[int | None, int]]) -> None:
    arrival, ordered = 0, []
    for raw, wait in rows:
        arrival += wait
        ordered.append((raw, arrival))
    pts = live(ordered)
    assert all(a < b for a, b in pairwise(pts))
    assert pts[:1] in ([], [0.0])


@pytest.mark.parametrize(
    ("rows", "expected", "faults"),
    [
        pytest.param([(500, 0), (540, 90), (580, 95)], [0, 40, 80], {}, id="jitter of arrival is ignored"),
        pytest.param([(0, 0), (40, 1), (80, 2), (120, 3)], [0, 40, 80, 120], {}, id="a burst keeps its intervals"),
        pytest.param([(None, 0), (540, 370), (580, 371)], [0, 40, 80], {}, id="RTSP's first frame has no time"),
        pytest.param(
            [(0, 0), (40, 40), (None, 80), (120, 120)], [0, 40, 80, 120], {"missing_pts": 1}, id="one is missing"
        ),
        pytest.param(
            [(0, 0), (None, 40), (None, 110), (None, 190)], [0, 40, 110, 190], {"missing_pts": 3}, id="none has a time"
        ),
        pytest.param([(0, 0), (40, 40), (40, 80), (120, 120)], [0, 40, 60, 120], {"backward_pts": 1}, id="one repeats"),
        pytest.param(
            [(0, 0), (40, 40), (9_000_000, 80), (9_000_040, 120)],
            [0, 40, 80, 120],
            {"timestamp_jump": 1},
            id="the camera sets its clock forward",
        ),
        pytest.param(
            [(9_000_000, 0), (9_000_040, 40), (0, 80), (40, 120)],
            [0, 40, 80, 120],
            {"timestamp_jump": 1},
            id="the camera sets its clock back",
        ),
        pytest.param([(0, 0), (40, 40), (3040, 3040)], [0, 40, 3040], {}, id="an outage in the timestamps"),
        pytest.param(
            [(0, 0), (40, 40), (80, 3040), (120, 3080)],
            [0, 40, 3040, 3080],
            {"timestamp_jump": 1},
            id="an outage not in the timestamps",
        ),
    ],
)
def test_live_timestamps_are_repaired(
    rows: list[tuple[int | None, int]], expected: list[float], faults: dict[str, int]
) -> None:
    counted: Counter[str] = Counter()
    assert live(rows, counted) == expected
    assert counted == faults


def test_a_slow_camera_clock_stays_near_the_true_time() -> None:
    rows = [(i * 20, i * 40) for i in range(2000)]  # half speed for 80 s
    pts = live(rows)
    assert all(abs(t - arrival) <= 2100 for t, (_, arrival) in zip(pts, rows, strict=True))


def drifting(ppm: int, hours: float, fps: int = 2) -> list[tuple[int, int]]:
    """Returns rows of a camera whose clock is `ppm` fast, over a network with delays of up to 0.3 s."""
    delays = random.Random(ppm)
    count = round(hours * 3600 * fps)
    return [
        (round(i * 1000 / fps * (1 + ppm * 1e-6)), round(i * 1000 / fps) + delays.randrange(300)) for i in range(count)
    ]


@pytest.mark.parametrize("ppm", [-100, 100])
def test_clock_drift_causes_no_gap(ppm: int) -> None:
    faults: Counter[str] = Counter()
    pts = live(drifting(ppm, hours=12), faults)  # 4.3 s of drift at the end
    assert not faults
    assert all(495 <= b - a <= 505 for a, b in pairwise(pts))


@pytest.mark.parametrize("ppm", [-100, 0, 100])
@pytest.mark.parametrize("hidden", [True, False], ids=["not in timestamps", "in timestamps"])
def test_an_outage_after_hours_of_drift_has_its_full_length(ppm: int, hidden: bool) -> None:
    outage = 5000
    before = drifting(ppm, hours=8)
    (raw, arrival), step = before[-1], 500
    after = [(raw + step * i + (0 if hidden else outage), arrival + step * i + outage) for i in range(1, 5)]
    faults: Counter[str] = Counter()
    pts = live(before + after, faults)
    intervals = [b - a for a, b in pairwise(pts[len(before) - 1 :])]
    assert intervals == pytest.approx([outage + step, step, step, step], abs=300 if hidden else 1)
    assert faults == ({"timestamp_jump": 1} if hidden else {})


def test_a_wrong_clock_is_not_followed() -> None:
    """One percent slow: the timestamps stay near the time of arrival."""
    faults: Counter[str] = Counter()
    rows = drifting(-10_000, hours=1)
    pts = live(rows, faults)
    assert faults["timestamp_jump"] > 10
    assert all(abs(t - arrival) <= 2300 + 0.0005 * arrival for t, (_, arrival) in zip(pts, rows, strict=True))


def test_segments_that_arrive_at_once_keep_their_intervals() -> None:
    rows = [(i * 40, i // 150 * 6000) for i in range(600)]  # HLS: six seconds at a time
    assert live(rows, tolerance_s=20.0) == [i * 40 for i in range(600)]


def test_live_time_base_equals_that_of_rtp() -> None:
    assert Fraction(1, 90_000) == LIVE_TIME_BASE
