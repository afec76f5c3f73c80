"""Timestamps of recorded video."""

from fractions import Fraction

import av
import pytest

from streamdet.picture import Picture
from streamdet.sinks import encoders, recording
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.video import VideoSink
from streamdet.types import Detections, Frame, Result
from tests.sinks.samples import (
    ffprobe,
    info,
    record,
    result,
    times,
)


def test_all_timestamps_of_a_real_clip_are_kept(tmp_path, data_dir):
    path = data_dir / "videos" / "people-walking.mp4"
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate, time_base = Fraction(stream.average_rate), Fraction(stream.time_base)
        with VideoSink(tmp_path / "out.mp4", SinkOptions(preset="ultrafast")) as sink:
            sink.open(info(stream.width, stream.height, rate=rate, time_base=time_base))
            for number, frame in enumerate(container.decode(stream)):
                one = Picture.from_av(frame)
                sink.write(Result(Frame(one, "clip", number, frame.pts, time_base, 0), Detections.empty()))
    expected = sorted(times(path))
    assert len(expected) == 314
    assert times(tmp_path / "out.mp4") == expected
    pts = ("-show_entries", "packet=pts")
    assert ffprobe(tmp_path / "out.mp4", *pts) == sorted(ffprobe(path, *pts), key=int)


@pytest.mark.parametrize(
    ("time_base", "pts"),
    [
        pytest.param(Fraction(1, 30000), [30030, 31031, 40000, 40001], id="29.97, late start, irregular"),
        pytest.param(Fraction(1, 25), [0, 1, 2, 5], id="AVI"),
        pytest.param(Fraction(1, 1000), [7, 40, 74, 107], id="Matroska"),
        pytest.param(Fraction(1, 90000), [3003, 6006, 9009], id="MPEG-TS"),
        pytest.param(Fraction(1, 11456), [0, 384, 768], id="unusual clock"),
        pytest.param(Fraction(1, 1_000_000), [5, 33_333, 1_900_000_000], id="microseconds, gap of half an hour"),
        pytest.param(Fraction(1001, 30000), [0, 1, 2, 7], id="one unit per frame"),
        pytest.param(Fraction(1, 30000), [10**10, 10**10 + 1001], id="starts after days"),
    ],
)
def test_timestamps_are_exact_in_every_reader(tmp_path, time_base, pts):
    results = [result(n, value, time_base=time_base) for n, value in enumerate(pts)]
    path = record(tmp_path / "out.mp4", results, source_info=info(time_base=time_base))
    expected = [value * time_base for value in pts]
    assert times(path) == expected
    unit = Fraction(1, time_base.denominator)
    assert [int(text) * unit for text in ffprobe(path, "-show_entries", "packet=pts")] == expected


def test_a_finer_clock_is_rounded_and_timestamps_still_increase(tmp_path):
    nanoseconds = Fraction(1, 10**9)
    results = [result(n, value, time_base=nanoseconds) for n, value in enumerate([1000, 1200, 1400, 33_000_499])]
    path = record(tmp_path / "out.mp4", results, source_info=info(time_base=nanoseconds))
    assert [t * 1_000_000 for t in times(path)] == [1, 2, 3, 33_000]


@pytest.mark.parametrize(
    ("rate", "duration", "expected_s"),
    [
        pytest.param(Fraction(30000, 1001), 900, Fraction(2002 + 900, 30000), id="duration of the frame"),
        pytest.param(None, 0, Fraction(2002 + 1001, 30000), id="duration of the frame before"),
    ],
)
def test_the_last_frame_has_its_duration(tmp_path, rate, duration, expected_s):
    results = [result(n, 1001 * n, duration=duration if n == 2 else 0) for n in range(3)]
    path = record(tmp_path / "out.mp4", results, source_info=info(rate=rate))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.duration * Fraction(stream.time_base) == expected_s


def test_the_duration_of_a_single_frame_follows_the_rate(tmp_path):
    path = record(tmp_path / "out.mp4", [result(0)])
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.duration * Fraction(stream.time_base) == Fraction(1001, 30000)


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
@pytest.mark.parametrize("live", [False, True], ids=["file", "live"])
def test_key_frames_are_forced_by_time_not_by_count(tmp_path, encoder, live):
    if not encoders.is_encoder(encoder):
        pytest.skip(f"no {encoder} in this FFmpeg")
    steps = [40] * 20 + [400] * 6 + [4000] * 3  # ms: 25, 2.5 and 0.25 frames per second
    pts = [sum(steps[:n]) for n in range(len(steps))]
    milliseconds = Fraction(1, 1000)
    results = [result(n, value, time_base=milliseconds) for n, value in enumerate(pts)]
    path = record(
        tmp_path / "out.mp4",
        results,
        SinkOptions(encoder=encoder, gop_s=0.4),
        info(rate=Fraction(25), live=live, time_base=milliseconds),
    )
    with av.open(str(path)) as container:
        keys = [int(1000 * p.pts * p.time_base) for p in container.demux(video=0) if p.size and p.is_keyframe]
    assert keys == [0, 400, *range(800, 3200, 400), 3200, 7200, 11200]


@pytest.mark.parametrize(
    ("rate", "live", "max_delay"),
    [
        pytest.param(Fraction(30), False, 14, id="file of 30 frames per second"),
        pytest.param(Fraction(10), False, 0, id="slow file"),
        pytest.param(None, False, 0, id="unknown rate"),
        pytest.param(Fraction(30), True, 0, id="camera"),
    ],
)
def test_no_frame_waits_half_a_second_in_the_encoder(tmp_path, monkeypatch, rate, live, max_delay):
    muxed: list[int] = []
    original = recording.Recording._mux

    def counting(self, packets):
        muxed.extend(p.pts for p in packets)
        original(self, packets)

    monkeypatch.setattr(recording.Recording, "_mux", counting)
    with VideoSink(tmp_path / "out.mp4") as sink:
        sink.open(info(rate=rate, live=live))
        delays = []
        for number in range(40):
            sink.write(result(number))
            delays.append(number + 1 - len(muxed))
    assert max(delays) <= max_delay
