"""Video files of all containers: ordinary, unusual and damaged ones."""

import random
from collections import Counter
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from streamdet.errors import SourceError
from streamdet.sources.base import Source
from streamdet.sources.ffmpeg_input import FFmpegInput, fraction
from streamdet.sources.file import FileSource
from streamdet.types import Frame, SourceInfo
from tests.sources.clips import encode, read_number


def read(path: Path) -> tuple[SourceInfo, list[Frame], Source]:
    with FileSource(path, path.stem) as source:
        info = source.open()
        frames = list(source.frames())
        assert list(source.frames()) == []  # the end is handled once
        return info, frames, source


def numbers(frames: list[Frame]) -> list[int]:
    return [read_number(frame.picture) for frame in frames]


def truncate(path: Path, fraction_kept: float) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * fraction_kept)])
    return path


def damage(path: Path, one_bit_in: int, seed: int = 1) -> Path:
    """Flips bits after the first fifth of the file, so that its header stays intact."""
    rng, data = random.Random(seed), bytearray(path.read_bytes())
    for _ in range(len(data) // one_bit_in):
        data[rng.randrange(len(data) // 5, len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("a.mp4", {}),
        ("a.mov", {}),
        ("a.mkv", {}),
        ("a.ts", {}),
        ("a.avi", {}),
        ("a.flv", {}),
        ("a.h264", {}),
        ("a.webm", {"codec": "libvpx-vp9"}),
        ("a.mpg", {"codec": "mpeg2video"}),
        ("mjpeg.avi", {"codec": "mjpeg", "pix_fmt": "yuvj422p"}),
        ("rgb.mkv", {"codec": "ffv1", "pix_fmt": "bgr0"}),
        ("a.gif", {"codec": "gif", "pix_fmt": "rgb8"}),
        ("444.mp4", {"pix_fmt": "yuv444p", "size": (129, 97)}),
        ("10bit.mkv", {"codec": "ffv1", "pix_fmt": "yuv420p10le"}),
        ("b-frames.mp4", {"options": {"bf": "3", "preset": "medium", "g": "12"}}),
        ("b-frames.avi", {"options": {"bf": "3", "preset": "medium", "g": "12"}}),
        ("fragmented.mp4", {"container": {"movflags": "frag_keyframe+empty_moov"}}),
    ],
)
def test_all_frames_of_every_container_are_read(tmp_path: Path, name: str, encoding: dict) -> None:
    info, frames, source = read(encode(tmp_path / name, 14, **encoding))
    assert numbers(frames) == list(range(14))
    assert info.time_base == frames[0].time_base
    assert [b.pts_s - a.pts_s for a, b in pairwise(frames)] == pytest.approx([0.04] * 13, abs=1e-6)
    assert set(source.faults) <= {"missing_pts"}  # raw H.264 and the end of AVI have no timestamps


def packet_times(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return sorted(packet.pts for packet in container.demux(video=0) if packet.pts is not None)


def test_variable_frame_rates_are_kept_exactly(tmp_path: Path) -> None:
    expected = [0, 40, 41, 300, 301, 999, 5000]
    clip = encode(tmp_path / "vfr.mkv", 7, pts=expected, time_base=Fraction(1, 1000))
    info, frames, source = read(clip)
    assert [frame.pts for frame in frames] == expected == packet_times(clip)
    assert info.time_base == Fraction(1, 1000)
    assert source.faults == {}


def test_info_names_the_file_only_if_it_has_audio(tmp_path: Path) -> None:
    assert read(encode(tmp_path / "mute.mp4"))[0].audio_from is None
    with_audio = encode(tmp_path / "sound.mp4", audio=True)
    assert read(with_audio)[0].audio_from == with_audio


def test_info_and_frames_describe_the_file(tmp_path: Path) -> None:
    info, frames, _ = read(encode(tmp_path / "a.mp4", 12))
    assert (info.frame_count, info.average_rate, info.codec, info.live) == (12, 25, "h264", False)
    assert [frame.key_frame for frame in frames] == [i % 6 == 0 for i in range(12)]
    assert {frame.duration * frame.time_base for frame in frames} == {Fraction(1, 25)}


def test_the_size_may_change_within_a_file(tmp_path: Path) -> None:
    parts = [encode(tmp_path / f"{i}.ts", 8, size).read_bytes() for i, size in enumerate([(128, 96), (160, 112)])]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(parts))
    _, frames, source = read(joined)
    assert numbers(frames) == [*range(8), *range(8)]
    assert [frame.width for frame in frames] == [128] * 8 + [160] * 8
    assert all(a.pts < b.pts for a, b in pairwise(frames))
    assert frames[-1].pts_s - frames[0].pts_s == pytest.approx(15 * 0.04, abs=0.021)  # one after the other
    assert source.faults["backward_pts"] == 2


@pytest.mark.parametrize("name", ["a.mkv", "a.flv", "faststart.mp4"])
def test_a_truncated_file_yields_its_frames_and_counts_a_fault(tmp_path: Path, name: str) -> None:
    clip = truncate(
        encode(tmp_path / name, 75, container={"movflags": "faststart"} if name.endswith("mp4") else None), 0.5
    )
    _, frames, source = read(clip)
    assert 10 <= len(frames) < 70
    assert numbers(frames) == list(range(len(frames)))
    assert source.faults["truncated"] == 1


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "faststart.mp4", "a.h264"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_damage_loses_frames_but_does_not_end_the_source(tmp_path: Path, name: str, seed: int) -> None:
    options = {"movflags": "faststart"} if name.endswith("mp4") else None
    clip = damage(encode(tmp_path / name, 60, container=options), 400, seed)
    info, frames, source = read(clip)
    assert len(frames) >= 4
    assert all(a.pts < b.pts for a, b in pairwise(frames))
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert {(frame.width, frame.height) for frame in frames} == {(info.width, info.height)}
    assert source.faults or any(frame.is_corrupt for frame in frames)


def test_many_undecodable_packets_end_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamdet.sources.ffmpeg_input.MAX_DECODE_ERRORS", 5)
    clip = encode(tmp_path / "a.mkv", 40, options={"g": "1"})
    data = bytearray(clip.read_bytes())
    with av.open(str(clip)) as container:
        positions = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.pos is not None]
    for position, size in positions[10:]:
        data[position + 12 : position + size] = bytes(size - 12)
    clip.write_bytes(data)
    with FileSource(clip, "a") as source:
        source.open()
        frames = source.frames()
        assert [next(frames).index for _ in range(5)] == list(range(5))
        with pytest.raises(SourceError, match=r"a\.\w+: (FFmpeg failed|not a video)"):
            list(frames)
    assert source.faults["decode_error"] == 5


