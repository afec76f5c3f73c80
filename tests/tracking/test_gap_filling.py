"""Smooth mode: objects that were missed for a moment are added to frames that were not shown yet."""

import numpy as np
import pytest

from streamdet.picture import Picture
from streamdet.tracking.gap_filling import MAX_GAP_S, LastSeen, with_gaps_filled
from streamdet.tracking.motion_options import MotionOptions
from streamdet.tracking.smoother import Smoother
from streamdet.types import Detections

STEP_S = 0.05
EVERY = 4
"""A detection every 0.2 s."""


def at(*objects):
    """Detections of (id, left)."""
    boxes = np.array([[left, 20, left + 20, 60] for _, left in objects], np.float32).reshape(-1, 4)
    n = len(objects)
    ids = np.array([i for i, _ in objects], np.int64)
    return Detections(boxes, np.full(n, 0.8, np.float32), np.zeros(n, np.int32), ids, ("person",))


def test_a_reappearance_has_its_times_and_boxes():
    seen = LastSeen()
    assert seen.reappeared(at((1, 10), (2, 50)), 0.0) == []
    assert seen.reappeared(at((2, 52)), 0.2) == []
    assert seen.reappeared(at((2, 54), (-1, 90)), 0.4) == []
    (one,) = seen.reappeared(at((1, 70), (2, 56), (-1, 90)), 0.6)
    assert (one.start_s, one.end_s) == (0.0, 0.6)
    assert [one.is_missed(t) for t in (0.0, 0.1, 0.5, 0.6)] == [False, True, True, False]
    np.testing.assert_allclose(one.at(0.3).boxes_xyxy, [[40, 20, 60, 60]], atol=1e-4)
    assert seen.reappeared(at((1, 72)), 0.8) == []


def test_a_long_gap_is_not_filled():
    seen = LastSeen()
    seen.reappeared(at((1, 10)), 0.0)
    for k in range(1, 7):
        seen.reappeared(at((2, 50)), 0.2 * k)
    assert MAX_GAP_S < 1.4
    assert seen.reappeared(at((1, 70)), 1.4) == []


def test_an_object_that_is_shown_already_is_shown_once():
    seen = LastSeen()
    seen.reappeared(at((1, 10)), 0.0)
    seen.reappeared(at((2, 50)), 0.2)
    reappeared = seen.reappeared(at((1, 30)), 0.4)
    shown = with_gaps_filled(at((1, 90), (2, 51)), 0.2, reappeared)
    assert sorted(shown.track_ids.tolist()) == [1, 2]
    np.testing.assert_allclose(shown.boxes_xyxy[shown.track_ids == 1], [[20, 20, 40, 60]], atol=1e-4)
    assert shown.labels == ("person",)
    untouched = at((2, 51))
    assert with_gaps_filled(untouched, 0.4, reappeared) is untouched


def play(smoother, delay_s, latency_s=0.1, missed=(2, 3)):
    """A person walks at 60 px/s; detections 2 and 3 miss them. Returns the left edge shown on each frame, or None."""
    picture = Picture.from_bgr(np.full((120, 320, 3), 100, np.uint8))
    coming, lefts, frames = [], [], 40
    shown_until = 0
    for number in range(frames + round(delay_s / STEP_S)):
        now_s = number * STEP_S
        if number < frames:
            smoother.observe(picture, now_s)
            if number % EVERY == 0:
                found = at() if number // EVERY in missed else at((1, 20 + 60 * now_s))
                coming.append((now_s + latency_s, now_s, found))
        while coming and coming[0][0] <= now_s + 1e-9:
            _, time_s, found = coming.pop(0)
            smoother.update(found, time_s)
        while shown_until < frames and shown_until * STEP_S + delay_s <= now_s + 1e-9:
            shown = smoother.show(shown_until * STEP_S)
            lefts.append(float(shown.boxes_xyxy[0, 0]) if len(shown) else None)
            shown_until += 1
    return lefts


@pytest.mark.parametrize("flow", [True, False])
def test_a_gap_is_filled_if_frames_wait_long_enough(flow):
    lefts = play(Smoother(MotionOptions(flow=flow)), delay_s=1.0)
    for number, left in list(enumerate(lefts))[:33]:
        assert left == pytest.approx(20 + 60 * number * STEP_S, abs=1.0), number


def test_a_frame_that_was_shown_does_not_change():
    lefts = play(Smoother(MotionOptions(flow=False, coast_s=0.0)), delay_s=0.35)
    assert lefts[2 * EVERY] is None, "the object reappears 0.4 s and a latency later, after this frame was shown"
    assert lefts[3 * EVERY] == pytest.approx(20 + 60 * 3 * EVERY * STEP_S, abs=1.0)
