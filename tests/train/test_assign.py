"""Assignment of default boxes to objects."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.model_spec.default_boxes import BoxGrid
from streamdet.models.ssd_small import SmallSsdConfig
from streamdet.train.assign import BACKGROUND, IGNORED, assign, assign_reference, default_boxes_of
from tests.train.sample_data import objects_of

CONFIG = SmallSsdConfig(("a", "b"), 160, 96)
DEFAULT_BOXES = {
    "small SSD": default_boxes_of(CONFIG.grids),
    "one cell": default_boxes_of([BoxGrid(1, 1, ((0.5, 0.5),))]),
    "squares": default_boxes_of([BoxGrid(4, 4, ((0.25, 0.25), (0.5, 0.5))), BoxGrid(2, 2, ((0.5, 0.5),))]),
}

# Multiples of 1/8 create ties: cell centers, cell borders, boxes equal to default boxes.
places = st.one_of(st.integers(0, 8).map(lambda n: n / 8), st.floats(0, 1, width=32))
sides = st.one_of(st.sampled_from([0.0, 1e-6, 1 / 8, 1 / 4, 1 / 2, 1.0]), st.floats(0, 1, width=32))


@st.composite
def some_objects(draw):
    rows = draw(st.lists(st.tuples(places, places, sides, sides, st.integers(0, 1), st.booleans()), max_size=6))
    if rows:
        rows += draw(st.lists(st.sampled_from(rows), max_size=2))  # the same box twice
    boxes = [(x, y, min(x + width, 1), min(y + height, 1)) for x, y, width, height, _, _ in rows]
    return objects_of(boxes, [row[4] for row in rows], [row[5] for row in rows])


@given(objects=some_objects(), default_boxes=st.sampled_from(sorted(DEFAULT_BOXES)))
def test_kernel_equals_reference(objects, default_boxes):
    ours, theirs = (
        assign(DEFAULT_BOXES[default_boxes], objects),
        assign_reference(DEFAULT_BOXES[default_boxes], objects),
    )
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])
    assert (ours[0].dtype, ours[1].dtype) == (np.int64, np.float32)


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 30))
def test_kernel_equals_reference_in_a_crowd(seed, count):
    random = np.random.default_rng(seed)
    corners = random.random((count, 2), np.float32) * np.float32(0.9)
    sides = random.random((count, 2), np.float32) ** 3
    boxes = np.concatenate([corners, np.minimum(corners + sides, 1)], axis=1)
    objects = objects_of(boxes, random.integers(0, 2, count), random.random(count) < 0.2)
    ours, theirs = assign(DEFAULT_BOXES["small SSD"], objects), assign_reference(DEFAULT_BOXES["small SSD"], objects)
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.fixture(params=[assign, assign_reference], ids=["kernel", "reference"])
def assign_either(request):
    return request.param


def test_no_objects(assign_either):
    labels, targets = assign_either(DEFAULT_BOXES["small SSD"], objects_of([]))
    assert (labels == BACKGROUND).all()
    assert not targets.any()


@pytest.mark.parametrize("number", [3, 700, 1300, len(DEFAULT_BOXES["small SSD"].xyxy) - 1])
def test_a_default_box_is_assigned_to_an_equal_object(assign_either, number):
    box = DEFAULT_BOXES["small SSD"].xyxy[number]
    labels, targets = assign_either(DEFAULT_BOXES["small SSD"], objects_of([box], [1]))
    assert labels[number] == 2
    has_object = labels > BACKGROUND
    assert 0 < has_object.sum() < 60
    np.testing.assert_array_equal(targets[has_object], np.tile(box, (has_object.sum(), 1)))
    assert not targets[~has_object].any()


@pytest.mark.parametrize("box", [(0.501, 0.501, 0.504, 0.505), (0, 0, 0.002, 0.002), (0.37, 0.2, 0.3701, 0.9)])
def test_a_tiny_object_gets_a_default_box(assign_either, box):
    labels, targets = assign_either(DEFAULT_BOXES["small SSD"], objects_of([box]))
    assert (labels > BACKGROUND).any()
    np.testing.assert_array_equal(targets[labels > BACKGROUND][0], np.array(box, np.float32))


def test_a_default_box_gets_the_object_with_the_larger_iou(assign_either):
    default_boxes = DEFAULT_BOXES["one cell"]
    near, far = (0.25, 0.25, 0.75, 0.75), (0.2, 0.2, 0.8, 0.8)
    for boxes in ([near, far], [far, near]):
        labels, targets = assign_either(default_boxes, objects_of(boxes, [boxes.index(near), boxes.index(far)]))
        assert labels.tolist() == [1]
        np.testing.assert_array_equal(targets, [near])


def test_boxes_in_an_ignored_area_are_ignored_unless_assigned(assign_either):
    default_boxes = DEFAULT_BOXES["squares"]
    area = (0.0, 0.0, 0.5, 0.5)
    labels, targets = assign_either(default_boxes, objects_of([area], [0], [True]))
    assert set(labels.tolist()) == {BACKGROUND, IGNORED}
    assert not targets.any()
    # Of 16 cells, the four in the area, whose boxes of side 0.25 are inside it.
    assert np.flatnonzero(labels[:16] == IGNORED).tolist() == [0, 1, 4, 5]
    inside = (0.0, 0.0, 0.25, 0.25)
    for order in (slice(None), slice(None, None, -1)):
        objects = objects_of([area, inside][order], [0, 1][order], [True, False][order])
        labels, _ = assign_either(default_boxes, objects)
        assert labels[0] == 2
        assert np.flatnonzero(labels[:16] == IGNORED).tolist() == [1, 4, 5]


def test_default_boxes_of_grids():
    assert DEFAULT_BOXES["squares"].maps.tolist() == [[0, 16, 2], [32, 4, 1]]
    assert len(DEFAULT_BOXES["squares"].xyxy) == 36
    np.testing.assert_allclose(DEFAULT_BOXES["squares"].xyxy[5], [0.25, 0.25, 0.5, 0.5])
    np.testing.assert_allclose(DEFAULT_BOXES["squares"].centers[16 + 5], [0.375, 0.375])
