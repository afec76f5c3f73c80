"""Recorded files: closed, killed, on a full disk, overwritten."""

import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from streamdet.errors import SinkError
from streamdet.picture import Picture
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.video import VideoSink
from tests.sinks.samples import (
    HEIGHT,
    WIDTH,
    brightness,
    decoded,
    ffprobe,
    info,
    record,
    result,
    times,
    top_boxes,
    video_with_audio,
)

ROOT = Path(__file__).parent.parent.parent


def test_a_closed_file_is_an_ordinary_mp4(tmp_path):
    path = record(tmp_path / "out.mp4", [result(n) for n in range(70)])
    assert [name for name in top_boxes(path) if name != "free"] == ["ftyp", "mdat", "moov"]


KILLED = """
import os, sys
sys.path.insert(0, {root!r})
from fractions import Fraction
from pathlib import Path
from streamdet.sinks.video import VideoSink
from tests.sinks.samples import info, result
sink = VideoSink(Path(sys.argv[1]))
audio = Path(sys.argv[2]) if len(sys.argv) > 2 else None
sink.open(info(rate=Fraction(25), time_base=Fraction(1, 25), audio_from=audio))
for number in range(131):
    sink.write(result(number, number, time_base=Fraction(1, 25)))
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("audio_s", [None, 2.0, 8.0], ids=["no audio", "audio ends before", "audio"])
def test_a_killed_process_loses_less_than_its_last_second(tmp_path, suffix, audio_s):
    path = tmp_path / f"out{suffix}"
    audio = [] if audio_s is None else [str(video_with_audio(tmp_path / "in.mp4", seconds=audio_s))]
    script = KILLED.format(root=str(ROOT))
    ended = subprocess.run([sys.executable, "-c", script, str(path), *audio], cwd=ROOT, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    frames = decoded(path)
    assert len(frames) > 131 - 25
    expected = [(16 + 7 * n) % 240 for n in range(len(frames))]
    seen = brightness(frames)
    assert max(abs(a - (16 + 219 * b / 255)) for a, b in zip(seen, expected, strict=True)) < 4
    assert times(path) == [Fraction(n, 25) for n in range(len(frames))]
    assert len(ffprobe(path, "-show_entries", "packet=pts")) == len(frames)
    capture = cv2.VideoCapture(str(path))
    read = 0
    while capture.read()[0]:
        read += 1
    capture.release()
    assert read == len(frames)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_ends_the_recording_and_leaves_it_readable(tmp_path, suffix, monkeypatch):
    resource = pytest.importorskip("resource")
    path = tmp_path / f"out{suffix}"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    rng = np.random.default_rng(0)
    sink = VideoSink(path, SinkOptions(quality=10))
    sink.open(info())
    written = 0

    def fill() -> None:
        nonlocal written
        for written in range(1000):
            bgr = rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
            sink.write(result(written, shown=Picture.from_bgr(bgr)))

    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))  # Python ignores SIGXFSZ: writing fails with EFBIG
    try:
        with pytest.raises(SinkError) as raised:
            fill()
        with pytest.raises(SinkError):
            sink.write(result(written + 1))
        sink.close()
        sink.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(raised.value) == f"cannot write {path}: the disk is full; what was written before stays usable"
    assert path.stat().st_size <= 400_000
    assert written - 30 < len(decoded(path)) <= written + 1
    assert sink.files == [path]


@pytest.mark.parametrize("room", [0, 40, 1500], ids=["none", "for its first bytes", "for its header"])
def test_a_disk_that_is_full_from_the_start_is_an_error(tmp_path, room):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    sink = VideoSink(tmp_path / "out.mp4")
    sink.open(info())
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))

    def run() -> None:
        for number in range(60):
            sink.write(result(number))
        sink.close()

    try:
        with pytest.raises(SinkError, match="the disk is full"):
            run()
        sink.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_at_the_end_leaves_the_frames_readable(tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / "out.mp4"
    sink = VideoSink(path)
    sink.open(info(live=True))
    for number in range(100):
        sink.write(result(number))
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 1200, hard))
    try:
        with pytest.raises(SinkError, match="the disk is full"):
            sink.close()
        sink.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(decoded(path)) >= 100 - 30
    assert "moof" in top_boxes(path)


def test_an_empty_stream_keeps_an_older_file(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")
    record(path, [])
    assert path.read_bytes() == b"precious"


def test_a_shorter_recording_fully_replaces_a_longer_one(tmp_path):
    path = record(tmp_path / "out.mp4", [result(n) for n in range(60)])
    alone = record(tmp_path / "alone.mp4", [result(0)])
    assert record(path, [result(0)]).read_bytes() == alone.read_bytes()


def test_the_only_metadata_is_the_comment(tmp_path):
    path = record(tmp_path / "out.mp4", [result(0)])
    with av.open(str(path)) as container:
        own = {k: v for k, v in container.metadata.items() if k not in ("major_brand", "minor_version")}
    assert own.pop("comment").startswith("recorded by streamdet ")
    assert set(own) <= {"compatible_brands", "encoder"}
