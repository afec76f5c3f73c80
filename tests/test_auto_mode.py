"""The automatic choice of a timing mode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.auto_mode import CAMERA_HZ, DetectionTiming, ModeChoice, Use, choose_mode
from streamdet.pipeline.timing_mode import TimingMode
from tests.pipeline.fakes import ListSink


def choose_for_recorded(timing, frames_hz=None, max_delay_s=2.0):
    """Returns the choice for a live source that is recorded."""
    return choose_mode(live=True, use=Use.RECORDED, frames_hz=frames_hz, timing=timing, max_delay_s=max_delay_s)


def sink(tolerates_delay, needs_annotated):
    made = ListSink(needs_annotated=needs_annotated)
    made.tolerates_delay = tolerates_delay
    return made


RECORDING, RECORDS, WINDOW, CALLBACK = sink(True, True), sink(True, False), sink(False, True), sink(False, False)


@pytest.mark.parametrize(
    ("sinks", "use"),
    [
        ([], Use.NO_PICTURES),
        ([RECORDS], Use.NO_PICTURES),
        ([RECORDING], Use.RECORDED),
        ([RECORDS, RECORDING], Use.RECORDED),
        ([RECORDING, WINDOW], Use.IMMEDIATE),
        ([RECORDING, CALLBACK], Use.IMMEDIATE),
        ([WINDOW], Use.IMMEDIATE),
    ],
)
def test_one_sink_with_immediate_use_decides(sinks, use):
    assert Use.of(sinks) is use


ASSUMED = "60 frames/s that a camera may have"
SLOW, FAST, TOO_SLOW = DetectionTiming(0.5, 0.4), DetectionTiming(0.01, 0.01), DetectionTiming(1.0, 1.0)


@pytest.mark.parametrize(
    ("live", "use", "timing", "mode", "reason"),
    [
        (False, Use.RECORDED, SLOW, TimingMode.EVERY_FRAME, "not live, so each frame waits"),
        (False, Use.IMMEDIATE, None, TimingMode.EVERY_FRAME, "not live, so each frame waits"),
        (True, Use.IMMEDIATE, SLOW, TimingMode.LIVE, "not only recorded"),
        (True, Use.NO_PICTURES, SLOW, TimingMode.LIVE, "no boxes are recorded in pictures"),
        (True, Use.RECORDED, None, TimingMode.LIVE, "no boxes are recorded in pictures"),
        (
            True,
            Use.RECORDED,
            FAST,
            TimingMode.LIVE,
            "100 detections/s keep up with the 60 frames/s that a camera may have",
        ),
        (True, Use.RECORDED, TOO_SLOW, TimingMode.LIVE, "a delay of 3 s, more than 2; --mode smooth --delay 3 sets it"),
        (
            True,
            Use.RECORDED,
            SLOW,
            TimingMode.SMOOTH,
            "2.0 detections/s are fewer than the 60 frames/s that a camera may have;",
        ),
    ],
)
def test_the_choice_and_its_reason(live, use, timing, mode, reason):
    choice = choose_mode(live=live, use=use, frames_hz=None, timing=timing, max_delay_s=2.0)
    assert choice.mode is mode
    assert reason in choice.reason
    assert choice.delay_s == (1.4 if mode is TimingMode.SMOOTH else 0.0)


def test_a_delay_above_the_limit_is_not_suggested():
    choice = choose_for_recorded(DetectionTiming(2.4, 2.4))
    assert choice == ModeChoice(TimingMode.LIVE, reason="0.4 detections/s would need a delay of 7.2 s, more than 2")


def test_an_unknown_camera_rate_is_assumed_to_be_high():
    choice = choose_mode(
        live=True, use=Use.RECORDED, frames_hz=None, timing=DetectionTiming(1 / 40, 1 / 40), max_delay_s=2.0
    )
    assert (choice.mode, choice.delay_s) == (TimingMode.SMOOTH, 0.1)


def test_the_requested_camera_rate_decides():
    def chosen(frames_hz):
        return choose_mode(
            live=True, use=Use.RECORDED, frames_hz=frames_hz, timing=DetectionTiming(0.1, 0.1), max_delay_s=2.0
        )

    assert chosen(5) == ModeChoice(TimingMode.LIVE, reason="10 detections/s keep up with the 5 frames/s")
    assert chosen(15).mode is TimingMode.SMOOTH
    assert "the 15 frames/s;" in chosen(15).reason


@given(st.floats(0.001, 10), st.floats(0.001, 10), st.floats(0.1, 5), st.one_of(st.none(), st.floats(1, 240)))
def test_a_delay_reaches_from_any_frame_to_the_next_detections_and_is_never_too_long(
    interval_s, latency_s, max_delay_s, frames_hz
):
    choice = choose_for_recorded(DetectionTiming(interval_s, latency_s), frames_hz, max_delay_s)
    if choice.mode is TimingMode.SMOOTH:
        assert interval_s + latency_s < choice.delay_s <= max_delay_s
        assert 1 / interval_s < (frames_hz or CAMERA_HZ)
    else:
        assert choice.mode is TimingMode.LIVE
        assert 1 / interval_s >= (frames_hz or CAMERA_HZ) or 2 * interval_s + latency_s > max_delay_s - 0.1
