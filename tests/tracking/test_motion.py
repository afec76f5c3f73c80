import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamdet.picture import Picture, PixelFormat
from streamdet.tracking.box_motion import POINT_WEIGHTS, box_motions
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
def test_late_detections_are_brought_to_the_newest_frame(thing, pan):
    mover = LiveMover()
    play(mover, 16, [thing], pan)
    mover.update(tracks([thing.at(0)]), 0.0)  # one second late
    shown = mover.show(15 / FPS)
    assert shown.track_ids.tolist() == [1]
    held, moved = iou(thing.at(0), true_box(thing, 15)), iou(shown.boxes_xyxy[0], true_box(thing, 15))
    assert moved > 0.85
    assert moved > held or held == 1
    play(mover, 22, [thing], pan, start=16)  # and carried on from there
    assert iou(mover.show(21 / FPS).boxes_xyxy[0], true_box(thing, 21)) > 0.8


def test_a_panning_camera_moves_what_has_no_points_of_its_own():
    thing = Thing((200, 80, 280, 280), (3.0, -1.0), plain=True)
    mover = LiveMover()
    play(mover, 11, [thing], pan=(3.0, -1.0))
    mover.update(tracks([thing.at(0)]), 0.0)
    assert iou(mover.show(10 / FPS).boxes_xyxy[0], true_box(thing, 10)) > 0.9


def test_a_box_in_front_does_not_drag_the_one_behind_along():
    behind, front = Thing((300, 60, 380, 260)), Thing((180, 90, 270, 330), (9.0, 0.0), seed=2)
    mover = LiveMover()
    play(mover, 1, [behind, front])
    mover.update(tracks([behind.at(0), front.at(0)]), 0.0)
    for k in range(1, 26):  # it passes over the one behind
        mover.observe(picture(k, [behind, front], noise=1.0), k / FPS)
        shown = dict(zip(mover.show(k / FPS).track_ids.tolist(), mover.show(k / FPS).boxes_xyxy, strict=True))
        if 1 in shown:
            assert iou(shown[1], behind.at(0)) > 0.6, k
    assert iou(shown[2], true_box(front, 25)) > 0.75


def test_what_leaves_the_picture_is_removed_and_nothing_is_shown_outside_it():
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


def test_what_is_hidden_is_removed_rather_than_left_to_drift():
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


def test_the_score_fades_with_the_age_of_the_detection():
    mover = LiveMover(MotionOptions(score_half_life_s=1.0))
    thing = Thing((200, 80, 280, 280))
    play(mover, 16, [thing])
    mover.update(tracks([thing.at(0)], score=0.8), 0.0)
    assert mover.show(1.0).scores[0] == pytest.approx(0.4, rel=1e-3)


def test_an_object_that_newer_detections_miss_coasts_and_goes():
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


def test_ids_scores_and_classes_are_those_of_the_detections_whatever_moves():
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


def test_detections_without_ids_are_moved_too_and_do_not_pile_up():
    thing = Thing((200, 80, 280, 280), (4.0, 0.0))
    mover = LiveMover()
    for k in range(13):
        mover.observe(picture(k, [thing]), k / FPS)
        if k % 4 == 0:
            mover.update(tracks([thing.at(k)], ids=[-1]), k / FPS)
        shown = mover.show(k / FPS)
        assert shown.track_ids.tolist() == [-1]
        assert iou(shown.boxes_xyxy[0], thing.at(k)) > 0.8


def test_nothing_is_shown_before_the_first_detections_or_long_after_the_last():
    mover = LiveMover(MotionOptions(max_unseen_s=1.0))
    play(mover, 2, [])
    assert len(mover.show(1 / FPS)) == 0
    mover.update(tracks([(10, 10, 60, 90)]), 1 / FPS)
    assert len(mover.show(1 / FPS)) == 1
    play(mover, 20, [], start=2)
    assert len(mover.show(19 / FPS)) == 0


def test_without_looking_boxes_go_on_as_from_detection_to_detection():
    mover = LiveMover(MotionOptions(flow=False))
    thing = Thing((100, 80, 180, 280), (5.0, 0.0))
    for k in range(13):
        mover.observe(picture(0), k / FPS)  # the picture does not move: nothing can be taken from it
        if k % 4 == 0 and k < 12:
            mover.update(tracks([thing.at(k)]), k / FPS)
    assert iou(mover.show(12 / FPS).boxes_xyxy[0], thing.at(12)) > 0.8


@pytest.mark.parametrize("size", [(16, 16), (640, 360)])
def test_a_change_of_the_size_of_the_picture_harms_nothing(size):
    from streamdet.color import ColorSpace
    from streamdet.picture import Picture, PixelFormat

    other = Picture.allocate(*size, PixelFormat.I420, ColorSpace())
    mover = LiveMover()
    for k, shown in enumerate([picture(0), other, other, picture(1), picture(2)]):
        mover.observe(shown, k / FPS)
        mover.update(tracks([(1, 1, 9, 9)]), k / FPS)
        assert len(mover.show(k / FPS)) == 1


def test_a_speed_that_is_expected_wins_over_a_background_that_is_seen_through():
    rng = np.random.default_rng(1)
    points = rng.uniform(20, 80, (40, 2)).astype(np.float32)
    shifts = np.where(np.arange(40)[:, None] < 12, [[6.0, 0.0]], [[0.0, 0.0]]).astype(np.float32)
    box, still = np.array([[10.0, 10.0, 90.0, 90.0]]), (0.0, 0.0, 0.0, 0.0)
    from streamdet.tracking.camera_motion import CameraMotion

    camera_motion = CameraMotion(*still)
    told, _ = box_motions(
        box, np.array([[6.0, 0.0]]), np.ones(1, np.bool_), points, shifts, camera_motion, POINT_WEIGHTS
    )
    assert told[0, 0] == pytest.approx(6.0, abs=0.2)
    rest, _ = box_motions(
        box, np.array([[0.0, 0.0]]), np.ones(1, np.bool_), points, shifts, camera_motion, POINT_WEIGHTS
    )
    assert rest[0, 0] == pytest.approx(0.0, abs=0.2)


