"""The delay buffer: its memory limit, and no delay."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from streamdet.picture import Picture
from streamdet.pipeline.captured_frame import CapturedFrame
from streamdet.pipeline.delay_buffer import DelayBuffer
from streamdet.pipeline.queues import Channel, Policy

from .fakes import (
    CountingSource,
)

pytestmark = pytest.mark.timeout(60)


def test_a_full_delay_buffer_yields_the_oldest_frame_early():
    channel = Channel(100, Policy.BLOCK)
    for frame in CountingSource(40).frames():  # 144 bytes each
        channel.put(CapturedFrame(frame))
    channel.close()
    waiting, most, buffer = [], 0, DelayBuffer(channel, 3600.0, 10 * 144)
    end = threading.Event()
    frames = buffer.frames(waiting.append, end.is_set)
    for number in range(30):
        assert next(frames).frame.index == number
        most = max(most, len(waiting) - number)
    assert most == 11  # the eleventh frame pushes the oldest out
    end.set()
    assert [captured.frame.index for captured in frames] == list(range(30, 40))


def test_the_delay_buffer_counts_the_size_of_each_picture():
    channel = Channel(100, Policy.BLOCK)
    (small,) = CountingSource(1).frames()
    large = replace(small, picture=Picture.from_bgr(np.zeros((60, 80, 3), np.uint8)))
    for index in range(20):
        channel.put(CapturedFrame(replace(small if index == 0 else large, index=index)))
    channel.close()
    waiting = []
    buffer = DelayBuffer(channel, 3600.0, 10 * 60 * 80 * 3)
    assert next(buffer.frames(waiting.append, lambda: False)).frame.index == 0
    assert len(waiting) == 11, "ten large frames and the small one"
    assert buffer.shown_early == 1


def test_without_delay_frames_pass_at_once():
    channel = Channel(100, Policy.BLOCK)
    for frame in CountingSource(5).frames():
        channel.put(CapturedFrame(frame))
    channel.close()
    inferred = []
    for number, captured in enumerate(DelayBuffer(channel, 0.0, 1).frames(inferred.append, lambda: False)):
        assert captured.frame.index == number == len(inferred) - 1
