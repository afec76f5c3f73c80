"""Which way frames and detections meet where the user does not say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.pipeline.mode import CAMERA_HZ, Choice, Mode, Pace, Use, choose
from tests.pipeline.fakes import ListSink


def sink(kept, needs_annotated):
    made = ListSink(needs_annotated=needs_annotated)
    made.tolerates_delay = kept
    return made


RECORDING, RECORDS, WINDOW, CALLBACK = sink(True, True), sink(True, False), sink(False, True), sink(False, False)


@pytest.mark.parametrize(
    ("sinks", "use"),
    [
        ([], Use.UNSEEN),
        ([RECORDS], Use.UNSEEN),
        ([RECORDING], Use.KEPT),
        ([RECORDS, RECORDING], Use.KEPT),
        ([RECORDING, WINDOW], Use.NOW),
        ([RECORDING, CALLBACK], Use.NOW),
        ([WINDOW], Use.NOW),
    ],
)
def test_one_who_waits_is_enough(sinks, use):
    assert Use.of(sinks) is use


SLOW, FAST, TOO_SLOW = Pace(0.5, 0.4), Pace(0.01, 0.01), Pace(1.0, 1.0)


@pytest.mark.parametrize(
    ("live", "use", "pace", "mode", "says"),
    [
        (False, Use.KEPT, SLOW, Mode.EVERY_FRAME, "not live, so each frame waits"),
        (False, Use.NOW, None, Mode.EVERY_FRAME, "not live, so each frame waits"),
        (True, Use.NOW, SLOW, Mode.LIVE, "not only recorded"),
        (True, Use.UNSEEN, SLOW, Mode.LIVE, "no boxes are recorded in pictures"),
        (True, Use.KEPT, None, Mode.LIVE, "no boxes are recorded in pictures"),
        (True, Use.KEPT, FAST, Mode.LIVE, "100 detections/s keep up with the 60 frames/s that a camera may have"),
        (True, Use.KEPT, TOO_SLOW, Mode.LIVE, "a delay of 3 s, more than 2; --mode smooth --delay 3 asks for it"),
        (True, Use.KEPT, SLOW, Mode.SMOOTH, "2.0 detections/s are fewer than the 60 frames/s that a camera may have;"),
    ],
)
def test_the_choice_and_its_reason(live, use, pace, mode, says):
    choice = choose(live=live, use=use, frames_hz=None, pace=pace, most_s=2.0)
    assert choice.mode is mode
    assert says in choice.why
    assert choice.delay_s == (1.4 if mode is Mode.SMOOTH else 0.0)


def test_a_delay_that_nobody_may_ask_for_is_not_advised():
    choice = choose(live=True, use=Use.KEPT, frames_hz=None, pace=Pace(2.4, 2.4), most_s=2.0)
    assert choice == Choice(Mode.LIVE, why="0.4 detections/s would need a delay of 7.2 s, more than 2")


def test_a_rate_that_nobody_knows_is_taken_for_too_high_rather_than_too_low():
    choice = choose(live=True, use=Use.KEPT, frames_hz=None, pace=Pace(1 / 40, 1 / 40), most_s=2.0)
    assert (choice.mode, choice.delay_s) == (Mode.SMOOTH, 0.1)


def test_the_rate_a_camera_was_asked_for_decides():
    def chosen(frames_hz):
        return choose(live=True, use=Use.KEPT, frames_hz=frames_hz, pace=Pace(0.1, 0.1), most_s=2.0)

    assert chosen(5) == Choice(Mode.LIVE, why="10 detections/s keep up with the 5 frames/s")
    assert chosen(15).mode is Mode.SMOOTH
    assert "the 15 frames/s;" in chosen(15).why


@given(st.floats(0.001, 10), st.floats(0.001, 10), st.floats(0.1, 5), st.one_of(st.none(), st.floats(1, 240)))
def test_a_delay_reaches_from_any_frame_to_the_detections_after_it_and_is_never_too_long(
    interval_s, latency_s, most_s, frames_hz
):
    choice = choose(live=True, use=Use.KEPT, frames_hz=frames_hz, pace=Pace(interval_s, latency_s), most_s=most_s)
    if choice.mode is Mode.SMOOTH:
        assert interval_s + latency_s < choice.delay_s <= most_s
        assert 1 / interval_s < (frames_hz or CAMERA_HZ)
    else:
        assert choice.mode is Mode.LIVE
        assert 1 / interval_s >= (frames_hz or CAMERA_HZ) or 2 * interval_s + latency_s > most_s - 0.1
