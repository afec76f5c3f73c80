"""Augmentation moves boxes together with the pixels."""

import numpy as np
import pytest

from streamdet.train.augment import augment
from tests.train.sample_data import objects_of

WIDTH, HEIGHT = 120, 80
SIZE = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])


def painted(box_px):
    """Returns a gray picture with one bright green rectangle."""
    picture = np.full((HEIGHT, WIDTH, 3), 70, np.uint8)
    left, top, right, bottom = box_px
    picture[top:bottom, left:right] = (20, 250, 20)
    return picture


def green_extents(picture):
    """Returns the extents in 0..1 of the greenest pixels."""
    red, green, blue = (picture[..., k].astype(int) for k in range(3))
    excess = green - np.maximum(red, blue)
    rows, columns = np.nonzero(excess > excess.max() / 2)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / SIZE


@pytest.mark.parametrize("moved", [0.0, 1.0])
@pytest.mark.parametrize("box_px", [(10, 8, 40, 70), (66, 20, 118, 42), (0, 0, 30, 20)])
def test_boxes_follow_pixels(box_px, moved):
    box = np.array(box_px) / SIZE
    places = set()
    for seed in range(40):
        picture, objects = augment(painted(box_px), objects_of([box], [1]), np.random.default_rng(seed), moved)
        assert (picture.shape, picture.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
        if picture.std(axis=2).max() < 8 or not len(objects.boxes_xyxy):
            continue  # the color was removed, or the object moved out
        assert objects.class_ids.tolist() == [1]
        assert ((objects.boxes_xyxy >= 0) & (objects.boxes_xyxy <= 1)).all()
        np.testing.assert_allclose(green_extents(picture) * SIZE, objects.boxes_xyxy[0] * SIZE, atol=1.6)
        places.add(tuple(objects.boxes_xyxy[0].round(2).tolist()))
    assert len(places) == 2 if moved == 0 else len(places) > 20


def test_half_of_the_unmoved_pictures_are_mirrored():
    box = (0.1, 0.2, 0.3, 0.9)
    lefts = [
        float(
            augment(painted((12, 16, 36, 72)), objects_of([box]), np.random.default_rng(seed), 0.0)[1].boxes_xyxy[0, 0]
        )
        for seed in range(60)
    ]
    mirrored = sum(left > 0.5 for left in lefts)
    assert 18 < mirrored < 42
    assert {round(left, 5) for left in lefts} == {0.1, 0.7}


def test_arguments_are_not_modified():
    picture, objects = (
        painted((10, 8, 40, 70)),
        objects_of([(0.1, 0.1, 0.3, 0.9), (0.5, 0.5, 0.6, 0.6)], [0, 1], [0, 1]),
    )
    before = picture.copy(), [part.copy() for part in (objects.boxes_xyxy, objects.class_ids, objects.ignored)]
    picture.flags.writeable = False
    for part in (objects.boxes_xyxy, objects.class_ids, objects.ignored):
        part.flags.writeable = False
    for seed in range(40):
        changed, _ = augment(picture, objects, np.random.default_rng(seed), 0.5)
        assert not np.shares_memory(changed, picture)
    np.testing.assert_array_equal(picture, before[0])
    for part, was in zip((objects.boxes_xyxy, objects.class_ids, objects.ignored), before[1], strict=True):
        np.testing.assert_array_equal(part, was)


def test_the_same_seed_gives_the_same_result():
    box = (0.1, 0.1, 0.4, 0.9)
    one, other = (augment(painted((12, 8, 48, 72)), objects_of([box]), np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1].boxes_xyxy, other[1].boxes_xyxy)


def test_an_object_that_leaves_the_picture_is_ignored_then_removed():
    """A narrow object at the border of moved pictures stays, is cut off, or leaves."""
    seen = {"complete": 0, "ignored": 0, "gone": 0}
    for seed in range(400):
        _, objects = augment(
            painted((0, 20, 12, 60)), objects_of([(0, 0.25, 0.1, 0.75)]), np.random.default_rng(seed), 1.0
        )
        if not len(objects.ignored):
            seen["gone"] += 1
        elif objects.ignored[0]:
            seen["ignored"] += 1
            assert np.ptp(objects.boxes_xyxy[0, ::2]) < 0.05 or np.ptp(objects.boxes_xyxy[0, 1::2]) < 0.2
        else:
            seen["complete"] += 1
    assert min(seen.values()) >= 5, seen


def test_ignored_objects_stay_ignored_and_empty_pictures_stay_empty():
    for seed in range(20):
        random = np.random.default_rng(seed)
        objects = augment(painted((48, 32, 72, 48)), objects_of([(0.4, 0.4, 0.6, 0.6)], [0], [1]), random)[1]
        assert objects.ignored.all()
        empty = augment(painted((48, 32, 72, 48)), objects_of([]), random)[1]
        assert (empty.boxes_xyxy.shape, len(empty.class_ids), len(empty.ignored)) == ((0, 4), 0, 0)


def test_boxes_are_right_to_a_fraction_of_a_pixel():
    """Scaling about pixel centers instead of corners would be off by a quarter of a pixel."""
    box = np.array([30, 24, 90, 56])
    off = []
    for seed in range(80):
        picture, objects = augment(painted(box), objects_of([box / SIZE]), np.random.default_rng(seed), 1.0)
        inside = len(objects.ignored) and (objects.boxes_xyxy[0] > 0).all() and (objects.boxes_xyxy[0] < 1).all()
        if not inside or picture.std(axis=2).max() < 8:
            continue
        red, green, blue = (picture[..., k].astype(float) for k in range(3))
        weight = green - np.maximum(red, blue)
        weight = np.where(weight > weight.max() / 4, weight, 0)
        center = np.array([(weight.sum(axis=0) @ np.arange(0.5, WIDTH)), (weight.sum(axis=1) @ np.arange(0.5, HEIGHT))])
        wanted = (objects.boxes_xyxy[0, :2] + objects.boxes_xyxy[0, 2:]) / 2 * SIZE[:2]
        left, top, right, bottom = objects.boxes_xyxy[0] * SIZE
        grown = (right - left) / 60 - 1, (bottom - top) / 32 - 1
        off.append(np.stack([center / weight.sum() - wanted, grown], axis=1))
    assert len(off) > 20
    away, grown = np.array(off).reshape(-1, 2).T
    assert abs(np.polyfit(grown, away, 1)[0]) < 0.15  # half a pixel per doubling, if it were wrong
