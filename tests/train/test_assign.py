"""Which default boxes answer for which objects."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.model_spec.default_boxes import BoxGrid
from streamdet.models.ssd_small import SmallSsdConfig
from streamdet.train.assign import BACKGROUND, IGNORED, assign, assign_reference, default_boxes_of
from tests.train.sample_data import objects_of

PLAN = SmallSsdConfig(("a", "b"), 160, 96)
PRIORS = {
    "small SSD": default_boxes_of(PLAN.grids),
    "one cell": default_boxes_of([BoxGrid(1, 1, ((0.5, 0.5),))]),
    "squares": default_boxes_of([BoxGrid(4, 4, ((0.25, 0.25), (0.5, 0.5))), BoxGrid(2, 2, ((0.5, 0.5),))]),
}

# Eighths make ties: centres of cells, borders of cells, boxes that are default boxes.
places = st.one_of(st.integers(0, 8).map(lambda n: n / 8), st.floats(0, 1, width=32))
sides = st.one_of(st.sampled_from([0.0, 1e-6, 1 / 8, 1 / 4, 1 / 2, 1.0]), st.floats(0, 1, width=32))


@st.composite
def some_objects(draw):
    rows = draw(st.lists(st.tuples(places, places, sides, sides, st.integers(0, 1), st.booleans()), max_size=6))
    if rows:
        rows += draw(st.lists(st.sampled_from(rows), max_size=2))  # the same box twice
    boxes = [(x, y, min(x + width, 1), min(y + height, 1)) for x, y, width, height, _, _ in rows]
    return objects_of(boxes, [row[4] for row in rows], [row[5] for row in rows])


@given(objects=some_objects(), priors=st.sampled_from(sorted(PRIORS)))
def test_kernel_equals_its_twin(objects, priors):
    ours, theirs = assign(PRIORS[priors], objects), assign_reference(PRIORS[priors], objects)
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])
    assert (ours[0].dtype, ours[1].dtype) == (np.int64, np.float32)


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 30))
def test_kernel_equals_its_twin_in_a_crowd(seed, count):
    random = np.random.default_rng(seed)
    corners = random.random((count, 2), np.float32) * np.float32(0.9)
    sides = random.random((count, 2), np.float32) ** 3
    boxes = np.concatenate([corners, np.minimum(corners + sides, 1)], axis=1)
    objects = objects_of(boxes, random.integers(0, 2, count), random.random(count) < 0.2)
    ours, theirs = assign(PRIORS["small SSD"], objects), assign_reference(PRIORS["small SSD"], objects)
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.fixture(params=[assign, assign_reference], ids=["kernel", "reference"])
def how(request):
    return request.param


def test_nothing_there(how):
    labels, targets = how(PRIORS["small SSD"], objects_of([]))
    assert (labels == BACKGROUND).all()
    assert not targets.any()


@pytest.mark.parametrize("number", [3, 700, 1300, len(PRIORS["small SSD"].xyxy) - 1])
def test_a_default_box_answers_for_the_object_that_it_is(how, number):
    box = PRIORS["small SSD"].xyxy[number]
    labels, targets = how(PRIORS["small SSD"], objects_of([box], [1]))
    assert labels[number] == 2
    taught = labels > BACKGROUND
    assert 0 < taught.sum() < 60
    np.testing.assert_array_equal(targets[taught], np.tile(box, (taught.sum(), 1)))
    assert not targets[~taught].any()


@pytest.mark.parametrize("box", [(0.501, 0.501, 0.504, 0.505), (0, 0, 0.002, 0.002), (0.37, 0.2, 0.3701, 0.9)])
def test_however_small_someone_answers(how, box):
    labels, targets = how(PRIORS["small SSD"], objects_of([box]))
    assert (labels > BACKGROUND).any()
    np.testing.assert_array_equal(targets[labels > BACKGROUND][0], np.array(box, np.float32))


def test_of_two_the_one_that_overlaps_it_more_is_answered_for(how):
    priors = PRIORS["one cell"]
    near, far = (0.25, 0.25, 0.75, 0.75), (0.2, 0.2, 0.8, 0.8)
    for boxes in ([near, far], [far, near]):
        labels, targets = how(priors, objects_of(boxes, [boxes.index(near), boxes.index(far)]))
        assert labels.tolist() == [1]
        np.testing.assert_array_equal(targets, [near])


def test_what_lies_in_something_ignored_learns_nothing_unless_it_answers_for_another(how):
    priors = PRIORS["squares"]
    area = (0.0, 0.0, 0.5, 0.5)
    labels, targets = how(priors, objects_of([area], [0], [True]))
    assert set(labels.tolist()) == {BACKGROUND, IGNORED}
    assert not targets.any()
    # Of 16 cells the four in the area; 0.25 of a side and shifted by half of that, or wholly inside.
    assert np.flatnonzero(labels[:16] == IGNORED).tolist() == [0, 1, 4, 5]
    inside = (0.0, 0.0, 0.25, 0.25)
    for order in (slice(None), slice(None, None, -1)):
        objects = objects_of([area, inside][order], [0, 1][order], [True, False][order])
        labels, _ = how(priors, objects)
        assert labels[0] == 2
        assert np.flatnonzero(labels[:16] == IGNORED).tolist() == [1, 4, 5]


def test_maps_of_priors():
    assert PRIORS["squares"].maps.tolist() == [[0, 16, 2], [32, 4, 1]]
    assert len(PRIORS["squares"].xyxy) == 36
    np.testing.assert_allclose(PRIORS["squares"].xyxy[5], [0.25, 0.25, 0.5, 0.5])
    np.testing.assert_allclose(PRIORS["squares"].centers[16 + 5], [0.375, 0.375])
