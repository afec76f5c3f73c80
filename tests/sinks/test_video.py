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
from tests.sinks.making import (
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
    """Names of the outermost boxes of an MP4."""
    data, names, at = path.read_bytes(), [], 0
    while at + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        if size == 1:
            size = struct.unpack(">Q", data[at + 8 : at + 16])[0]
        names.append(name.decode("latin-1"))
        at += size if size else len(data)
    return names


def ffprobe(path: Path, *entries: str) -> list[str]:
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    command = ["ffprobe", "-v", "error", "-select_streams", "v", *entries, "-of", "csv=p=0", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


# Times


def test_every_time_of_a_real_clip_is_kept(tmp_path, data_dir):
    path = data_dir / "videos" / "people-walking.mp4"
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate, time_base = Fraction(stream.average_rate), Fraction(stream.time_base)
        with VideoSink(tmp_path / "out.mp4", SinkOptions(preset="ultrafast")) as sink:
            sink.open(info(stream.width, stream.height, rate=rate, time_base=time_base))
            for number, frame in enumerate(container.decode(stream)):
                one = Picture.from_av(frame)
                sink.write(Result(Frame(one, "clip", number, frame.pts, time_base, 0), Detections.empty()))
    wanted = sorted(times(path))
    assert len(wanted) == 314
    assert times(tmp_path / "out.mp4") == wanted
    pts = ("-show_entries", "packet=pts")
    assert ffprobe(tmp_path / "out.mp4", *pts) == sorted(ffprobe(path, *pts), key=int)


@pytest.mark.parametrize(
    ("time_base", "pts"),
    [
        pytest.param(Fraction(1, 30000), [30030, 31031, 40000, 40001], id="29.97, late start, uneven"),
        pytest.param(Fraction(1, 25), [0, 1, 2, 5], id="AVI"),
        pytest.param(Fraction(1, 1000), [7, 40, 74, 107], id="Matroska"),
        pytest.param(Fraction(1, 90000), [3003, 6006, 9009], id="MPEG-TS"),
        pytest.param(Fraction(1, 11456), [0, 384, 768], id="odd clock"),
        pytest.param(Fraction(1, 1_000_000), [5, 33_333, 1_900_000_000], id="microseconds, gap of half an hour"),
        pytest.param(Fraction(1001, 30000), [0, 1, 2, 7], id="counts frames"),
        pytest.param(Fraction(1, 30000), [10**10, 10**10 + 1001], id="begins after days"),
    ],
)
def test_times_are_exact_in_every_reader(tmp_path, time_base, pts):
    results = [result(n, value, time_base=time_base) for n, value in enumerate(pts)]
    path = write(tmp_path / "out.mp4", results, source_info=info(time_base=time_base))
    wanted = [value * time_base for value in pts]
    assert times(path) == wanted
    unit = Fraction(1, time_base.denominator)
    assert [int(text) * unit for text in ffprobe(path, "-show_entries", "packet=pts")] == wanted


def test_a_clock_finer_than_files_can_hold_is_rounded_and_never_stands_still(tmp_path):
    nanoseconds = Fraction(1, 10**9)
    results = [result(n, value, time_base=nanoseconds) for n, value in enumerate([1000, 1200, 1400, 33_000_499])]
    path = write(tmp_path / "out.mp4", results, source_info=info(time_base=nanoseconds))
    assert [t * 1_000_000 for t in times(path)] == [1, 2, 3, 33_000]


@pytest.mark.parametrize(
    ("rate", "duration", "wanted_s"),
    [
        pytest.param(Fraction(30000, 1001), 900, Fraction(2002 + 900, 30000), id="as the frame says"),
        pytest.param(None, 0, Fraction(2002 + 1001, 30000), id="like the frame before"),
    ],
)
def test_the_last_frame_is_shown_as_long_as_it_should(tmp_path, rate, duration, wanted_s):
    results = [result(n, 1001 * n, duration=duration if n == 2 else 0) for n in range(3)]
    path = write(tmp_path / "out.mp4", results, source_info=info(rate=rate))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.duration * Fraction(stream.time_base) == wanted_s


def test_a_single_frame_lasts_as_long_as_the_rate_says(tmp_path):
    path = write(tmp_path / "out.mp4", [result(0)])
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.duration * Fraction(stream.time_base) == Fraction(1001, 30000)


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
@pytest.mark.parametrize("live", [False, True], ids=["file", "live"])
def test_key_frames_come_by_time_not_by_count(tmp_path, encoder, live):
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
    ("rate", "live", "late"),
    [
        pytest.param(Fraction(30), False, 14, id="file of 30 frames per second"),
        pytest.param(Fraction(10), False, 0, id="slow file"),
        pytest.param(None, False, 0, id="rate not known"),
        pytest.param(Fraction(30), True, 0, id="camera"),
    ],
)
def test_no_frame_waits_half_a_second_in_the_encoder(tmp_path, monkeypatch, rate, live, late):
    muxed: list[int] = []
    kept = recording.Recording._mux

    def counting(self, packets):
        muxed.extend(p.pts for p in packets)
        kept(self, packets)

    monkeypatch.setattr(recording.Recording, "_mux", counting)
    with VideoSink(tmp_path / "out.mp4") as sink:
        sink.open(info(rate=rate, live=live))
        waiting = []
        for number in range(40):
            sink.write(result(number))
            waiting.append(number + 1 - len(muxed))
    assert max(waiting) <= late


@pytest.mark.parametrize(
    ("cores", "asked", "live", "threads"),
    [
        pytest.param(2, 0, False, "4", id="one more than x264 takes"),
        pytest.param(8, 0, False, None, id="enough cores"),
        pytest.param(2, 1, False, None, id="asked for"),
        pytest.param(2, 0, True, None, id="camera"),
    ],
)
def test_x264_gets_a_thread_more_on_few_cores(monkeypatch, cores, asked, live, threads):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    told = encoders.encoder_settings("libx264", SinkOptions(threads=asked), rate=Fraction(30), live=live)
    assert told.options.get("threads") == threads


# Colour and geometry


def patches(color: ColorSpace, width: int = 128, height: int = 64) -> tuple[np.ndarray, Picture]:
    """Red, green, blue and grey side by side, as BGR and as I420 in `color`."""
    bgr = np.zeros((height, width, 3), np.uint8)
    for number, value in enumerate([(0, 0, 255), (0, 255, 0), (255, 0, 0), (128, 128, 128)]):
        bgr[:, number * width // 4 : (number + 1) * width // 4] = value
    return bgr, Picture.from_bgr(bgr, color).copy(PixelFormat.I420)


@pytest.mark.parametrize("matrix", list(Matrix), ids=lambda m: m.name)
@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
def test_red_is_red_and_the_file_says_how_to_read_it(tmp_path, matrix, full_range):
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
    centres = np.arange(16, 128, 32)
    np.testing.assert_allclose(read_back.bgr()[32, centres].astype(int), bgr[32, centres].astype(int), atol=6)


@pytest.mark.parametrize(
    ("width", "height", "matrix"),
    [pytest.param(128, 64, Matrix.BT601, id="small"), pytest.param(1280, 720, Matrix.BT709, id="HD")],
)
def test_bgr_becomes_what_players_assume(tmp_path, width, height, matrix):
    bgr, _ = patches(ColorSpace(), width, height)
    path = write(
        tmp_path / "out.mp4",
        [result(n, shown=Picture.from_bgr(bgr)) for n in range(2)],
        SinkOptions(quality=5),
        info(width, height),
    )
    read_back = Picture.from_av(decoded(path)[0])
    assert read_back.color == ColorSpace(matrix, full_range=False)
    centres = np.arange(width // 8, width, width // 4)
    np.testing.assert_allclose(read_back.bgr()[9, centres].astype(int), bgr[9, centres].astype(int), atol=6)


def test_colour_that_changes_on_the_way_is_converted(tmp_path):
    bgr, first = patches(ColorSpace(Matrix.BT601))
    _, later = patches(ColorSpace(Matrix.BT709, full_range=True))
    path = write(tmp_path / "out.mp4", [result(0, shown=first), result(1, shown=later)], SinkOptions(quality=5))
    for frame in decoded(path):
        read_back = Picture.from_av(frame)
        assert read_back.color == ColorSpace(Matrix.BT601)
        np.testing.assert_allclose(read_back.bgr()[32, 16::32].astype(int), bgr[32, 16::32].astype(int), atol=8)


def test_pictures_of_motion_jpeg_keep_their_samples(tmp_path):
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuvj420p")
    for plane, value in zip(frame.planes, (250, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    path = write(tmp_path / "out.mp4", [result(0, shown=Picture.from_av(frame), annotated=False)])
    first = decoded(path)[0]
    assert abs(float(luma(first).mean()) - 250) < 1  # not squeezed into 16 to 235
    assert int(first.color_range) == 2


@pytest.mark.parametrize("format", list(PixelFormat), ids=lambda f: f.name)
@pytest.mark.parametrize("size", [(95, 63), (96, 63), (95, 64), (1, 1)], ids=str)
def test_odd_sizes_gain_a_line_and_lose_none(tmp_path, format, size):
    width, height = size
    if format is PixelFormat.NV12 and width == 1:
        pytest.skip("nothing to test: NV12 pictures of one column are beyond what the test can make")
    results = [result(n, shown=picture(n, format, width, height)) for n in range(3)]
    path = write(tmp_path / "out.mp4", results, SinkOptions(quality=1), info(width, height))
    frames = decoded(path)
    assert {(f.width, f.height) for f in frames} == {(width + width % 2, height + height % 2)}
    original = Picture.from_av(results[0].annotated.copy(PixelFormat.I420).to_av())
    if format is not PixelFormat.BGR24:
        difference = luma(frames[0])[:height, :width].astype(int) - original.visible(0)
        assert np.abs(difference).max() <= 3


def test_another_size_is_fitted_with_its_proportions_kept(tmp_path, caplog):
    white = np.full((64, 32, 3), 255, np.uint8)
    shown = Picture.from_bgr(white, ColorSpace(Matrix.BT601)).copy(PixelFormat.I420)
    path = write(
        tmp_path / "out.mp4", [result(0), result(1, shown=shown), result(2, shown=shown)], SinkOptions(quality=5)
    )
    y = luma(decoded(path)[1])
    assert y[32, WIDTH // 2 - 12 : WIDTH // 2 + 12].min() > 225
    assert max(y[:, : WIDTH // 2 - 20].max(), y[:, WIDTH // 2 + 20 :].max()) < 30
    warnings = [r.getMessage() for r in caplog.records]
    assert warnings == [f"{path}: pictures changed from 96x64 to 32x64, and are fitted into 96x64"]


# One picture, many sinks


def test_i420_goes_to_the_encoder_without_a_copy(tmp_path, monkeypatch):
    seen: list[int] = []
    original = recording.Recording._own_frame

    def watching(self, shown):
        own = original(self, shown)
        seen.append(own.planes[0].buffer_ptr)
        return own

    monkeypatch.setattr(recording.Recording, "_own_frame", watching)
    results = [result(n) for n in range(3)]
    write(tmp_path / "out.mp4", results)
    assert seen == [r.annotated.owner.planes[0].buffer_ptr for r in results]


def test_two_sinks_share_a_picture(tmp_path):
    results = [result(n) for n in range(12)]
    with VideoSink(tmp_path / "a.mp4") as a, VideoSink(tmp_path / "b.mkv", SinkOptions(gop_s=0.1)) as b:
        a.open(info())
        b.open(info(time_base=Fraction(1, 1000)))
        for one in results:
            a.write(one)
            b.write(one)
    wanted = brightness(r.annotated.owner for r in results)
    for path in (tmp_path / "a.mp4", tmp_path / "b.mkv"):
        np.testing.assert_allclose(brightness(decoded(path)), wanted, atol=2)


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
    if suffix == ".mkv":  # its times cannot be negative: the start of AAC, without sound, is left out
        before = [(t, data) for t, data in before if t >= 0]
    assert [data for _, data in after] == [data for _, data in before][: len(after)]
    np.testing.assert_allclose([t for t, _ in after], [t for t, _ in before][: len(after)], atol=0.0006)
    assert 1.95 < after[-1][0] < 2.0
    assert times(path) == [Fraction(n, 25) for n in range(50)]


@pytest.mark.parametrize(
    ("frames", "begin_s", "end_s"),
    [
        pytest.param(range(0, 15), 0.0, 0.6, id="stopped early"),
        pytest.param(range(38, 50), 0.52, 2.0, id="began late"),
    ],
)
def test_audio_reaches_as_far_as_the_pictures(tmp_path, frames, begin_s, end_s):
    source = video_with_audio(tmp_path / "in.mp4")
    results = [result(n, n, time_base=Fraction(1, 25)) for n in frames]
    source_info = info(rate=Fraction(25), time_base=Fraction(1, 25), audio_from=source)
    sound = [float(t) for t in times(write(tmp_path / "out.mp4", results, source_info=source_info), "audio")]
    assert abs(sound[0] - begin_s) < 0.025
    assert end_s - 0.05 < sound[-1] < end_s


def test_audio_can_be_left_out(tmp_path):
    source = video_with_audio(tmp_path / "in.mp4", seconds=0.4)
    path = write(tmp_path / "out.mp4", [result(0)], SinkOptions(audio=False), info(audio_from=source))
    with av.open(str(path)) as container:
        assert [s.type for s in container.streams] == ["video"]


def test_audio_that_does_not_fit_is_left_out_and_said(tmp_path, caplog):
    source = video_with_audio(tmp_path / "in.avi", codec="pcm_mulaw", seconds=0.4)
    path = write(tmp_path / "out.mp4", [result(0), result(1)], source_info=info(audio_from=source))
    assert len(times(path)) == 2
    (message,) = [r.getMessage() for r in caplog.records]
    assert message == f"the audio of {source} is left out: a mp4 file cannot hold pcm_mulaw; write .mov to keep it"
    kept = write(tmp_path / "out.mov", [result(0), result(9)], source_info=info(audio_from=source))
    assert times(kept, "audio")


def test_audio_source_without_audio_or_gone(tmp_path, caplog):
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
from tests.sinks.making import info, result
sink = VideoSink(Path(sys.argv[1]))
audio = Path(sys.argv[2]) if len(sys.argv) > 2 else None
sink.open(info(rate=Fraction(25), time_base=Fraction(1, 25), audio_from=audio))
for number in range(131):
    sink.write(result(number, number, time_base=Fraction(1, 25)))
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("sound", [None, 2.0, 8.0], ids=["silent", "sound ends before", "with sound"])
def test_a_killed_process_loses_less_than_its_last_second(tmp_path, suffix, sound):
    path = tmp_path / f"out{suffix}"
    audio = [] if sound is None else [str(video_with_audio(tmp_path / "in.mp4", seconds=sound))]
    script = KILLED.format(root=str(ROOT))
    ended = subprocess.run([sys.executable, "-c", script, str(path), *audio], cwd=ROOT, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    frames = decoded(path)
    assert len(frames) > 131 - 25
    wanted = [(16 + 7 * n) % 240 for n in range(len(frames))]
    seen = brightness(frames)
    assert max(abs(a - (16 + 219 * b / 255)) for a, b in zip(seen, wanted, strict=True)) < 4
    assert times(path) == [Fraction(n, 25) for n in range(len(frames))]
    assert len(ffprobe(path, "-show_entries", "packet=pts")) == len(frames)
    capture = cv2.VideoCapture(str(path))
    read = 0
    while capture.read()[0]:
        read += 1
    capture.release()
    assert read == len(frames)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_ends_the_recording_and_spares_it(tmp_path, suffix, monkeypatch):
    resource = pytest.importorskip("resource")
    path = tmp_path / f"out{suffix}"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0)
    sink = VideoSink(path, SinkOptions(quality=10))
    sink.open(info())
    written = 0

    def fill() -> None:
        nonlocal written
        for written in range(1000):
            bgr = noise.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
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
def test_a_disk_that_is_full_from_the_start(tmp_path, room):
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


def test_a_disk_that_is_full_for_the_end_only(tmp_path):
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


def test_the_file_that_was_there_is_spared_by_an_empty_stream(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")
    write(path, [])
    assert path.read_bytes() == b"precious"


# Choices


@pytest.mark.parametrize("encoder", ["auto", "libx264", "libx265", "libsvtav1", "libvpx-vp9", "mpeg4"])
def test_encoders(tmp_path, encoder):
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
def test_every_encoder_takes_the_clocks_of_live_sources(tmp_path, encoder, time_base, pts):
    if not encoders.is_encoder(encoder):
        pytest.skip(f"no {encoder} in this FFmpeg")
    results = [result(n, value, time_base=time_base) for n, value in enumerate(pts)]
    live = info(rate=None, live=True, time_base=time_base)
    path = write(tmp_path / "out.mp4", results, SinkOptions(encoder=encoder), live)
    wanted = [value * time_base for value in pts]
    if time_base.denominator == 90000:
        assert times(path) == wanted
    np.testing.assert_allclose([float(t) for t in times(path)], [float(t) for t in wanted], rtol=0, atol=1e-5)


def test_mpeg4_holds_a_clock_that_is_finer_than_its_own(tmp_path):
    time_base = Fraction(1, 90000)
    results = [result(n, n, time_base=time_base) for n in range(4)]
    path = write(tmp_path / "out.mp4", results, SinkOptions(encoder="mpeg4"), info(time_base=time_base))
    assert [60_000 * t for t in times(path)] == [0, 1, 2, 3]  # none is lost, and time never stands still


@pytest.mark.parametrize("before", [None, b"precious"], ids=["no file", "a file"])
def test_an_encoder_that_refuses_the_pictures_leaves_everything_as_it_was(tmp_path, before):
    path = tmp_path / "out.mp4"
    if before is not None:
        path.write_bytes(before)
    wide = [result(0, shown=picture(0, width=8200, height=2))]  # MPEG-4 has 13 bits for a width
    with pytest.raises(SinkError) as raised:
        write(path, wide, SinkOptions(encoder="mpeg4"), info(8200, 2))
    assert str(raised.value) == (
        f"cannot write {path}: the encoder mpeg4 takes no pictures of 8200x2 in units of 1/30000 s "
        "(Invalid argument); choose another encoder"
    )
    assert (path.read_bytes() if path.exists() else None) == before


def test_h264_is_what_browsers_play(tmp_path):
    path = write(tmp_path / "out.mp4", [result(n) for n in range(10)])
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.has_b_frames) == ("h264", "yuv420p", False)


def test_hevc_is_tagged_as_apple_plays_it(tmp_path):
    if not encoders.is_encoder("libx265"):
        pytest.skip("no libx265 in this FFmpeg")
    path = write(tmp_path / "out.mp4", [result(n) for n in range(3)], SinkOptions(encoder="libx265"))
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_unknown_encoder_lists_what_there_is(tmp_path):
    with pytest.raises(UsageError, match=r"no video encoder 'x264' in this FFmpeg; there are: .*libx264"):
        VideoSink(tmp_path / "out.mp4", SinkOptions(encoder="x264"))


@pytest.mark.parametrize("name", ["aac", "h264_cuvid", "hevc"])
def test_what_is_no_video_encoder_is_refused(tmp_path, name):
    if name in ("h264_cuvid", "hevc") and encoders.is_encoder(name):
        pytest.skip("an encoder here")
    with pytest.raises(UsageError, match="no video encoder"):
        VideoSink(tmp_path / "out.mp4", SinkOptions(encoder=name))


@pytest.mark.parametrize("name", ["h264_nvenc", "h264_qsv", "h264_amf"])
def test_hardware_that_is_not_there(tmp_path, name):
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


def test_bitrate_is_aimed_at(tmp_path):
    noise = np.random.default_rng(0)
    frames = [Picture.from_bgr(noise.integers(0, 255, (240, 320, 3), np.uint8)) for _ in range(10)]
    results = [result(n, shown=frames[n % 10]) for n in range(90)]
    for bitrate in (500_000, 2_000_000):
        path = write(tmp_path / f"{bitrate}.mp4", results, SinkOptions(bitrate=bitrate), info(320, 240))
        assert 0.6 < path.stat().st_size * 8 / (90 * 1001 / 30000) / bitrate < 1.6


def test_an_encoder_the_container_cannot_hold(tmp_path):
    if not encoders.is_encoder("libvpx"):
        pytest.skip("no libvpx in this FFmpeg")
    with pytest.raises(UsageError, match=r"libvpx cannot write mp4 files; .*\.mkv"):
        VideoSink(tmp_path / "out.mp4", SinkOptions(encoder="libvpx"))
    assert not (tmp_path / "out.mp4").exists()


def test_a_recording_that_cannot_begin_spares_the_file_that_was_there(tmp_path, monkeypatch):
    monkeypatch.setattr(encoders, "check_holds", lambda *_: None)  # as where only the real picture is refused
    if not encoders.is_encoder("libvpx"):
        pytest.skip("no libvpx in this FFmpeg")
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")
    with pytest.raises(SinkError):
        write(path, [result(0)], SinkOptions(encoder="libvpx"))
    assert path.read_bytes() == b"precious"


def test_a_shorter_recording_replaces_a_longer_one_whole(tmp_path):
    path = write(tmp_path / "out.mp4", [result(n) for n in range(60)])
    alone = write(tmp_path / "alone.mp4", [result(0)])
    assert write(path, [result(0)]).read_bytes() == alone.read_bytes()


def test_metadata_is_ours_and_nothing_else(tmp_path):
    path = write(tmp_path / "out.mp4", [result(0)])
    with av.open(str(path)) as container:
        own = {k: v for k, v in container.metadata.items() if k not in ("major_brand", "minor_version")}
    assert own.pop("comment").startswith("recorded by streamdet ")
    assert set(own) <= {"compatible_brands", "encoder"}
