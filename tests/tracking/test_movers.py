"""`LiveMover` and `Smoother`: boxes on the frames between detections."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamdet.picture import Picture, PixelFormat
from streamdet.tracking.box_motion import POINT_WEIGHTS, box_motions
from streamdet.tracking.camera_motion import NO_CAMERA_MOTION
from streamdet.tracking.frame_motion import FrameMotion
from streamdet.tracking.live_mover import LiveMover
from streamdet.tracking.motion_options import MotionOptions
from streamdet.tracking.smoother import MatchedRows, Smoother, interpolate_boxes
from streamdet.types import Detections

from .moving_pictures import SIZE, Thing, iou, picture, tracks

FPS = 15.0


def play(mover, frames, things, pan=(0.0, 0.0), zoom=1.0, start=0):
    for k in range(start, frames):
        mover.observe(picture(k, things, pan, zoom, noise=1.0), k / FPS)


def true_box(thing, k, pan=(0.0, 0.0)):
    return np.clip(thing.at(k), 0, [*SIZE, *SIZE])


WALKS = [
    ("still", Thing((200, 80, 280, 280)), (0.0, 0.0)),
    ("to the right", Thing((200, 80, 280, 280), (4.0, 0.0)), (0.0, 0.0)),
    ("down and left", Thing((300, 60, 360, 200), (-3.0, 2.5)), (0.0, 0.0)),
    ("comes nearer", Thing((240, 80, 340, 280), (1.0, 0.0), growth=1.012), (0.0, 0.0)),
    ("with the camera", Thing((200, 80, 280, 280), (2.5, -1.0)), (2.5, -1.0)),
    ("against the camera", Thing((280, 80, 360, 280), (-3.0, 0.0)), (3.0, 0.0)),
]


@pytest.mark.parametrize(("thing", "pan"), [row[1:] for row in WALKS], ids=[row[0] for row in WALKS])
def test_late_detections_are_moved_to_the_newest_frame(thing, pan):
    mover = LiveMover()
    play(mover, 16, [thing], pan)
    mover.update(tracks([thing.at(0)]), 0.0)  # one second late
    shown = mover.show(15 / FPS)
    assert shown.track_ids.tolist() == [1]
    kept, moved = iou(thing.at(0), true_box(thing, 15)), iou(shown.boxes_xyxy[0], true_box(thing, 15))
    assert moved > 0.85
    assert moved > kept or kept == 1
    play(mover, 22, [thing], pan, start=16)  # and moved on from there
    assert iou(mover.show(21 / FPS).boxes_xyxy[0], true_box(thing, 21)) > 0.8


def test_a_panning_camera_moves_boxes_without_points():
    thing = Thing((200, 80, 280, 280), (3.0, -1.0), plain=True)
    mover = LiveMover()
    play(mover, 11, [thing], pan=(3.0, -1.0))
    mover.update(tracks([thing.at(0)]), 0.0)
    assert iou(mover.show(10 / FPS).boxes_xyxy[0], true_box(thing, 10)) > 0.9


def test_a_box_in_front_does_not_move_the_one_behind():
    behind, front = Thing((300, 60, 380, 260)), Thing((180, 90, 270, 330), (9.0, 0.0), seed=2)
    mover = LiveMover()
    play(mover, 1, [behind, front])
    mover.update(tracks([behind.at(0), front.at(0)]), 0.0)
    for k in range(1, 26):  # it passes in front of the other one
        mover.observe(picture(k, [behind, front], noise=1.0), k / FPS)
        shown = dict(zip(mover.show(k / FPS).track_ids.tolist(), mover.show(k / FPS).boxes_xyxy, strict=True))
        if 1 in shown:
            assert iou(shown[1], behind.at(0)) > 0.6, k
    assert iou(shown[2], true_box(front, 25)) > 0.75


def test_objects_that_leave_the_picture_are_removed_and_boxes_stay_inside():
    thing = Thing((500, 80, 580, 280), (9.0, 0.0))
    mover, there = LiveMover(), []
    play(mover, 1, [thing])
    mover.update(tracks([thing.at(0)]), 0.0)
    for k in range(1, 24):
        mover.observe(picture(k, [thing], noise=1.0), k / FPS)
        shown = mover.show(k / FPS)
        there.append(len(shown))
        assert (shown.boxes_xyxy >= 0).all()
        assert (shown.boxes_xyxy <= [*SIZE, *SIZE]).all()
    assert there[:8] == [1] * 8
    assert there[-6:] == [0] * 6


def test_a_hidden_object_is_removed_and_does_not_drift():
    thing, wall = Thing((200, 120, 260, 240), (5.0, 0.0)), Thing((330, 60, 520, 330), seed=3)
    mover = LiveMover(MotionOptions(max_hidden_s=0.2))
    play(mover, 1, [thing, wall])
    mover.update(tracks([thing.at(0), wall.at(0)]), 0.0)
    there = []
    for k in range(1, 46):
        mover.observe(picture(k, [thing, wall], noise=1.0), k / FPS)
        there.append(1 in mover.show(k / FPS).track_ids)
    assert all(there[:15])
    assert not any(there[-8:])


def test_the_score_decays_with_the_age_of_the_detection():
    mover = LiveMover(MotionOptions(score_half_life_s=1.0))
    thing = Thing((200, 80, 280, 280))
    play(mover, 16, [thing])
    mover.update(tracks([thing.at(0)], score=0.8), 0.0)
    assert mover.show(1.0).scores[0] == pytest.approx(0.4, rel=1e-3)


def test_an_object_that_newer_detections_miss_coasts_and_disappears():
    first, second = Thing((100, 80, 180, 280)), Thing((400, 80, 480, 280), seed=2)
    mover = LiveMover(MotionOptions(coast_s=0.4))
    shown = []
    for k in range(16):
        mover.observe(picture(k, [first, second]), k / FPS)
        if k % 3 == 0:
            seen = [first.at(0), second.at(0)] if k == 0 else [second.at(0)]
            mover.update(tracks(seen, ids=[1, 2][-len(seen) :]), k / FPS)
        shown.append(sorted(mover.show(k / FPS).track_ids.tolist()))
    assert shown[: 7 + 2] == [[1, 2]] * 9
    assert shown[9:] == [[2]] * 7


def test_ids_scores_and_classes_are_those_of_the_detections():
    things = [Thing((60 + 150 * n, 80, 120 + 150 * n, 260), (4.0 - 3 * n, 0.5), seed=n + 1) for n in range(4)]
    mover = LiveMover()
    rng = np.random.default_rng(0)
    for k in range(20):
        mover.observe(picture(k, things, pan=(1.0, 0.0), noise=2.0), k / FPS)
        if k % 4 == 0:
            order = rng.permutation(4)
            boxes = np.array([things[n].at(k) for n in order], np.float32)
            detections = Detections(
                boxes, np.full(4, 0.9, np.float32), order.astype(np.int32), order + 10, tuple("abcd")
            )
            mover.update(detections, k / FPS)
        shown = mover.show(k / FPS)
        assert sorted(shown.track_ids.tolist()) == sorted(set(shown.track_ids.tolist()))
        assert (shown.track_ids - 10 == shown.class_ids).all()
        assert shown.labels == tuple("abcd")


def test_detections_without_ids_are_moved_and_replaced():
    thing = Thing((200, 80, 280, 280), (4.0, 0.0))
    mover = LiveMover()
    for k in range(13):
        mover.observe(picture(k, [thing]), k / FPS)
        if k % 4 == 0:
            mover.update(tracks([thing.at(k)], ids=[-1]), k / FPS)
        shown = mover.show(k / FPS)
        assert shown.track_ids.tolist() == [-1]
        assert iou(shown.boxes_xyxy[0], thing.at(k)) > 0.8


def test_no_boxes_before_the_first_detections_or_long_after_the_last():
    mover = LiveMover(MotionOptions(max_unseen_s=1.0))
    play(mover, 2, [])
    assert len(mover.show(1 / FPS)) == 0
    mover.update(tracks([(10, 10, 60, 90)]), 1 / FPS)
    assert len(mover.show(1 / FPS)) == 1
    play(mover, 20, [], start=2)
    assert len(mover.show(19 / FPS)) == 0


def test_without_flow_boxes_keep_their_velocity_between_detections():
    mover = LiveMover(MotionOptions(flow=False))
    thing = Thing((100, 80, 180, 280), (5.0, 0.0))
    for k in range(13):
        mover.observe(picture(0), k / FPS)  # the picture does not move, so no motion can be measured
        if k % 4 == 0 and k < 12:
            mover.update(tracks([thing.at(k)]), k / FPS)
    assert iou(mover.show(12 / FPS).boxes_xyxy[0], thing.at(12)) > 0.8


@pytest.mark.parametrize("size", [(16, 16), (640, 360)])
def test_the_picture_size_may_change(size):
    from streamdet.color import ColorSpace
    from streamdet.picture import Picture, PixelFormat

    other = Picture.allocate(*size, PixelFormat.I420, ColorSpace())
    mover = LiveMover()
    for k, shown in enumerate([picture(0), other, other, picture(1), picture(2)]):
        mover.observe(shown, k / FPS)
        mover.update(tracks([(1, 1, 9, 9)]), k / FPS)
        assert len(mover.show(k / FPS)) == 1


def test_points_with_the_expected_velocity_outweigh_a_visible_background():
    rng = np.random.default_rng(1)
    points = rng.uniform(20, 80, (40, 2)).astype(np.float32)
    shifts = np.where(np.arange(40)[:, None] < 12, [[6.0, 0.0]], [[0.0, 0.0]]).astype(np.float32)
    box, motion = np.array([[10.0, 10.0, 90.0, 90.0]]), FrameMotion(0.0, 0.1, points, shifts, NO_CAMERA_MOTION)
    moving, _ = box_motions(box, np.array([[6.0, 0.0]]), np.ones(1, np.bool_), motion, POINT_WEIGHTS)
    assert moving[0, 0] == pytest.approx(6.0, abs=0.2)
    still, _ = box_motions(box, np.array([[0.0, 0.0]]), np.ones(1, np.bool_), motion, POINT_WEIGHTS)
    assert still[0, 0] == pytest.approx(0.0, abs=0.2)


# Smooth mode.


def smooth(things, frames, detected, delay, late, **options):
    """Plays frames; detections of the frames `detected` come `late` frames later; returns what each frame shows."""
    smoother, shown = Smoother(MotionOptions(**options)), []
    for k in range(frames + delay):
        if k < frames:
            smoother.observe(picture(k, things, noise=1.0), k / FPS)
        if k - late in detected:
            smoother.update(tracks([t.at(k - late) for t in things]), (k - late) / FPS)
        if k >= delay:
            shown.append(smoother.show((k - delay) / FPS))
    return shown


def test_one_jump_of_a_detection_does_not_discredit_measured_motion():
    thing, mover = Thing((120, 80, 200, 280), (4.0, 0.0)), LiveMover()
    jump = np.array([-80.0, 0.0, -80.0, 0.0])
    for k in range(51):
        mover.observe(picture(k, [thing], noise=1.0), k / FPS)
        if k % 10 == 0:
            mover.update(tracks([thing.at(k) + (jump if k == 30 else 0)]), k / FPS)
    play(mover, 61, [thing], start=51)
    assert iou(mover.show(60 / FPS).boxes_xyxy[0], true_box(thing, 60)) > 0.9


class Swing(Thing):
    """Swings to and fro, which no straight line follows."""

    def at(self, k):
        x = 60 * np.sin(2 * np.pi * k / 15)
        return np.add(self.box, (x, 0, x, 0))


def test_boxes_between_two_detections_follow_the_measured_motion():
    thing = Swing((280, 80, 360, 280))
    shown = smooth([thing], 31, {0, 15, 30}, delay=22, late=5)
    overlaps = [iou(shown[k].boxes_xyxy[0], thing.at(k)) for k in range(31)]
    kept = [iou(thing.at(0), thing.at(k)) for k in range(31)]
    assert np.mean(overlaps) > 0.85 > np.mean(kept)  # a straight line between the detections stays in place


def test_smooth_falls_back_to_live_where_detections_are_late_or_missing():
    thing = Thing((100, 80, 180, 280), (3.0, 0.0))
    for detected in ({0, 6, 12, 18}, {0}, {0, 18}):
        shown = smooth([thing], 24, detected, delay=8, late=3)
        overlaps = [iou(result.boxes_xyxy[0], thing.at(k)) for k, result in enumerate(shown)]
        assert min(overlaps) > 0.75, detected
        assert all(result.track_ids.tolist() == [1] for result in shown)


def test_an_object_that_appears_is_shown_before_its_first_detection():
    old, new = Thing((60, 80, 120, 260)), Thing((-70, 90, 0, 270), (6.0, 0.0), seed=2)
    smoother, shown = Smoother(), []
    for k in range(31):
        smoother.observe(picture(k, [old, new], noise=1.0), k / FPS)
    smoother.update(tracks([old.at(0)], ids=[1]), 0.0)
    smoother.update(tracks([old.at(30), new.at(30)], ids=[1, 2]), 30 / FPS)
    shown = [smoother.show(k / FPS) for k in range(31)]
    there = [2 in result.track_ids for result in shown]
    assert all(there[12:])
    assert not there[0]  # it was outside the picture then
    for k in range(12, 31):
        box = shown[k].boxes_xyxy[shown[k].track_ids.tolist().index(2)]
        assert iou(box, np.clip(new.at(k), 0, [*SIZE, *SIZE])) > 0.6


def test_smooth_shows_each_id_of_the_detections_once():
    things = [Thing((60 + 150 * n, 80, 120 + 150 * n, 260), (2.0, 0.0), seed=n + 1) for n in range(3)]
    for result in smooth(things, 20, {0, 5, 10, 15}, delay=9, late=2):
        assert sorted(result.track_ids.tolist()) == [1, 2, 3]


def test_smooth_shows_nothing_before_the_first_detections():
    assert [len(result) for result in smooth([], 5, set(), delay=2, late=1)] == [0] * 5


def test_rows_are_matched_by_id_and_minus_one_never_matches():
    pairs = MatchedRows.of(np.array([5, -1, 7]), np.array([-1, 7, 8, 5]))
    assert list(zip(pairs.before.tolist(), pairs.after.tolist(), strict=True)) == [(0, 3), (2, 1)]
    assert pairs.only_before.tolist() == [False, True, False]
    assert pairs.only_after.tolist() == [True, False, True, False]


def test_wrongly_measured_motion_yields_to_the_straight_line():
    line = np.array([[10.0, 10, 30, 50]])
    right = interpolate_boxes(line, line + 4, line + 4, np.zeros((1, 4)), np.zeros((1, 4)), 0.5)
    assert np.allclose(right, line + 4)
    wrong = interpolate_boxes(line, line + 4, line + 4, np.full((1, 4), 60.0), np.full((1, 4), -60.0), 0.5)
    assert np.allclose(wrong, line, atol=0.1)


def test_an_object_with_a_new_id_is_not_shown_twice():
    thing = Thing((200, 80, 280, 280), (2.0, 0.0))
    for class_id, ids in ((0, [5]), (1, [4, 5])):  # one of another class may be another object
        mover = LiveMover()
        play(mover, 4, [thing])
        mover.update(tracks([thing.at(0)], ids=[4]), 0.0)
        again = tracks([thing.at(3)], ids=[5])
        mover.update(
            Detections(again.boxes_xyxy, again.scores, again.class_ids + np.int32(class_id), again.track_ids), 3 / FPS
        )
        assert sorted(mover.show(3 / FPS).track_ids.tolist()) == ids


@settings(max_examples=60, deadline=None)
@example(134217727, "smooth")  # an object that reappeared was placed half outside the picture
@given(st.integers(0, 2**32 - 1), st.sampled_from(["live", "smooth", "no flow"]))
def test_any_input_gives_valid_boxes(seed, kind):
    """With any times, gaps, picture sizes, boxes and ids, shown boxes are finite, in the picture, and of known ids."""
    rng = np.random.default_rng(seed)
    mover = LiveMover(MotionOptions(flow=kind == "live")) if kind != "smooth" else Smoother()
    now_s, last_s, seen, size = float(rng.uniform(-5, 1e6)), -np.inf, [], (320, 180)
    known, shown_s = set(), []
    for _ in range(25):
        now_s += float(rng.choice([0.001, 0.033, 0.2, 3.0, 40.0], p=[0.1, 0.6, 0.2, 0.05, 0.05]))
        if rng.uniform() < 0.1:
            size = [(320, 180), (64, 48), (200, 400)][rng.integers(3)]
        gray = rng.integers(0, 256, (size[1], size[0]), np.uint8)
        chroma = np.zeros((size[1] // 2, size[0]), np.uint8)
        mover.observe(Picture(*size, PixelFormat.NV12, (gray, chroma)), now_s)
        seen.append(now_s)
        shown_s.append(now_s)
        late = [at_s for at_s in seen if at_s > last_s]
        if late and rng.uniform() < 0.5:
            last_s = float(rng.choice(late))
            n = rng.integers(0, 5)
            corner = rng.uniform(-30, 300, (n, 2))
            boxes = np.hstack([corner, corner + rng.uniform(0.01, 200, (n, 2))])
            ids = rng.choice(8, n, replace=False) if rng.uniform() < 0.8 else np.full(n, -1)
            known |= set(ids.tolist())
            mover.update(tracks(boxes, ids=ids), last_s)
            whole = mover.camera_motion(seen[0], now_s)
            assert np.isfinite(whole).all()
        if kind == "smooth" and rng.uniform() < 0.3:
            continue  # it is shown later
        for at_s in shown_s if kind == "smooth" else [now_s]:
            result = mover.show(at_s)
            assert np.isfinite(result.boxes_xyxy).all()
            assert np.isfinite(result.scores).all()
            assert (result.boxes_xyxy >= 0).all()
            assert (result.boxes_xyxy[:, 2:] > result.boxes_xyxy[:, :2]).all()
            real = result.track_ids[result.track_ids >= 0].tolist()
            assert len(set(real)) == len(real)
            assert set(result.track_ids.tolist()) <= known
        shown_s.clear()
