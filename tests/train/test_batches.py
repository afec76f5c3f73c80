"""Batches: what is in them follows from the seed alone, and every picture comes once in an epoch."""

import time

import numpy as np
import pytest

from streamdet.models.ssd_small import SmallSsdConfig
from streamdet.train.assign import assign_reference, default_boxes_of
from streamdet.train.batches import Batches
from tests.train.sample_data import ListSamples, objects_of, rectangles

PLAN = SmallSsdConfig(("a", "b"), 96, 64)
PRIORS = default_boxes_of(PLAN.grids)


def samples_of(count):
    """Pictures whose brightness tells their number, wherever pixels are moved to."""
    drawn = list(rectangles(count, 96, 64))
    size = np.array([96, 64] * 2)
    return ListSamples([picture for picture, _, _ in drawn], [objects_of(b / size, c) for _, b, c in drawn])


class Slow(ListSamples):
    """The first ones take longest: threads finish in another order than they begin."""

    def picture(self, index):
        time.sleep(0.02 * (index % 3))
        return super().picture(index)


class Counted(ListSamples):
    def __init__(self, count):
        super().__init__([np.zeros((64, 96, 3), np.uint8)] * count, [objects_of([])] * count)
        self.asked = []

    def picture(self, index):
        self.asked.append(index)
        return super().picture(index)


def drawn(samples, size=3, seed=1, threads=2, epoch=1):
    return list(Batches(samples, PRIORS, size, seed, threads).epoch(epoch, 0.5))


def same(one, other):
    return all(np.array_equal(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))


def test_the_same_whatever_the_number_of_threads():
    samples = samples_of(9)
    slow = Slow(samples.pictures, samples.found)
    once = drawn(samples, threads=1)
    assert len(once) == 3
    assert same(once, drawn(slow, threads=2))
    assert same(once, drawn(slow, threads=5))
    assert not same(once, drawn(samples, seed=2))
    assert not same(once, drawn(samples, epoch=2))


def test_every_picture_once_in_each_epoch():
    samples = Counted(12)
    orders = []
    for epoch in (1, 2):
        samples.asked.clear()
        assert len(drawn(samples, size=4, epoch=epoch, threads=1)) == 3
        assert sorted(samples.asked) == list(range(12))
        orders.append(tuple(samples.asked))
    assert orders[0] != orders[1]


@pytest.mark.parametrize(("count", "size", "batches", "each"), [(7, 3, 2, 3), (2, 32, 1, 2), (1, 1, 1, 1)])
def test_what_is_left_over_is_not_drawn(count, size, batches, each):
    samples = Counted(count)
    found = drawn(samples, size=size)
    assert len(Batches(samples, PRIORS, size, 0)) == len(found) == batches
    assert len(set(samples.asked)) == len(samples.asked) == batches * each
    assert {batch.pictures.shape for batch in found} == {(each, 64, 96, 3)}


def test_what_is_in_a_batch():
    samples = samples_of(4)
    (batch,) = Batches(samples, PRIORS, 4, 1).epoch(1, 0.0)
    count = len(PRIORS.xyxy)
    assert (batch.pictures.dtype, batch.labels.dtype, batch.boxes_xyxy.dtype) == (np.uint8, np.int64, np.float32)
    assert (batch.labels.shape, batch.boxes_xyxy.shape) == ((4, count), (4, count, 4))
    for labels, boxes in zip(batch.labels, batch.boxes_xyxy, strict=True):
        # Only mirrored: one of the pictures, or its mirror image, must have been asked for these.
        answers = []
        for objects in samples.found:
            mirrored = objects.boxes_xyxy * [-1, 1, -1, 1] + [1, 0, 1, 0]
            for corners in (objects.boxes_xyxy, mirrored[:, [2, 1, 0, 3]]):
                answers.append(assign_reference(PRIORS, objects_of(corners, objects.class_ids)))
        assert any(np.array_equal(labels, a) and np.allclose(boxes, b, atol=1e-6) for a, b in answers)


def test_whoever_stops_leaves_no_thread():
    batches = Batches(Slow(*vars(samples_of(40)).values()), PRIORS, 2, 1).epoch(1, 0.5)
    next(batches)
    batches.close()  # the fixture of all tests looks for threads


def test_errors_come_to_whoever_waits():
    class Broken(ListSamples):
        def picture(self, index):
            raise ValueError("the disk is gone")

    samples = samples_of(9)
    with pytest.raises(ValueError, match="the disk is gone"):
        drawn(Broken(samples.pictures, samples.found))
