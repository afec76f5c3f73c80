"""Batches: whose turn it is, how long a batch waits, and how the batcher ends."""

import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.pipeline.batcher import Batcher
from streamdet.pipeline.queues import Closed

from .fakes import (
    frame_at,
    frames,
)

pytestmark = pytest.mark.timeout(60)


def serve(batcher, rounds, arrive):
    """Puts frames of some streams and takes one batch, in each round; returns how often each stream was served."""
    served = Counter()
    for number in range(rounds):
        for name in arrive(number):
            batcher.put(name, frame_at(number))
        served.update(name for name, _ in batcher.take())
    return served


def test_busy_streams_get_equal_turns():
    names = [f"cam{n}" for n in range(4)]
    served = serve(Batcher(1, dict.fromkeys(names, True)), 400, lambda _: names)
    assert set(served.values()) == {100}


@given(st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0, 8.0]), min_size=1, max_size=6))
def test_turns_follow_priorities(priorities):
    shares = {f"cam{n}": p for n, p in enumerate(priorities)}
    served = serve(Batcher(1, dict.fromkeys(shares, True), shares), 600, lambda _: list(shares))
    for name, share in shares.items():
        assert served[name] == pytest.approx(600 * share / sum(priorities), abs=len(priorities) + 1)


def test_a_stream_gets_no_extra_turns_after_a_silence():
    batcher = Batcher(1, {"steady": True, "silent": True})
    serve(batcher, 500, lambda _: ["steady"])
    served = serve(batcher, 20, lambda _: ["steady", "silent"])
    assert served["silent"] == pytest.approx(10, abs=1)


def test_a_stream_keeps_its_turn_when_its_frame_is_replaced():
    """A stream whose waiting frame is replaced repeatedly is still the next one."""
    batcher = Batcher(1, {"slow": True, "quick": True})
    for number in range(50):
        batcher.put("quick", frame_at(number))
        batcher.put("slow", frame_at(number))
    order = []
    for number in range(50, 60):
        batcher.put("quick", frame_at(number))
        batcher.put("slow", frame_at(number))
        order += [name for name, _ in batcher.take()]
    assert Counter(order) == {"slow": 5, "quick": 5}


def test_a_batch_waits_a_limited_time_for_other_streams():
    batcher = Batcher(2, {"a": True, "b": True}, wait_s=60)
    taken = []
    taker = threading.Thread(target=lambda: taken.append(batcher.take()))
    batcher.put("a", frame_at(1))
    taker.start()
    batcher.put("b", frame_at(2))
    taker.join(20)
    assert sorted(name for name, _ in taken[0]) == ["a", "b"]
    quick = Batcher(2, {"a": True, "b": True}, wait_s=0.001)
    quick.put("a", frame_at(1))
    assert [name for name, _ in quick.take()] == ["a"]


@pytest.mark.parametrize("end", [lambda b: b.close("b"), lambda b: b.abort()], ids=["close", "abort"])
def test_a_batch_does_not_wait_for_streams_that_have_ended(end):
    batcher = Batcher(2, {"a": True, "b": True}, wait_s=60)
    batcher.put("a", frame_at(1))
    ended = []

    def take():
        try:
            batcher.take()
        except Exception as error:
            ended.append(error)

    taker = threading.Thread(target=take)
    taker.start()
    end(batcher)
    taker.join(20)
    assert not taker.is_alive()


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
