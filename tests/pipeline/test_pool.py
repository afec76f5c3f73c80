"""The memory of a picture returns to the pool when the last reference to it is gone, and not before."""

import gc
import threading

import av
import numpy as np
import pytest

from streamdet.color import ColorSpace, Matrix
from streamdet.picture import Picture, PixelFormat
from streamdet.pipeline.pool import PicturePool

COLOR = ColorSpace(Matrix.BT709, False)


def take(pool, width=256, height=64):
    return pool.allocate(width, height, PixelFormat.I420, COLOR)


def address(picture):
    return picture.planes[0].ctypes.data


def test_the_memory_of_a_deleted_picture_is_reused():
    pool = PicturePool()
    first = take(pool)
    where = address(first)
    assert len(pool) == 0
    del first
    assert len(pool) == 1
    assert address(take(pool)) == where


def test_every_reference_keeps_the_memory():
    """References: a plane, the frame, and a second frame of FFmpeg for the same pixels, as encoders have."""
    pool = PicturePool()
    picture = take(pool)
    picture.visible(0)[:] = 77
    graph = av.filter.Graph()
    source = graph.add_buffer(width=256, height=64, format=av.VideoFormat("yuv420p", 256, 64), time_base="1/30")
    source.link_to(graph.add("buffersink"))
    graph.configure()
    frame = picture.to_av()
    frame.pts = 0
    graph.push(frame)
    reference = graph.pull()
    plane = picture.planes[1]
    del picture, frame
    gc.collect()
    assert len(pool) == 0
    assert address(take(pool)) != reference.planes[0].buffer_ptr
    assert (np.frombuffer(reference.planes[0], np.uint8) == 77).all()
    before = len(pool)
    del reference, graph, source
    gc.collect()
    assert len(pool) == before  # a plane is still referenced
    del plane
    gc.collect()
    assert len(pool) == before + 1


@pytest.mark.parametrize(
    ("width", "height", "format"),
    [
        (256, 64, PixelFormat.I420),
        (250, 64, PixelFormat.I420),
        (256, 63, PixelFormat.I420),
        (64, 48, PixelFormat.BGR24),
    ],
)
def test_pictures_equal_those_of_allocate(width, height, format):
    ours = PicturePool().allocate(width, height, format, COLOR)
    theirs = Picture.allocate(width, height, format, COLOR)
    assert (ours.width, ours.height, ours.format, ours.color) == (width, height, format, COLOR)
    assert [p.shape for p in ours.planes] == [p.shape for p in theirs.planes]
    assert all(p.flags.writeable and p.ctypes.data % 64 == 0 for p in ours.planes)
    frame = ours.to_av()
    assert (frame.width, frame.height, frame.format.name) == (width, height, format.value)
    assert (int(frame.colorspace), int(frame.color_range)) == (
        int(theirs.to_av().colorspace),
        int(theirs.to_av().color_range),
    )


def test_another_size_discards_the_free_blocks():
    pool = PicturePool()
    small, other = take(pool), take(pool)
    del small
    assert len(pool) == 1
    big = take(pool, 512, 128)
    assert len(pool) == 0
    del other  # returns after the size has changed
    assert len(pool) == 0
    del big
    assert len(pool) == 1


def test_the_number_of_free_blocks_is_limited():
    pool = PicturePool(max_blocks=2)
    pictures = [take(pool) for _ in range(5)]
    assert len({address(picture) for picture in pictures}) == 5
    pictures.clear()
    assert len(pool) == 2


def test_threads_never_share_a_picture():
    pool, wrong = PicturePool(max_blocks=3), []

    def work(number):
        for _ in range(300):
            picture = take(pool)
            picture.visible(0)[:] = number
            if not (picture.visible(0) == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_picture_outlives_its_pool():
    picture = take(PicturePool())
    gc.collect()
    picture.visible(0)[:] = 5
    assert int(picture.visible(0).sum()) == 5 * 256 * 64


def test_a_garbage_collection_during_allocation_does_not_deadlock():
    """A garbage collection may start at any step of a thread, also while the pool is locked."""
    pool = PicturePool()
    kept, reference = take(pool), [take(pool)]
    del kept

    class Collected(list):
        def pop(self):
            reference.clear()
            return super().pop()

    pool._free = Collected(pool._free)
    taking = threading.Thread(target=take, args=(pool,), daemon=True)
    taking.start()
    taking.join(10)
    assert not taking.is_alive()
