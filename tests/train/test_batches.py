"""Batches depend on the seed only, and every picture comes once per epoch."""

import time

import numpy as np
import pytest

from streamdet.models.ssd_small import SmallSsdConfig
from streamdet.train.assign import assign_reference, default_boxes_of
from streamdet.train.batches import Batches
from tests.train.sample_data import ListSamples, objects_of, rectangles

CONFIG = SmallSsdConfig(("a", "b"), 96, 64)
DEFAULT_BOXES = default_boxes_of(CONFIG.grids)


def samples_of(count):
    items = list(rectangles(count, 96, 64))
    size = np.array([96, 64] * 2)
    return ListSamples([picture for picture, _, _ in items], [objects_of(b / size, c) for _, b, c in items])


class SlowSamples(ListSamples):
    """Pictures that take different times to read, so that threads finish in a different order than they start."""

    def picture(self, index):
        time.sleep(0.02 * (index % 3))
        return super().picture(index)


class CountedSamples(ListSamples):
    def __init__(self, count):
        super().__init__([np.zeros((64, 96, 3), np.uint8)] * count, [objects_of([])] * count)
        self.accessed = []

    def picture(self, index):
        self.accessed.append(index)
        return super().picture(index)


def batches_of(samples, size=3, seed=1, threads=2, epoch=1):
    return list(Batches(samples, DEFAULT_BOXES, size, seed, threads).epoch(epoch, 0.5))


def same(one, other):
    return all(np.array_equal(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))


def test_batches_do_not_depend_on_the_number_of_threads():
    samples = samples_of(9)
    slow = SlowSamples(samples.pictures, samples.annotated)
    once = batches_of(samples, threads=1)
    assert len(once) == 3
    assert same(once, batches_of(slow, threads=2))
    assert same(once, batches_of(slow, threads=5))
    assert not same(once, batches_of(samples, seed=2))
    assert not same(once, batches_of(samples, epoch=2))


def test_every_picture_comes_once_per_epoch():
    samples = CountedSamples(12)
    orders = []
    for epoch in (1, 2):
        samples.accessed.clear()
        assert len(batches_of(samples, size=4, epoch=epoch, threads=1)) == 3
        assert sorted(samples.accessed) == list(range(12))
        orders.append(tuple(samples.accessed))
    assert orders[0] != orders[1]


@pytest.mark.parametrize(("count", "size", "batches", "each"), [(7, 3, 2, 3), (2, 32, 1, 2), (1, 1, 1, 1)])
def test_an_incomplete_last_batch_is_dropped(count, size, batches, each):
    samples = CountedSamples(count)
    found = batches_of(samples, size=size)
    assert len(Batches(samples, DEFAULT_BOXES, size, 0)) == len(found) == batches
    assert len(set(samples.accessed)) == len(samples.accessed) == batches * each
    assert {batch.pictures.shape for batch in found} == {(each, 64, 96, 3)}


def test_contents_of_a_batch():
    samples = samples_of(4)
    (batch,) = Batches(samples, DEFAULT_BOXES, 4, 1).epoch(1, 0.0)
    count = len(DEFAULT_BOXES.xyxy)
    assert (batch.pictures.dtype, batch.labels.dtype, batch.boxes_xyxy.dtype) == (np.uint8, np.int64, np.float32)
    assert (batch.labels.shape, batch.boxes_xyxy.shape) == ((4, count), (4, count, 4))
    for labels, boxes in zip(batch.labels, batch.boxes_xyxy, strict=True):
        # Without moves, these are the targets of one of the pictures or of its mirror image.
        possible = []
        for objects in samples.annotated:
            mirrored = objects.boxes_xyxy * [-1, 1, -1, 1] + [1, 0, 1, 0]
            for corners in (objects.boxes_xyxy, mirrored[:, [2, 1, 0, 3]]):
                possible.append(assign_reference(DEFAULT_BOXES, objects_of(corners, objects.class_ids)))
        assert any(np.array_equal(labels, a) and np.allclose(boxes, b, atol=1e-6) for a, b in possible)


def test_closing_early_leaves_no_thread():
    batches = Batches(SlowSamples(*vars(samples_of(40)).values()), DEFAULT_BOXES, 2, 1).epoch(1, 0.5)
    next(batches)
    batches.close()  # an automatic fixture fails tests that leave threads


def test_errors_of_workers_reach_the_caller():
    class BrokenSamples(ListSamples):
        def picture(self, index):
            raise ValueError("the disk is gone")

    samples = samples_of(9)
    with pytest.raises(ValueError, match="the disk is gone"):
        batches_of(BrokenSamples(samples.pictures, samples.annotated))
