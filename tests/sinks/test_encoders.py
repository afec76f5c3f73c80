"""The choice of the encoder, and recording with every encoder."""

import os
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from streamdet.errors import HardwareError, SinkError, UsageError
from streamdet.picture import Picture
from streamdet.sinks import encoders
from streamdet.sinks.options import SinkOptions
from streamdet.sinks.video import VideoSink
from tests.sinks.samples import (
    brightness,
    decoded,
    info,
    picture,
    record,
    result,
    times,
)


@pytest.mark.parametrize("encoder", ["auto", "libx264", "libx265", "libsvtav1", "libvpx-vp9", "mpeg4"])
def test_every_encoder_records_all_frames(tmp_path, encoder):
    if encoder != "auto" and not encoders.is_encoder(encoder):
        pytest.skip(f"no {encoder} in this FFmpeg")
    results = [result(n) for n in range(10)]
    path = record(tmp_path / "out.mkv", results, SinkOptions(encoder=encoder))
    assert len(times(path)) == 10
    np.testing.assert_allclose(brightness(decoded(path)), brightness(r.annotated.owner for r in results), atol=5)


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's scheduling policies")
@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libsvtav1", "libvpx-vp9"])
def test_no_encoder_leaves_real_time_threads(tmp_path, encoder):
    if not encoders.is_encoder(encoder):
        pytest.skip(f"no {encoder} in this FFmpeg")
    sink = VideoSink(tmp_path / "out.mkv", SinkOptions(encoder=encoder))
    sink.open(info())
    sink.write(result(0))
    threads = {int(thread): os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")}
    sink.close()
    assert set(threads.values()) == {os.SCHED_OTHER}


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
    path = record(tmp_path / "out.mp4", results, SinkOptions(encoder=encoder), live)
    expected = [value * time_base for value in pts]
    if time_base.denominator == 90000:
        assert times(path) == expected
    np.testing.assert_allclose([float(t) for t in times(path)], [float(t) for t in expected], rtol=0, atol=1e-5)


def test_mpeg4_rounds_a_finer_time_base(tmp_path):
    time_base = Fraction(1, 90000)
    results = [result(n, n, time_base=time_base) for n in range(4)]
    path = record(tmp_path / "out.mp4", results, SinkOptions(encoder="mpeg4"), info(time_base=time_base))
    assert [60_000 * t for t in times(path)] == [0, 1, 2, 3]  # no frame is lost, and timestamps increase


@pytest.mark.parametrize("before", [None, b"precious"], ids=["no file", "a file"])
def test_an_encoder_that_refuses_the_pictures_changes_no_file(tmp_path, before):
    path = tmp_path / "out.mp4"
    if before is not None:
        path.write_bytes(before)
    wide = [result(0, shown=picture(0, width=8200, height=2))]  # MPEG-4 has 13 bits for a width
    with pytest.raises(SinkError) as raised:
        record(path, wide, SinkOptions(encoder="mpeg4"), info(8200, 2))
    assert str(raised.value) == (
        f"cannot write {path}: the encoder mpeg4 does not support 8200x2 with a time base of 1/30000 s "
        "(Invalid argument); choose another encoder"
    )
    assert (path.read_bytes() if path.exists() else None) == before


def test_h264_has_the_format_that_browsers_play(tmp_path):
    path = record(tmp_path / "out.mp4", [result(n) for n in range(10)])
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.has_b_frames) == ("h264", "yuv420p", False)


def test_hevc_has_the_tag_that_apple_players_need(tmp_path):
    if not encoders.is_encoder("libx265"):
        pytest.skip("no libx265 in this FFmpeg")
    path = record(tmp_path / "out.mp4", [result(n) for n in range(3)], SinkOptions(encoder="libx265"))
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
        assert len(times(record(tmp_path / "out.mp4", results, options, info(320, 240)))) == 10


def test_the_bitrate_is_near_the_target(tmp_path):
    rng = np.random.default_rng(0)
    frames = [Picture.from_bgr(rng.integers(0, 255, (240, 320, 3), np.uint8)) for _ in range(10)]
    results = [result(n, shown=frames[n % 10]) for n in range(90)]
    for bitrate in (500_000, 2_000_000):
        path = record(tmp_path / f"{bitrate}.mp4", results, SinkOptions(bitrate=bitrate), info(320, 240))
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
        record(path, [result(0)], SinkOptions(encoder="libvpx"))
    assert path.read_bytes() == b"precious"


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
