"""The street scene: reproducible, each frame rendered independently, ground truth equal to the pixels."""

from dataclasses import replace

import numpy as np
import pytest

from streamdet.color import ColorSpace
from streamdet.kernels import compilations
from streamdet.picture import Picture, PixelFormat
from streamdet.scenes.frame_code import frame_code_area
from streamdet.scenes.street.options import PLACES, TIMES, StreetOptions
from streamdet.scenes.street.scene import StreetScene
from streamdet.scenes.street.sprite import composite
from streamdet.scenes.street.trajectories import CAR, LABELS

SMALL = StreetOptions(width=320, height=240)
PLAIN = StreetOptions(width=640, height=360, noise=0, light=0, shake=0, pan=0)


# Mean luma of blocks of 40x40 pixels in frame 100 of the street by day, seed 7, 320x240, without noise.
EXPECTED = (
    (138.3, 133.2, 128.2, 115.6, 97.7, 56.1, 75.3, 89.2),
    (100.1, 83.7, 86.3, 89.5, 95.9, 94.4, 87.7, 89.2),
    (102.6, 72.9, 83.9, 90.9, 105.2, 93.5, 103.9, 82.0),
    (109.4, 94.6, 125.2, 131.3, 129.7, 107.7, 83.7, 81.3),
    (100.8, 109.4, 117.4, 131.3, 132.1, 113.0, 93.8, 99.9),
    (111.9, 108.9, 132.6, 140.8, 138.8, 134.9, 138.2, 139.0),
)


def planes(picture):
    return [picture.visible(k) for k in range(3)]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(planes(one), planes(other), strict=True))


def test_a_frame_depends_only_on_options_and_number():
    scene, other = StreetScene(SMALL), StreetScene(SMALL)
    frames = {index: scene.render(index) for index in (0, 7, 40, 1000, 10**6)}
    for index in (10**6, 40, 1000, 0, 7):
        assert same(frames[index], other.render(index))
    assert not same(frames[0], frames[7])
    assert not same(frames[0], StreetScene(replace(SMALL, seed=8)).render(0))


def test_the_picture_is_the_same_on_every_machine():
    """With every version of NumPy too, except for the last bit of a sine: hence means of blocks."""
    picture = StreetScene(replace(SMALL, place="street", time="day", noise=0)).render(100)
    luma = picture.visible(0)[:240, :320].reshape(6, 40, 8, 40).mean(axis=(1, 3))
    assert np.abs(luma - np.array(EXPECTED)).max() < 0.3, luma.round(1).tolist()


@pytest.mark.parametrize("size", [(160, 120), (321, 243), (240, 426), (640, 120)])
def test_renders_any_picture_size(size):
    scene = StreetScene(replace(SMALL, width=size[0], height=size[1], pan=5, shake=9))
    for index in (0, 55):
        picture = scene.render(index)
        assert (picture.width, picture.height) == size
        assert picture.visible(0).std() > 15
        boxes = scene.ground_truth(index).boxes_xyxy
        assert (boxes >= 0).all()
        assert (boxes <= [*size, *size]).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("time", TIMES)
def test_renders_every_place_at_every_time(place, time):
    scene = StreetScene(replace(SMALL, place=place, time=time))
    assert (scene.place, scene.time) == (place, time)
    assert scene.render(30).visible(0).std() > 15


def test_the_seed_decides_place_and_time():
    seen = {(scene.place, scene.time) for scene in (StreetScene(replace(SMALL, seed=s, width=160)) for s in range(40))}
    assert {place for place, _ in seen} == set(PLACES)
    assert {time for _, time in seen} == set(TIMES)


def flat(options, luma):
    picture = Picture.allocate(options.width, options.height, PixelFormat.I420, ColorSpace())
    for plane, value in zip(picture.planes, (luma, 128, 128), strict=True):
        plane[:] = value
    return picture


@pytest.mark.parametrize(("seed", "index"), [(1, 10), (2, 200), (3, 333), (4, 471), (5, 50), (6, 3000)])
def test_boxes_equal_the_extents_of_the_drawn_figures(seed, index):
    """Draws each figure alone on black and on white: pixels that stay the same are covered, but not by a shadow."""
    options = replace(PLAIN, seed=seed)
    scene = StreetScene(options)
    truth = scene.full_ground_truth(index)
    boxes = []
    for placed in scene._placed(index / 30):
        if placed.state is None:
            continue
        black, white = flat(options, 16), flat(options, 235)
        composite(black, placed.sprite, placed.placement)
        composite(white, placed.sprite, placed.placement)
        covered = 1 - (white.visible(0).astype(float) - black.visible(0)) / 219
        rows, columns = np.nonzero(covered > 0.62)
        if len(rows):
            boxes.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    assert len(boxes) >= 4
    assert len(truth.boxes_xyxy) - len(boxes) in (0, 1)  # of one, no more than the edge of a hand may be inside
    for box in boxes:
        assert np.abs(truth.boxes_xyxy - np.array(box)).max(axis=1).min() <= 2


