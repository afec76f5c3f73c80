"""Channels between threads."""

import threading

import pytest

from streamdet.pipeline.queues import Channel, Closed, Policy

pytestmark = pytest.mark.timeout(60)


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
