"""The small parts of the pipeline: histogram, box synchronizer, channel and batcher."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.pipeline.batcher import Batcher
from streamdet.pipeline.queues import Channel, Closed, Policy
from streamdet.pipeline.stages import BoxSynchronizer, Inferred
from streamdet.pipeline.stats import Histogram
from streamdet.types import Detected, Detections

from .fakes import CountingSource


def frames(count, name="cam"):
    return list(CountingSource(count, name).frames())


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=300), st.floats(0.1, 100))
def test_percentiles_are_accurate_to_two_percent(values, percent):
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    expected = np.percentile(values, percent, method="inverted_cdf")
    assert histogram.percentile(percent) == pytest.approx(expected, rel=0.02)


def test_a_histogram_accepts_negative_and_infinite_values():
    histogram = Histogram()
    assert np.isnan(histogram.percentile(50))
    for value in (0.0, -1.0, float("inf"), float("nan"), 1e30):
        histogram.add(value)
    assert histogram.count == 3
    assert histogram.percentile(50) == 0


@given(st.sets(st.integers(0, 59), max_size=20), st.integers(0, 59))
def test_the_age_of_detections_is_the_time_to_the_nearest(inferred, shown):
    all_frames = frames(60)
    boxes = BoxSynchronizer(None)
    boxes.take([Inferred(all_frames[number], Detected(Detections.empty())) for number in sorted(inferred)])
    expected = min(
        (abs(all_frames[number].pts_s - all_frames[shown].pts_s) for number in inferred), default=float("inf")
    )
    assert boxes.show(all_frames[shown]).detection_age_s == expected


class LeavingTracker:
    """A tracker whose boxes leave the picture of 8 x 6 pixels."""

    def update(self, detections, time_s, camera_motion=None, picture=None):
        return detections

    def predict(self, time_s):
        boxes = np.array([[-3, 1, 2, 9], [6, 1, 9, 4], [9, 1, 12, 4]], np.float32)
        return Detections(boxes, np.ones(3, np.float32), np.arange(3, dtype=np.int32), np.arange(3))


def test_shown_tracks_are_clipped_to_the_picture():
    first, second = frames(2)
    boxes = BoxSynchronizer(LeavingTracker())
    beyond = Detections(np.array([[-1, -2, 5, 9]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int32))
    boxes.take([Inferred(first, Detected(beyond))])
    assert boxes.show(first).detections.boxes_xyxy.tolist() == [[0, 0, 5, 6]]
    assert beyond.boxes_xyxy.tolist() == [[-1, -2, 5, 9]], "the tracker's own boxes are unchanged"
    shown = boxes.show(second).detections
    assert shown.boxes_xyxy.tolist() == [[0, 1, 2, 6], [6, 1, 8, 4]]
    assert shown.track_ids.tolist() == [0, 1], "a track outside the picture is not shown"


def test_blocking_channel_waits_for_room_and_drains_after_close():
    channel = Channel(2, Policy.BLOCK)
    channel.put(1)
    channel.put(2)
    putter = threading.Thread(target=channel.put, args=(3,))
    putter.start()
    assert [channel.get() for _ in range(3)] == [1, 2, 3]
    putter.join()
    channel.put(4)
    channel.close()
    assert list(channel) == [4]
    with pytest.raises(Closed):
        channel.put(5)


def test_close_wakes_a_waiting_put():
    channel = Channel(1, Policy.BLOCK)
    channel.put(1)
    outcome = []

    def put():
        try:
            channel.put(2)
        except Closed:
            outcome.append("closed")

    putter = threading.Thread(target=put)
    putter.start()
    channel.close()
    putter.join()
    assert outcome == ["closed"]


def test_dropping_channel_keeps_the_newest_and_names_each_drop():
    dropped = []
    channel = Channel(2, Policy.DROP_OLDEST, lambda item, cause: dropped.append((item, cause)))
    for item in range(4):
        channel.put(item)
    assert channel.take_while(lambda item: item < 3) == [2]
    channel.abort("stopped")
    assert dropped == [(0, "queue_full"), (1, "queue_full"), (3, "stopped")]
    with pytest.raises(Closed):
        channel.get()


def test_get_times_out():
    with pytest.raises(TimeoutError):
        Channel(1, Policy.BLOCK).get(timeout_s=0.001)


def test_a_batch_takes_one_frame_of_each_stream_before_a_second():
    batcher = Batcher(3, {"a": False, "b": False, "c": True})
    for frame in frames(3):
        batcher.put("a", frame)
        batcher.put("c", frame)
    batcher.put("b", frames(1)[0])
    taken = [[(name, f.index) for name, f in batcher.take()] for _ in range(2)]
    assert sorted(taken[0]) == [("a", 0), ("b", 0), ("c", 2)]
    assert taken[1] == [("a", 1), ("a", 2)]


def test_the_batcher_ends_after_all_streams():
    batcher = Batcher(8, {"a": False, "b": False})
    batcher.put("a", frames(1)[0])
    batcher.close("a")
    batcher.close("b")
    assert len(batcher.take()) == 1
    with pytest.raises(Closed):
        batcher.take()
    with pytest.raises(Closed):
        batcher.put("a", frames(1)[0])
