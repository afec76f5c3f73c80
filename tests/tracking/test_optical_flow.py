import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamdet.picture import Picture, PixelFormat
from streamdet.tracking import box_motion, camera_motion, optical_flow, propagate, pyramid
from streamdet.tracking.camera_compensation import validated_affine
from streamdet.tracking.frame_motion import FrameMotion, MotionEstimator, MotionHistory
from streamdet.tracking.tracker import ByteTracker
from streamdet.types import Detections

from .moving_pictures import SIZE, Texture, Thing, picture

seeds = st.integers(0, 2**32 - 1)


def random_level(seed, rows=40, columns=60):
    return np.random.default_rng(seed).uniform(0, 255, (rows, columns)).astype(np.float32)


@settings(max_examples=40)
@given(seeds, st.integers(1, 5), st.integers(0, 13), st.booleans())
def test_shrink_equals_its_reference(seed, factor, padding, packed):
    rng = np.random.default_rng(seed)
    width, height = rng.integers(6, 70, 2)
    step, first = (3, 1) if packed else (1, 0)
    plane = rng.integers(0, 256, (height, step * width + padding), np.uint8)
    ours = pyramid.shrink(plane, width, height, factor, step, first)
    assert np.allclose(ours, pyramid.shrink_reference(plane, width, height, factor, step, first), atol=1e-3)


@settings(max_examples=20)
@given(seeds, st.integers(2, 41), st.integers(2, 41))
def test_halve_equals_its_reference(seed, rows, columns):
    level = random_level(seed, rows, columns)
    assert np.allclose(pyramid.halve(level), pyramid.halve_reference(level), atol=1e-3)


@settings(max_examples=40)
@given(seeds, st.integers(2, 9), st.floats(0, 2000))
def test_find_corners_equals_its_reference(seed, cell, slope):
    rng = np.random.default_rng(seed)
    level = random_level(seed)
    wanted = rng.uniform(size=((40 - 2) // cell, (60 - 2) // cell)) < 0.7
    ours = optical_flow.find_corners(level, cell, wanted, slope)
    theirs = optical_flow.find_corners_reference(level, cell, wanted, slope)
    # Rounding may change the result for a cell exactly at the limit, or for two equal pixels.
    assert len(set(map(tuple, ours)) ^ set(map(tuple, theirs))) <= 1


@settings(max_examples=40)
@given(seeds, st.integers(2, 9), st.floats(0, 120), st.integers(1, 4))
def test_select_cells_equals_its_reference(seed, cell, changed, sparse):
    rng = np.random.default_rng(seed)
    before, after = random_level(seed), random_level(seed + 1)
    corner = rng.uniform(-20, 70, (3, 2))
    boxes = np.hstack([corner, corner + rng.uniform(1, 30, (3, 2))])
    ours = optical_flow.select_cells(before, after, cell, boxes, changed, sparse)
    assert (ours != optical_flow.select_cells_reference(before, after, cell, boxes, changed, sparse)).sum() <= 1


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(0.01, 3)), min_size=1, max_size=30))
def test_weighted_median_equals_its_reference(pairs):
    values, weights = np.array(pairs).T.copy()
    assert box_motion.weighted_median(values, weights) == box_motion.weighted_median_reference(values, weights)


@settings(max_examples=30)
@given(seeds)
def test_points_outside_equals_its_reference(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 100, (50, 2)).astype(np.float32)
    corner = rng.uniform(0, 80, (rng.integers(0, 4), 2))
    boxes = np.hstack([corner, corner + rng.uniform(1, 40, corner.shape)])
    assert np.array_equal(
        camera_motion.points_outside(points, boxes), camera_motion.points_outside_reference(points, boxes)
    )