# Smooth.


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


def test_a_detector_that_jumps_once_does_not_shake_the_trust_in_what_is_seen():
    thing, mover = Thing((120, 80, 200, 280), (4.0, 0.0)), LiveMover()
    jump = np.array([-80.0, 0.0, -80.0, 0.0])
    for k in range(51):
        mover.observe(picture(k, [thing], noise=1.0), k / FPS)
        if k % 10 == 0:
            mover.update(tracks([thing.at(k) + (jump if k == 30 else 0)]), k / FPS)
    play(mover, 61, [thing], start=51)
    assert iou(mover.show(60 / FPS).boxes_xyxy[0], true_box(thing, 60)) > 0.9


class Swing(Thing):
    """Goes to and fro, which no straight line tells."""

    def at(self, k):
        x = 60 * np.sin(2 * np.pi * k / 15)
        return np.add(self.box, (x, 0, x, 0))


def test_between_two_detections_boxes_follow_what_is_seen():
    thing = Swing((280, 80, 360, 280))
    shown = smooth([thing], 31, {0, 15, 30}, delay=22, late=5)
    overlaps = [iou(shown[k].boxes_xyxy[0], thing.at(k)) for k in range(31)]
    held = [iou(thing.at(0), thing.at(k)) for k in range(31)]
    assert np.mean(overlaps) > 0.85 > np.mean(held)  # a straight line holds here


def test_late_and_missing_detections_leave_what_live_shows():
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
    assert not there[0]  # then it was outside the picture
    for k in range(12, 31):
        box = shown[k].boxes_xyxy[shown[k].track_ids.tolist().index(2)]
        assert iou(box, np.clip(new.at(k), 0, [*SIZE, *SIZE])) > 0.6


def test_ids_of_smooth_are_those_of_the_detections_and_never_twice():
    things = [Thing((60 + 150 * n, 80, 120 + 150 * n, 260), (2.0, 0.0), seed=n + 1) for n in range(3)]
    for result in smooth(things, 20, {0, 5, 10, 15}, delay=9, late=2):
        assert sorted(result.track_ids.tolist()) == [1, 2, 3]


def test_before_any_detections_smooth_shows_nothing():
    assert [len(result) for result in smooth([], 5, set(), delay=2, late=1)] == [0] * 5


def test_pairs_are_by_id_and_nobody_is_minus_one():
    pairs = MatchedRows.of(np.array([5, -1, 7]), np.array([-1, 7, 8, 5]))
    assert list(zip(pairs.before.tolist(), pairs.after.tolist(), strict=True)) == [(0, 3), (2, 1)]
    assert pairs.only_before.tolist() == [False, True, False]
    assert pairs.only_after.tolist() == [True, False, True, False]


def test_motion_that_was_measured_wrong_gives_way_to_the_straight_line():
    line = np.array([[10.0, 10, 30, 50]])
    right = interpolate_boxes(line, line + 4, line + 4, np.zeros((1, 4)), np.zeros((1, 4)), 0.5)
    assert np.allclose(right, line + 4)
    wrong = interpolate_boxes(line, line + 4, line + 4, np.full((1, 4), 60.0), np.full((1, 4), -60.0), 0.5)
    assert np.allclose(wrong, line, atol=0.1)


def test_an_object_that_got_a_new_id_is_not_shown_twice():
    thing = Thing((200, 80, 280, 280), (2.0, 0.0))
    for class_id, ids in ((0, [5]), (1, [4, 5])):  # of another class it may be something else
        mover = LiveMover()
        play(mover, 4, [thing])
        mover.update(tracks([thing.at(0)], ids=[4]), 0.0)
        again = tracks([thing.at(3)], ids=[5])
        mover.update(
            Detections(again.boxes_xyxy, again.scores, again.class_ids + np.int32(class_id), again.track_ids), 3 / FPS
        )
        assert sorted(mover.show(3 / FPS).track_ids.tolist()) == ids


@settings(max_examples=60, deadline=None)
@example(134217727, "smooth")  # who came back was put half outside the picture
@given(st.integers(0, 2**32 - 1), st.sampled_from(["live", "smooth", "blind"]))
def test_nothing_that_comes_can_break_it(seed, kind):
    """Any times, gaps, sizes of pictures, boxes and ids: what is shown is finite, in the picture, and of known ids."""
    rng = np.random.default_rng(seed)
    mover = LiveMover(MotionOptions(flow=kind == "live")) if kind != "smooth" else Smoother()
    now_s, last_s, seen, size = float(rng.uniform(-5, 1e6)), -np.inf, [], (320, 180)
    known, shown_s = set(), []
    for _ in range(25):
        now_s += float(rng.choice([0.001, 0.033, 0.2, 3.0, 40.0], p=[0.1, 0.6, 0.2, 0.05, 0.05]))
        if rng.uniform() < 0.1:
            size = [(320, 180), (64, 48), (200, 400)][rng.integers(3)]
        grey = rng.integers(0, 256, (size[1], size[0]), np.uint8)
        chroma = np.zeros((size[1] // 2, size[0]), np.uint8)
        mover.observe(Picture(*size, PixelFormat.NV12, (grey, chroma)), now_s)
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