def test_figures_hide_each_other():
    """Visible boxes lie within full boxes; some figures are mostly hidden, many are not."""
    scene = StreetScene(replace(PLAIN, objects=20))
    shares = []
    for index in range(0, 900, 60):
        truth = scene.full_ground_truth(index)
        for full, seen, share in zip(truth.boxes_xyxy, truth.visible_xyxy, truth.visible, strict=True):
            shares.append(share)
            if share > 0:
                assert (seen[:2] >= full[:2]).all()
                assert (seen[2:] <= full[2:]).all()
    shares = np.array(shares)
    assert shares.max() == 1
    assert (shares < 0.5).mean() > 0.03
    assert (shares > 0.9).mean() > 0.3


def _touch(boxes_xyxy, area):
    rows, columns = area
    left, top, right, bottom = boxes_xyxy.T
    return (left < columns.stop) & (right > columns.start) & (top < rows.stop) & (bottom > rows.start)


def test_no_figure_overlaps_the_frame_code():
    for seed in range(6):
        scene = StreetScene(replace(PLAIN, width=640, height=360, seed=seed, objects=24))
        for index in range(0, 900, 60):
            assert not _touch(scene.full_ground_truth(index).boxes_xyxy, frame_code_area(640, 360)).any()


def test_the_frame_code_hides_figures_behind_it():
    """In very small pictures it extends down to the heads of distant people."""
    scene = StreetScene(replace(PLAIN, width=160, height=120, objects=24))
    behind = 0
    for index in range(0, 600, 40):
        truth = scene.full_ground_truth(index)
        touched = _touch(truth.boxes_xyxy, frame_code_area(160, 120))
        assert (truth.visible[touched] < 1).all()
        behind += touched.sum()
    assert behind > 0


def test_identities_have_one_class_and_are_never_reused():
    scene = StreetScene(replace(PLAIN, width=160, height=120))
    seen, classes = {}, {}
    for index in range(0, 1800, 6):
        truth = scene.full_ground_truth(index)
        ids = truth.track_ids.tolist()
        assert len(set(ids)) == len(ids)
        for track_id, class_id in zip(ids, truth.class_ids.tolist(), strict=True):
            seen.setdefault(track_id, []).append(index)
            classes.setdefault(track_id, set()).add(class_id)
    assert all(len(found) == 1 for found in classes.values())
    assert len(seen) > 24
    assert {LABELS[k] for found in classes.values() for k in found} == set(LABELS)
    # No identity disappears and returns, except for a foot or hand that swings at the edge of the picture.
    assert max(max(np.diff(found), default=6) for found in seen.values()) <= 18


def test_figures_move_steadily():
    """From frame to frame no figure moves farther than the fastest car."""
    scene = StreetScene(replace(PLAIN, seed=11, objects=24))
    before = {}
    for index in range(0, 600):
        for mover in scene._movers:
            for state in mover.states_at(index / 30):
                key = state.slot, state.trip
                if key in before:
                    x, y = before[key]
                    assert abs(state.x - x) < 0.09
                    assert abs(state.y - y) < 0.02
                    before[key] = state.x, state.y
                else:
                    before[key] = state.x, state.y
    assert len(before) > 30


def test_cars_in_a_lane_do_not_drive_into_each_other():
    for seed in range(8):
        scene = StreetScene(replace(PLAIN, seed=seed, objects=24))
        for time_s in np.arange(0, 40, 0.5).tolist():
            lanes = [mover.states_at(time_s) for mover in scene._movers]
            for cars in (states for states in lanes if states[0].class_id == CAR):
                x = np.sort([state.x / scene._ground.meter_at(state.y) for state in cars])
                assert (np.diff(x) > 6.0).all()


def test_effects_of_light_shake_pan_and_noise():
    calm = StreetScene(PLAIN)
    sky = np.s_[:40, :100]  # left of the frame code
    assert np.array_equal(calm.render(0).visible(0)[sky], calm.render(90).visible(0)[sky])
    dimmed = StreetScene(replace(PLAIN, light=60))
    means = [dimmed.render(index).visible(0).mean() for index in range(0, 900, 60)]
    assert max(means) - min(means) > 15
    for moving in (StreetScene(replace(PLAIN, shake=20)), StreetScene(replace(PLAIN, pan=20))):
        assert not np.array_equal(moving.render(0).visible(0)[sky], moving.render(90).visible(0)[sky])
    rough = StreetScene(replace(PLAIN, noise=8)).render(0).visible(0)[sky].astype(int)
    assert 6 < (rough - calm.render(0).visible(0)[sky]).std() < 9


def test_jpeg_option_adds_compression_artifacts():
    clean, coded = (StreetScene(replace(PLAIN, jpeg=q)).render(5).visible(0).astype(int) for q in (0, 20))
    assert 1 < np.abs(clean - coded).mean() < 12


def test_detections_leave_out_hidden_figures():
    truth = StreetScene(replace(PLAIN, objects=20)).full_ground_truth(240)
    assert len(truth.detections(0.0)) == len(truth.visible)
    assert (truth.detections(0.6).scores >= 0.6).all()
    assert truth.detections().labels == LABELS


def test_frames_do_not_depend_on_cached_sprites():
    """Sprites evicted from the cache are drawn again, with the same result."""
    scene, small = StreetScene(SMALL), StreetScene(SMALL)
    small._sprites._max_bytes = 1
    for index in (0, 20, 0):
        assert same(scene.render(index), small.render(index))


def test_nothing_is_compiled_after_the_first_frame():
    scene = StreetScene(replace(SMALL, pan=10, shake=10))
    scene.render(0)
    before = compilations()
    for index in range(1, 90):
        scene.render(index)
    assert compilations() == before