def search_window(before, after, x, y):
    """Returns the best fit of the 8 x 8 window around x, y of `before` in `after`, by trying every tenth of a pixel."""
    window = before[y - 4 : y + 4, x - 4 : x + 4]
    best = (np.inf, 0.0, 0.0)
    for dx in np.arange(-3, 3.01, 0.1):
        for dy in np.arange(-3, 3.01, 0.1):
            left, top = x - 4 + dx, y - 4 + dy
            i, j = int(np.floor(left)), int(np.floor(top))
            fx, fy = left - i, top - j
            part = after[j : j + 9, i : i + 9]
            value = (1 - fy) * ((1 - fx) * part[:8, :8] + fx * part[:8, 1:]) + fy * (
                (1 - fx) * part[1:, :8] + fx * part[1:, 1:]
            )
            best = min(best, (float(((value - window) ** 2).sum()), dx, dy))
    return best[1:]


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.4, -0.3), (1.7, 1.2), (-2.3, 0.6)])
def test_align_window_finds_what_an_exhaustive_search_finds(shift):
    x, y = np.meshgrid(np.arange(80, dtype=np.float32), np.arange(60, dtype=np.float32))
    texture = Texture(3, shortest_px=9)
    before, after = texture(x, y), texture(x - shift[0], y - shift[1])
    for at in ((30, 30), (50, 25), (20, 40)):
        dx, dy, residual = optical_flow.align_window(before, after, *at, 0.0, 0.0)
        assert np.hypot(dx - shift[0], dy - shift[1]) < 0.1
        tried = search_window(before, after, *at)
        assert abs(dx - tried[0]) < 0.15
        assert abs(dy - tried[1]) < 0.15
        assert residual < 6


