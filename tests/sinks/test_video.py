"""Recorded video: timestamps, colors, audio, endings and encoders."""

import shutil
import signal
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from streamdet.color import ColorSpace, Matrix
from streamdet.errors import HardwareError, SinkError, UsageError
from streamdet.picture import Picture, PixelFormat
from streamdet.sinks import encoders, recording
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.video import VideoSink
from streamdet.types import Detections, Frame, Result
from tests.sinks.samples import (
    HEIGHT,
    WIDTH,
    brightness,
    decoded,
    info,
    luma,
    picture,
    result,
    times,
    video_with_audio,
)

ROOT = Path(__file__).parent.parent.parent


def write(path: Path, results, options: SinkOptions | None = None, source_info=None) -> Path:
    with VideoSink(path, options) as sink:
        sink.open(source_info or info())
        for one in results:
            sink.write(one)
    return path


def top_boxes(path: Path) -> list[str]:
    """Returns the names of the outermost boxes of an MP4."""
    data, names, offset = path.read_bytes(), [], 0
    while offset + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[offset : offset + 8])
        if size == 1:
            size = struct.unpack(">Q", data[offset + 8 : offset + 16])[0]
        names.append(name.decode("latin-1"))
        offset += size if size else len(data)
    return names


def ffprobe(path: Path, *entries: str) -> list[str]:
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    command = ["ffprobe", "-v", "error", "-select_streams", "v", *entries, "-of", "csv=p=0", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


# Timestamps


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
    path = write(tmp_path / "out.mp4", results, source_info=info(time_base=time_base))
    expected = [value * time_base for value in pts]
    assert times(path) == expected
    unit = Fraction(1, time_base.denominator)
    assert [int(text) * unit for text in ffprobe(path, "-show_entries", "packet=pts")] == expected


def test_a_finer_clock_is_rounded_and_timestamps_still_increase(tmp_path):
    nanoseconds = Fraction(1, 10**9)
    results = [result(n, value, time_base=nanoseconds) for n, value in enumerate([1000, 1200, 1400, 33_000_499])]
    path = write(tmp_path / "out.mp4", results, source_info=info(time_base=nanoseconds))
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
    path = write(tmp_path / "out.mp4", results, source_info=info(rate=rate))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.duration * Fraction(stream.time_base) == expected_s


def test_the_duration_of_a_single_frame_follows_the_rate(tmp_path):
    path = write(tmp_path / "out.mp4", [result(0)])
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
    path = write(
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


@pytest.mark.parametrize(
    ("cores", "configured", "live", "threads"),
    [
        pytest.param(2, 0, False, "4", id="one more than the default of x264"),
        pytest.param(8, 0, False, None, id="enough cores"),
        pytest.param(2, 1, False, None, id="configured"),
        pytest.param(2, 0, True, None, id="camera"),
    ],
)
def test_x264_gets_one_more_thread_on_few_cores(monkeypatch, cores, configured, live, threads):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    chosen = encoders.encoder_settings("libx264", SinkOptions(threads=configured), rate=Fraction(30), live=live)
    assert chosen.options.get("threads") == threads


# Color and geometry


def patches(color: ColorSpace, width: int = 128, height: int = 64) -> tuple[np.ndarray, Picture]:
    """Returns red, green, blue and gray patches in a row, as BGR and as I420 in `color`."""
    bgr = np.zeros((height, width, 3), np.uint8)
    for number, value in enumerate([(0, 0, 255), (0, 255, 0), (255, 0, 0), (128, 128, 128)]):
        bgr[:, number * width // 4 : (number + 1) * width // 4] = value
    return bgr, Picture.from_bgr(bgr, color).copy(PixelFormat.I420)


@pytest.mark.parametrize("matrix", list(Matrix), ids=lambda m: m.name)
@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
def test_colors_are_kept_and_the_file_is_tagged_with_matrix_and_range(tmp_path, matrix, full_range):
    color = ColorSpace(matrix, full_range)
    bgr, i420 = patches(color)
    path = write(tmp_path / "out.mp4", [result(n, shown=i420) for n in range(3)], SinkOptions(quality=5))
    first = decoded(path)[0]
    assert (int(first.colorspace), int(first.color_range)) == (
        {Matrix.BT601: 6, Matrix.BT709: 1, Matrix.BT2020: 9}[matrix],
        2 if full_range else 1,
    )
    read_back = Picture.from_av(first)
    assert read_back.color == color
    centers = np.arange(16, 128, 32)
    np.testing.assert_allclose(read_back.bgr()[32, centers].astype(int), bgr[32, centers].astype(int), atol=6)


@pytest.mark.parametrize(
    ("width", "height", "matrix"),
    [pytest.param(128, 64, Matrix.BT601, id="small"), pytest.param(1280, 720, Matrix.BT709, id="HD")],
)
def test_bgr_gets_the_color_space_that_players_assume(tmp_path, width, height, matrix):
    bgr, _ = patches(ColorSpace(), width, height)
    path = write(
        tmp_path / "out.mp4",
        [result(n, shown=Picture.from_bgr(bgr)) for n in range(2)],
        SinkOptions(quality=5),
        info(width, height),
    )
    read_back = Picture.from_av(decoded(path)[0])
    assert read_back.color == ColorSpace(matrix, full_range=False)
    centers = np.arange(width // 8, width, width // 4)
    np.testing.assert_allclose(read_back.bgr()[9, centers].astype(int), bgr[9, centers].astype(int), atol=6)


def test_a_changed_color_space_is_converted(tmp_path):
    bgr, first = patches(ColorSpace(Matrix.BT601))
    _, later = patches(ColorSpace(Matrix.BT709, full_range=True))
    path = write(tmp_path / "out.mp4", [result(0, shown=first), result(1, shown=later)], SinkOptions(quality=5))
    for frame in decoded(path):
        read_back = Picture.from_av(frame)
        assert read_back.color == ColorSpace(Matrix.BT601)
        np.testing.assert_allclose(read_back.bgr()[32, 16::32].astype(int), bgr[32, 16::32].astype(int), atol=8)


def test_full_range_pictures_of_motion_jpeg_keep_their_samples(tmp_path):
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuvj420p")
    for plane, value in zip(frame.planes, (250, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    path = write(tmp_path / "out.mp4", [result(0, shown=Picture.from_av(frame), annotated=False)])
    first = decoded(path)[0]
    assert abs(float(luma(first).mean()) - 250) < 1  # not compressed to 16..235
    assert int(first.color_range) == 2


@pytest.mark.parametrize("format", list(PixelFormat), ids=lambda f: f.name)
@pytest.mark.parametrize("size", [(95, 63), (96, 63), (95, 64), (1, 1)], ids=str)
def test_odd_sizes_are_padded_and_no_pixel_is_lost(tmp_path, format, size):
    width, height = size
    if format is PixelFormat.NV12 and width == 1:
        pytest.skip("the test cannot make NV12 pictures of one column")
    results = [result(n, shown=picture(n, format, width, height)) for n in range(3)]
    path = write(tmp_path / "out.mp4", results, SinkOptions(quality=1), info(width, height))
    frames = decoded(path)
    assert {(f.width, f.height) for f in frames} == {(width + width % 2, height + height % 2)}
    original = Picture.from_av(results[0].annotated.copy(PixelFormat.I420).to_av())
    if format is not PixelFormat.BGR24:
        difference = luma(frames[0])[:height, :width].astype(int) - original.visible(0)
        assert np.abs(difference).max() <= 3


def test_a_changed_size_is_letterboxed(tmp_path, caplog):
    white = np.full((64, 32, 3), 255, np.uint8)
    shown = Picture.from_bgr(white, ColorSpace(Matrix.BT601)).copy(PixelFormat.I420)
    path = write(
        tmp_path / "out.mp4", [result(0), result(1, shown=shown), result(2, shown=shown)], SinkOptions(quality=5)
    )
    y = luma(decoded(path)[1])
    assert y[32, WIDTH // 2 - 12 : WIDTH // 2 + 12].min() > 225
    assert max(y[:, : WIDTH // 2 - 20].max(), y[:, WIDTH // 2 + 20 :].max()) < 30
    warnings = [r.getMessage() for r in caplog.records]
    assert warnings == [f"{path}: the frame size changed from 96x64 to 32x64; scaling to 96x64"]


# One picture, many sinks


def test_i420_pictures_reach_the_encoder_without_a_copy(tmp_path, monkeypatch):
    seen: list[int] = []
    original = recording.Recording._new_reference

    def watching(self, shown):
        reference = original(self, shown)
        seen.append(reference.planes[0].buffer_ptr)
        return reference

    monkeypatch.setattr(recording.Recording, "_new_reference", watching)
    results = [result(n) for n in range(3)]
    write(tmp_path / "out.mp4", results)
    assert seen == [r.annotated.owner.planes[0].buffer_ptr for r in results]


def test_two_sinks_can_share_a_picture(tmp_path):
    results = [result(n) for n in range(12)]
    with VideoSink(tmp_path / "a.mp4") as a, VideoSink(tmp_path / "b.mkv", SinkOptions(gop_s=0.1)) as b:
        a.open(info())
        b.open(info(time_base=Fraction(1, 1000)))
        for one in results:
            a.write(one)
            b.write(one)
    expected = brightness(r.annotated.owner for r in results)
    for path in (tmp_path / "a.mp4", tmp_path / "b.mkv"):
        np.testing.assert_allclose(brightness(decoded(path)), expected, atol=2)


# Audio


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_audio_is_passed_through(tmp_path, suffix):
    source = video_with_audio(tmp_path / "in.mp4")
    path = tmp_path / f"out{suffix}"
    results = [result(n, n, time_base=Fraction(1, 25)) for n in range(50)]
    write(path, results, source_info=info(rate=Fraction(25), time_base=Fraction(1, 25), audio_from=source))

    def packets(of: Path) -> list[tuple[float, bytes]]:
        with av.open(str(of)) as container:
            return [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(audio=0) if p.size]

    before, after = packets(source), packets(path)
    if suffix == ".mkv":  # no negative timestamps: the silent start of AAC is dropped
        before = [(t, data) for t, data in before if t >= 0]
    assert [data for _, data in after] == [data for _, data in before][: len(after)]
    np.testing.assert_allclose([t for t, _ in after], [t for t, _ in before][: len(after)], atol=0.0006)
    assert 1.95 < after[-1][0] < 2.0
    assert times(path) == [Fraction(n, 25) for n in range(50)]


@pytest.mark.parametrize(
    ("frames", "start_s", "end_s"),
    [
        pytest.param(range(0, 15), 0.0, 0.6, id="stopped early"),
        pytest.param(range(38, 50), 0.52, 2.0, id="started late"),
    ],
)
def test_audio_covers_the_recorded_frames_only(tmp_path, frames, start_s, end_s):
    source = video_with_audio(tmp_path / "in.mp4")
    results = [result(n, n, time_base=Fraction(1, 25)) for n in frames]
    source_info = info(rate=Fraction(25), time_base=Fraction(1, 25), audio_from=source)
    audio = [float(t) for t in times(write(tmp_path / "out.mp4", results, source_info=source_info), "audio")]
    assert abs(audio[0] - start_s) < 0.025
    assert end_s - 0.05 < audio[-1] < end_s


def test_audio_can_be_turned_off(tmp_path):
    source = video_with_audio(tmp_path / "in.mp4", seconds=0.4)
    path = write(tmp_path / "out.mp4", [result(0)], SinkOptions(audio=False), info(audio_from=source))
    with av.open(str(path)) as container:
        assert [s.type for s in container.streams] == ["video"]


def test_audio_that_the_container_does_not_support_is_dropped_with_a_warning(tmp_path, caplog):
    source = video_with_audio(tmp_path / "in.avi", codec="pcm_mulaw", seconds=0.4)
    path = write(tmp_path / "out.mp4", [result(0), result(1)], source_info=info(audio_from=source))
    assert len(times(path)) == 2
    (message,) = [r.getMessage() for r in caplog.records]
    assert (
        message == f"the audio of {source} is not recorded: mp4 files do not support pcm_mulaw; to keep it write .mov"
    )
    with_audio = write(tmp_path / "out.mov", [result(0), result(9)], source_info=info(audio_from=source))
    assert times(with_audio, "audio")


def test_an_audio_source_may_be_silent_or_missing(tmp_path, caplog):
    silent = write(tmp_path / "silent.mp4", [result(0)])
    assert len(times(write(tmp_path / "a.mp4", [result(0)], source_info=info(audio_from=silent)))) == 1
    assert caplog.records == []
    gone = tmp_path / "gone.mp4"
    assert len(times(write(tmp_path / "b.mp4", [result(0)], source_info=info(audio_from=gone)))) == 1
    assert [r.levelname for r in caplog.records] == ["WARNING"]


def test_damaged_audio_does_not_end_the_video(tmp_path):
    source = video_with_audio(tmp_path / "in.mkv", codec="mp2", seconds=2)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    path = write(tmp_path / "out.mkv", [result(n) for n in range(55)], source_info=info(audio_from=source))
    assert len(times(path)) == 55


# Endings


def test_a_closed_file_is_an_ordinary_mp4(tmp_path):
    path = write(tmp_path / "out.mp4", [result(n) for n in range(70)])
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
    write(path, [])
    assert path.read_bytes() == b"precious"


# Encoders


@pytest.mark.parametrize("encoder", ["auto", "libx264", "libx265", "libsvtav1", "libvpx-vp9", "mpeg4"])
def test_every_encoder_records_all_frames(tmp_path, encoder):
    if encoder != "auto" and not encoders.is_encoder(encoder):
        pytest.skip(f"no {encoder} in this FFmpeg")
    results = [result(n) for n in range(10)]
    path = write(tmp_path / "out.mkv", results, SinkOptions(encoder=encoder))
    assert len(times(path)) == 10
    np.testing.assert_allclose(brightness(decoded(path)), brightness(r.annotated.owner for r in results), atol=5)


@pytest.mark.parametrize("encoder", ["libx265", "libsvtav1", "libvpx-vp9", "mpeg4"])
@pytest.mark.parametrize(
    ("time_base", "pts"),
    [
        pytest.param(Fraction(1, 90000), [3003 * n for n in range(10)], id="live"),
        pytest.param(Fraction(1, 1_000_000), [16_667 * n for n in range(10)], id="camera"),
    ],
)
def test_every_encoder_supports_the_time_bases_of_live_sources(tmp_path, encoder, time_base, pts):
    if not encoders.is_encoder(encoder):
        pytest.skip(f"no {encoder} in this FFmpeg")
    results = [result(n, value, time_base=time_base) for n, value in enumerate(pts)]
    live = info(rate=None, live=True, time_base=time_base)
    path = write(tmp_path / "out.mp4", results, SinkOptions(encoder=encoder), live)
    expected = [value * time_base for value in pts]
    if time_base.denominator == 90000:
        assert times(path) == expected
    np.testing.assert_allclose([float(t) for t in times(path)], [float(t) for t in expected], rtol=0, atol=1e-5)


def test_mpeg4_rounds_a_finer_time_base(tmp_path):
    time_base = Fraction(1, 90000)
    results = [result(n, n, time_base=time_base) for n in range(4)]
    path = write(tmp_path / "out.mp4", results, SinkOptions(encoder="mpeg4"), info(time_base=time_base))
    assert [60_000 * t for t in times(path)] == [0, 1, 2, 3]  # no frame is lost, and timestamps increase


@pytest.mark.parametrize("before", [None, b"precious"], ids=["no file", "a file"])
def test_an_encoder_that_refuses_the_pictures_changes_no_file(tmp_path, before):
    path = tmp_path / "out.mp4"
    if before is not None:
        path.write_bytes(before)
    wide = [result(0, shown=picture(0, width=8200, height=2))]  # MPEG-4 has 13 bits for a width
    with pytest.raises(SinkError) as raised:
        write(path, wide, SinkOptions(encoder="mpeg4"), info(8200, 2))
    assert str(raised.value) == (
        f"cannot write {path}: the encoder mpeg4 does not support 8200x2 with a time base of 1/30000 s "
        "(Invalid argument); choose another encoder"
    )
    assert (path.read_bytes() if path.exists() else None) == before


def test_h264_has_the_format_that_browsers_play(tmp_path):
    path = write(tmp_path / "out.mp4", [result(n) for n in range(10)])
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.has_b_frames) == ("h264", "yuv420p", False)


def test_hevc_has_the_tag_that_apple_players_need(tmp_path):
    if not encoders.is_encoder("libx265"):
        pytest.skip("no libx265 in this FFmpeg")
    path = write(tmp_path / "out.mp4", [result(n) for n in range(3)], SinkOptions(encoder="libx265"))
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_an_unknown_encoder_lists_the_available_ones(tmp_path):
    with pytest.raises(UsageError, match=r"no video encoder 'x264' in this FFmpeg; available: .*libx264"):
        VideoSink(tmp_path / "out.mp4", SinkOptions(encoder="x264"))


@pytest.mark.parametrize("name", ["aac", "h264_cuvid", "hevc"])
def test_other_codecs_are_refused_as_encoders(tmp_path, name):
    if name in ("h264_cuvid", "hevc") and encoders.is_encoder(name):
        pytest.skip(f"{name} is an encoder in this FFmpeg")
    with pytest.raises(UsageError, match="no video encoder"):
        VideoSink(tmp_path / "out.mp4", SinkOptions(encoder=name))


@pytest.mark.parametrize("name", ["h264_nvenc", "h264_qsv", "h264_amf"])
def test_a_hardware_encoder_works_or_is_an_error(tmp_path, name):
    if not encoders.is_encoder(name):
        pytest.skip(f"this FFmpeg has no {name}")
    options = SinkOptions(encoder=name)
    try:
        VideoSink(tmp_path / "out.mp4", options)
    except HardwareError:
        with pytest.raises(HardwareError, match=f"the encoder {name} does not work on this machine"):
            VideoSink(tmp_path / "out.mp4", options)
    else:
        results = [result(n, shown=picture(n, width=320, height=240)) for n in range(10)]
        assert len(times(write(tmp_path / "out.mp4", results, options, info(320, 240)))) == 10


def test_the_bitrate_is_near_the_target(tmp_path):
    rng = np.random.default_rng(0)
    frames = [Picture.from_bgr(rng.integers(0, 255, (240, 320, 3), np.uint8)) for _ in range(10)]
    results = [result(n, shown=frames[n % 10]) for n in range(90)]
    for bitrate in (500_000, 2_000_000):
        path = write(tmp_path / f"{bitrate}.mp4", results, SinkOptions(bitrate=bitrate), info(320, 240))
        assert 0.6 < path.stat().st_size * 8 / (90 * 1001 / 30000) / bitrate < 1.6


def test_an_encoder_that_the_container_does_not_support_is_refused(tmp_path):
    if not encoders.is_encoder("libvpx"):
        pytest.skip("no libvpx in this FFmpeg")
    with pytest.raises(UsageError, match=r"mp4 files do not support the encoder libvpx; .*\.mkv"):
        VideoSink(tmp_path / "out.mp4", SinkOptions(encoder="libvpx"))
    assert not (tmp_path / "out.mp4").exists()


def test_a_recording_that_cannot_start_keeps_an_older_file(tmp_path, monkeypatch):
    monkeypatch.setattr(encoders, "check_container_accepts", lambda *_: None)  # as if only the real frame were refused
    if not encoders.is_encoder("libvpx"):
        pytest.skip("no libvpx in this FFmpeg")
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")
    with pytest.raises(SinkError):
        write(path, [result(0)], SinkOptions(encoder="libvpx"))
    assert path.read_bytes() == b"precious"


def test_a_shorter_recording_fully_replaces_a_longer_one(tmp_path):
    path = write(tmp_path / "out.mp4", [result(n) for n in range(60)])
    alone = write(tmp_path / "alone.mp4", [result(0)])
    assert write(path, [result(0)]).read_bytes() == alone.read_bytes()


def test_the_only_metadata_is_the_comment(tmp_path):
    path = write(tmp_path / "out.mp4", [result(0)])
    with av.open(str(path)) as container:
        own = {k: v for k, v in container.metadata.items() if k not in ("major_brand", "minor_version")}
    assert own.pop("comment").startswith("recorded by streamdet ")
    assert set(own) <= {"compatible_brands", "encoder"}