def make_unknown(path: Path) -> Path:
    data = encode(path, 4).read_bytes()
    path.write_bytes(data.replace(b"V_MPEG4/ISO/AVC", b"V_XXXX4/ISO/XVC"))
    return path


def make_playlist(path: Path, text: str) -> Path:
    encode(path.with_name("secret.ts"), 4)
    path.write_text(text.format(folder=path.parent))
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda d: encode(d / "a.mp4", video=False, audio=True), "only audio", id="audio only"),
        pytest.param(lambda d: make_unknown(d / "a.mkv"), "unknown codec", id="unknown codec"),
        pytest.param(lambda d: (d / "a.mp4", (d / "a.mp4").touch())[0], "is empty", id="empty"),
        pytest.param(lambda d: (d / "a.mp4", (d / "a.mp4").write_text("text " * 99))[0], "not a video", id="text"),
        pytest.param(lambda d: (d / "a.avi", (d / "a.avi").write_bytes(bytes(9999)))[0], "not a video", id="zeros"),
        pytest.param(lambda d: truncate(encode(d / "a.mp4", 30), 0.5), "not a video", id="mp4 without its index"),
        pytest.param(lambda d: d, "is a directory", id="directory"),
        pytest.param(lambda d: d / "gone.mp4", "does not exist", id="deleted after creation"),
    ],
)
def test_unreadable_files_are_reported_in_one_line(tmp_path: Path, make, words: str) -> None:
    path = make(tmp_path)
    with FileSource(path, "door") as source, pytest.raises(SourceError, match=words) as raised:
        source.open()
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{folder}/secret.ts\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile secret.ts\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_file_cannot_make_the_program_open_other_files(tmp_path: Path, kind: str) -> None:
    """FFmpeg without the whitelist opens the other file; so it is the whitelist that prevents it."""
    playlist = make_playlist(tmp_path / "list.m3u8", PLAYLISTS[kind])
    with av.open(str(playlist)) as container:
        assert len(list(container.decode(video=0))) == 4
    with FileSource(playlist, "list") as source, pytest.raises(SourceError):
        source.open()


def test_protocols_other_than_file_are_refused(tmp_path: Path) -> None:
    clip = encode(tmp_path / "a.ts", 4)
    settings = FileSource(clip, "a")._settings()
    with pytest.raises(SourceError):
        FFmpegInput(f"concat:{clip}|{clip}", "a", settings, Counter())


@pytest.mark.parametrize(
    ("rational", "expected"),
    [(None, None), (Fraction(0), None), (Fraction(30000, 1001), Fraction(30000, 1001))],
    ids=["none", "zero", "ntsc"],
)
def test_unset_rationals_are_none(rational: Fraction | None, expected: Fraction | None) -> None:
    assert fraction(rational) == expected


def test_a_real_clip_keeps_all_timestamps(data_dir: Path) -> None:
    clip = data_dir / "videos" / "people-walking.mp4"
    with FileSource(clip, "people") as source:
        info = source.open()
        times = [frame.pts for frame in source.frames()]
    assert times == packet_times(clip)
    assert len(times) == info.frame_count == 314
    assert source.faults == {}