@settings(max_examples=15, deadline=None)
@given(st.floats(-12, 12), st.floats(-12, 12))
def test_points_are_tracked_to_a_tenth_of_a_pixel(dx, dy):
    before, after = (pyramid.build_pyramid(picture(k, pan=(dx, dy))) for k in (0, 1))
    wanted = np.ones(((360 - 2) // 8, (640 - 2) // 8), np.bool_)
    points = optical_flow.find_corners(before.levels[0], 8, wanted, optical_flow.MIN_GRADIENT)
    shifts, residual = optical_flow.track_points(before.levels, after.levels, points, np.zeros_like(points))
    inner = (points > 30).all(axis=1) & (points < np.array(SIZE) - 30).all(axis=1)
    found = (residual < 8) & inner
    assert found.sum() > 0.85 * inner.sum()
    errors = np.hypot(*(shifts[found] - (dx, dy)).T)
    assert np.median(errors) < 0.05
    assert np.percentile(errors, 95) < 0.3


def test_a_blank_picture_has_no_points_and_no_camera_motion():
    gray = np.full((360, 640), 90, np.uint8)
    blank = Picture(640, 360, PixelFormat.NV12, (gray, gray[:180]))
    meter = MotionEstimator()
    assert meter.measure(blank, 0.0, np.empty((0, 4))) is None
    step = meter.measure(blank, 0.1, np.empty((0, 4)))
    assert len(step.points) == 0
    assert step.camera_motion == camera_motion.NO_CAMERA_MOTION


def test_pyramids_of_all_picture_sizes():
    for width, height in ((16, 16), (31, 17), (640, 360), (1920, 1080), (7680, 4320)):
        gray = np.zeros((height, width), np.uint8)
        small = pyramid.build_pyramid(
            Picture(width, height, PixelFormat.NV12, (gray, np.zeros((-(-height // 2), width + width % 2), np.uint8)))
        )
        assert small is None or min(small.levels[-1].shape) >= pyramid.MIN_LEVEL_PX
        assert small is None or small.levels[0].shape[1] < 1300


CAMERAS = [((3.0, -2.0), 1.0), ((0.0, 0.0), 1.01), ((-5.5, 0.5), 0.995), ((0.0, 0.0), 1.0)]


@pytest.mark.parametrize(("pan", "zoom"), CAMERAS)
def test_camera_motion_is_separated_from_object_motion(pan, zoom):
    things = [Thing((100, 60, 220, 300), (7, 0)), Thing((400, 100, 520, 320), (-6, 2), seed=2)]
    known = np.array([thing.at(0) for thing in things])
    for boxes in (known, np.empty((0, 4))):  # without known boxes, the two objects are outvoted
        meter = MotionEstimator()
        meter.measure(picture(0, things, pan, zoom), 0.0, boxes)
        step = meter.measure(picture(1, things, pan, zoom), 0.1, boxes)
        for x, y in ((50, 50), (600, 330), (320, 180)):
            shift = np.array(camera_motion.shift_at(step.camera_motion, x, y))
            true = np.array(pan) + (zoom - 1) * (np.array([x, y]) - (320, 180) - np.array(pan) * 0)
            assert np.hypot(*(shift - true)) < 0.35, (x, y, shift, true)


def test_contradicting_points_give_no_camera_motion():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 600, (200, 2)).astype(np.float32)
    shifts = rng.uniform(-20, 20, (200, 2)).astype(np.float32)
    assert (
        camera_motion.estimate_camera_motion(points, shifts, np.ones(200, np.bool_), *SIZE)
        == camera_motion.NO_CAMERA_MOTION
    )


def test_a_reversed_motion_leads_back():
    points, shifts = np.array([[10, 20]], np.float32), np.array([[3, -1]], np.float32)
    back = FrameMotion(1.0, 2.0, points, shifts, camera_motion.CameraMotion(3, -1, 0.1, 0.2)).reversed()
    assert (back.points + back.shifts).tolist() == points.tolist()
    assert (back.start_s, back.end_s) == (2.0, 1.0)


@given(st.lists(st.floats(0.001, 0.5), min_size=1, max_size=30), st.floats(0, 1), st.floats(0, 1))
def test_history_covers_exactly_the_time_between(durations, a, b):
    history, now = MotionHistory(keep_s=100), 0.0
    none = np.empty((0, 2), np.float32)
    for duration in durations:
        history.add(FrameMotion(now, now + duration, none, none, camera_motion.NO_CAMERA_MOTION))
        now += duration
    start, end = sorted((a * now, b * now))
    parts = list(history.between(start, end))
    assert sum(share * (step.end_s - step.start_s) for step, share in parts) == pytest.approx(end - start, abs=1e-6)
    assert all(0 < share <= 1 + 1e-9 for _, share in parts)


def test_history_accumulates_camera_motion():
    none, history = np.empty((0, 2), np.float32), MotionHistory()
    steps = [
        camera_motion.CameraMotion(3.0, -1.0, 0.02, 0.01),
        camera_motion.CameraMotion(-2.0, 4.0, -0.01, 0.03),
        camera_motion.CameraMotion(0.5, 0, 0, 0),
    ]
    point = np.array([100.0, 50.0])
    for k, moved in enumerate(steps):
        history.add(FrameMotion(k / 10, (k + 1) / 10, none, none, moved))
        if k < 2:
            point = point + camera_motion.shift_at(moved, *point)
    assert history.camera_motion(0.0, 0.2) @ [100, 50, 1] == pytest.approx(point)
    assert history.camera_motion(0.2, 0.25) @ [0, 0, 1] == pytest.approx([0.25, 0])
    assert np.array_equal(history.camera_motion(0.3, 0.3), np.eye(2, 3))


@pytest.mark.parametrize("period_s", [1.0, 3.0, 4.9])
def test_ids_survive_a_swinging_camera_with_a_slow_detector(period_s):
    """Posts along a street; each inference takes one period, and the camera swings to and fro."""
    none, history, tracker = np.empty((0, 2), np.float32), MotionHistory(), ByteTracker()
    speed = np.repeat(np.random.default_rng(1).normal(0, 6, 40), 10)  # pixels a frame, of ten in a second
    pan = np.concatenate([[0], np.cumsum(speed)])
    owners, changed, seen, inferences = {}, 0, 0, 0
    for k in range(300):
        history.add(FrameMotion(k / 10, (k + 1) / 10, none, none, camera_motion.CameraMotion(speed[k], 0, 0, 0)))
        at_s = inferences * period_s
        if (k + 1) / 10 < at_s + period_s:
            continue
        moved = history.camera_motion(at_s - period_s, at_s) if inferences else None
        left = np.arange(-40, 40) * 110 + pan[round(10 * at_s)]
        posts = np.flatnonzero((left > 0) & (left < 1200))
        boxes = np.stack([left, 0 * left + 100, left + 60, 0 * left + 220], axis=1)[posts].astype(np.float32)
        found = Detections(boxes, np.ones(len(posts), np.float32), np.zeros(len(posts), np.int32))
        shown = tracker.update(found, at_s, moved)
        inferences += 1
        for id, box in zip(shown.track_ids.tolist(), shown.boxes_xyxy, strict=True):
            post = posts[np.abs(boxes[:, 0] - box[0]).argmin()]
            seen += post in owners
            changed += owners.setdefault(post, id) != id
            owners[post] = id
    assert seen > 40
    assert changed <= 0.05 * seen  # at 3 s, of every second one, where only 5 s of the camera are known


def test_accumulated_camera_errors_are_never_rejected_by_the_tracker():
    none, history = np.empty((0, 2), np.float32), MotionHistory(keep_s=100)
    for k in range(300):
        history.add(FrameMotion(k / 30, (k + 1) / 30, none, none, camera_motion.CameraMotion(1.0, 0.0, 0.09, 0.09)))
    for end_s in (0.1, 1.0, 10.0):
        validated_affine(history.camera_motion(0.0, end_s))


def test_a_large_unknown_object_is_not_camera_motion():
    rng = np.random.default_rng(0)
    points = rng.uniform((200, 50), (240, 330), (60, 2)).astype(np.float32)
    shifts = np.tile(np.float32([[9, 2]]), (60, 1))
    assert (
        camera_motion.estimate_camera_motion(points, shifts, np.ones(60, np.bool_), *SIZE)
        == camera_motion.NO_CAMERA_MOTION
    )
    everywhere = rng.uniform((0, 0), SIZE, (60, 2)).astype(np.float32)
    seen = camera_motion.estimate_camera_motion(everywhere, shifts, np.ones(60, np.bool_), *SIZE)
    assert camera_motion.shift_at(seen, 320, 180) == pytest.approx((9, 2), abs=0.01)


numbers = st.floats(-50, 50)


@given(st.tuples(*[numbers] * 4), st.lists(st.tuples(numbers, numbers), min_size=1, max_size=4))
def test_shift_at_equals_its_reference(moved, points):
    ours = [camera_motion.shift_at(camera_motion.CameraMotion(*moved), *point) for point in points]
    np.testing.assert_allclose(
        ours, camera_motion.shift_at_reference(camera_motion.CameraMotion(*moved), np.array(points)), atol=1e-9
    )


@settings(max_examples=40)
@given(seeds, st.integers(0, 80), st.booleans())
def test_estimate_camera_motion_equals_its_reference(seed, count, wild):
    rng = np.random.default_rng(seed)
    points = rng.uniform((0, 0), SIZE, (count, 2)).astype(np.float32)
    true = camera_motion.CameraMotion(*rng.normal(0, (4, 4, 0.01, 0.01)))
    shifts = np.array([camera_motion.shift_at(true, *point) for point in points]).reshape(-1, 2) + rng.normal(
        0, 0.3, (count, 2)
    )
    odd = rng.uniform(size=count) < (0.7 if wild else 0.2)
    shifts[odd] += rng.normal(0, 15, (odd.sum(), 2))
    outside = rng.uniform(size=count) < 0.8
    ours = camera_motion.estimate_camera_motion(points, shifts.astype(np.float32), outside, *SIZE)
    theirs = camera_motion.estimate_camera_motion_reference(points, shifts.astype(np.float32), outside, *SIZE)
    assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-9)


def random_motion(seed, elapsed_s=0.1):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(0, 6), rng.integers(0, 120)
    corner = rng.uniform((-50, -50), (500, 250), (n, 2))
    boxes = np.hstack([corner, corner + rng.uniform(0, (200, 300), (n, 2))])
    points = rng.uniform((0, 0), SIZE, (m, 2)).astype(np.float32)
    shifts = rng.normal(0, 4, (m, 2)).astype(np.float32)
    velocities = np.where(rng.uniform(size=(n, 1)) < 0.3, np.nan, rng.normal(0, (60, 60, 0.1), (n, 3)))
    camera = camera_motion.CameraMotion(*rng.normal(0, (3, 3, 0.01, 0.01)))
    motion = FrameMotion(0.0, elapsed_s, points, shifts, camera)
    return rng, boxes, velocities, rng.uniform(size=n) < 0.7, motion


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_box_motions_equal_their_reference(seed):
    _, boxes, velocities, solid, motion = random_motion(seed)
    arguments = boxes, velocities / 30, solid, motion, box_motion.POINT_WEIGHTS
    for ours, theirs in zip(
        box_motion.box_motions(*arguments), box_motion.box_motions_reference(*arguments), strict=True
    ):
        assert np.allclose(ours, theirs, rtol=1e-6, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(seeds, st.floats(0.005, 2), st.floats(0, 1))
def test_propagate_equals_its_reference(seed, elapsed_s, share):
    rng, boxes, velocities, solid, motion = random_motion(seed, elapsed_s)
    n = len(boxes)
    state = [boxes, velocities, rng.uniform(0, 1, (n, 2)), rng.normal(0, 50, (n, 2)), *rng.normal(0, 9, (2, n, 2))]
    ours, theirs = (propagate.BoxStates(*(part.copy() for part in state)) for _ in range(2))
    rest = solid, motion, share, box_motion.POINT_WEIGHTS
    support = propagate.propagate(ours, *rest)
    assert np.allclose(support, propagate.propagate_reference(theirs, *rest), rtol=1e-6, atol=1e-9)
    for mine, reference in zip(ours, theirs, strict=True):
        assert np.allclose(mine, reference, rtol=1e-6, atol=1e-6, equal_nan=True)


@settings(max_examples=10, deadline=None)
@given(st.floats(-9, 9), st.floats(-9, 9), st.integers(0, 5))
def test_track_points_equals_its_reference(dx, dy, seed):
    before, after = (pyramid.build_pyramid(picture(k, pan=(dx, dy), noise=2.0)) for k in (0, 1))
    rng = np.random.default_rng(seed)
    points = np.floor(rng.uniform((0, 0), SIZE, (60, 2))).astype(np.float32)
    guesses = rng.normal(0, 2, (60, 2)).astype(np.float32)
    ours, ours_off = optical_flow.track_points(before.levels, after.levels, points, guesses)
    theirs, theirs_off = optical_flow.track_points_reference(before.levels, after.levels, points, guesses)
    same = np.isclose(ours, theirs, atol=1e-2).all(axis=1) & np.isclose(ours_off, theirs_off, rtol=1e-2, equal_nan=True)
    assert same.mean() > 0.95  # rounding decides whether an iteration is the last


def test_no_camera_motion_where_all_points_fly_apart():
    rng = np.random.default_rng(0)
    points = rng.uniform(-300, 300, (200, 2)).astype(np.float32)
    assert (
        camera_motion.estimate_camera_motion(points, np.float32(0.3) * points, np.ones(200, np.bool_), *SIZE)
        == camera_motion.NO_CAMERA_MOTION
    )


def test_history_is_bounded_in_time_and_number():
    none = np.empty((0, 2), np.float32)
    history = MotionHistory(keep_s=1.0, most=50)
    for k in range(1000):
        history.add(FrameMotion(k / 20, (k + 1) / 20, none, none, camera_motion.NO_CAMERA_MOTION))
        assert len(history) <= 22
    for k in range(1000):
        history.add(FrameMotion(50 + k / 1e4, 50 + (k + 1) / 1e4, none, none, camera_motion.NO_CAMERA_MOTION))
    assert len(history) == 50
