"""Audio passed through to recorded video."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streamdet.sinks.options import SinkOptions
from tests.sinks.samples import (
    info,
    record,
    result,
    times,
    video_with_audio,
)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_audio_is_passed_through(tmp_path, suffix):
    source = video_with_audio(tmp_path / "in.mp4")
    path = tmp_path / f"out{suffix}"
    results = [result(n, n, time_base=Fraction(1, 25)) for n in range(50)]
    record(path, results, source_info=info(rate=Fraction(25), time_base=Fraction(1, 25), audio_from=source))

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
    audio = [float(t) for t in times(record(tmp_path / "out.mp4", results, source_info=source_info), "audio")]
    assert abs(audio[0] - start_s) < 0.025
    assert end_s - 0.05 < audio[-1] < end_s


def test_audio_can_be_turned_off(tmp_path):
    source = video_with_audio(tmp_path / "in.mp4", seconds=0.4)
    path = record(tmp_path / "out.mp4", [result(0)], SinkOptions(audio=False), info(audio_from=source))
    with av.open(str(path)) as container:
        assert [s.type for s in container.streams] == ["video"]


def test_audio_that_the_container_does_not_support_is_dropped_with_a_warning(tmp_path, caplog):
    source = video_with_audio(tmp_path / "in.avi", codec="pcm_mulaw", seconds=0.4)
    path = record(tmp_path / "out.mp4", [result(0), result(1)], source_info=info(audio_from=source))
    assert len(times(path)) == 2
    (message,) = [r.getMessage() for r in caplog.records]
    assert (
        message == f"the audio of {source} is not recorded: mp4 files do not support pcm_mulaw; to keep it write .mov"
    )
    with_audio = record(tmp_path / "out.mov", [result(0), result(9)], source_info=info(audio_from=source))
    assert times(with_audio, "audio")


def test_an_audio_source_may_be_silent_or_missing(tmp_path, caplog):
    silent = record(tmp_path / "silent.mp4", [result(0)])
    assert len(times(record(tmp_path / "a.mp4", [result(0)], source_info=info(audio_from=silent)))) == 1
    assert caplog.records == []
    gone = tmp_path / "gone.mp4"
    assert len(times(record(tmp_path / "b.mp4", [result(0)], source_info=info(audio_from=gone)))) == 1
    assert [r.levelname for r in caplog.records] == ["WARNING"]


def test_damaged_audio_does_not_end_the_video(tmp_path):
    source = video_with_audio(tmp_path / "in.mkv", codec="mp2", seconds=2)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    path = record(tmp_path / "out.mkv", [result(n) for n in range(55)], source_info=info(audio_from=source))
    assert len(times(path)) == 55
