"""Network streams from a fault-injecting camera."""

import contextlib
import socket
import threading
from collections import Counter
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import pytest

from streamdet.errors import AuthError, SourceError
from streamdet.sources.factory import create_source
from streamdet.sources.ffmpeg_input import FFmpegInput, InputSettings
from streamdet.sources.network import NetworkSource
from streamdet.sources.options import BackoffOptions, SourceOptions
from tests.faultcam import AFTER, FPS, OTHER_SIZE, SIZE, FaultCam
from tests.sources.clips import encode, read_number

SHORT = SourceOptions(
    open_timeout_s=0.6,
    read_timeout_s=0.6,
    stall_timeout_s=1,
    backoff=BackoffOptions(first_s=0.02, cap_s=0.05, auth_s=0.02),
)
PATIENT = replace(SHORT, open_timeout_s=10, read_timeout_s=10)


def source_for(cam: FaultCam, options: SourceOptions = PATIENT) -> NetworkSource:
    return NetworkSource(cam.url, "shown", "cam", options)


@pytest.mark.parametrize(
    ("verb", "kind", "words"),
    [
        ("401", AuthError, "the credentials were refused"),
        ("404", SourceError, r"no such stream \(404\)"),
        ("refuse", SourceError, "not a video stream: are the port and the path right|the server closed the connection"),
        ("accept_then_silent", SourceError, "no answer for 0.6 s"),
        ("describe_slow", SourceError, "no answer for 0.6 s"),
        ("sdp_without_video", SourceError, "it contains no video"),
    ],
)
def test_a_failed_opening_is_reported_in_one_line(verb: str, kind: type[SourceError], words: str) -> None:
    with FaultCam([verb]) as cam, source_for(cam, SHORT) as source, pytest.raises(SourceError, match=words) as raised:
        source.open()
    assert type(raised.value) is kind
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_closed_port_is_an_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with (
        NetworkSource(f"rtsp://127.0.0.1:{port}/cam", "shown", "cam", SHORT) as source,
        pytest.raises(SourceError, match="the connection was refused"),
    ):
        source.open()


def test_an_unknown_host_is_an_error() -> None:
    with (
        NetworkSource("rtsp://no-such-host.invalid/cam", "shown", "cam", PATIENT) as source,
        pytest.raises(SourceError, match="cannot be reached"),
    ):
        source.open()


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("play_then_stall", "no data for 0.6 s"),
        ("garbage", "no frame could be decoded for 1 s"),
        ("fin", "the stream ended"),
        ("rst_mid_stream", "the stream ended|the server closed the connection"),
    ],
)
def test_a_lost_stream_yields_its_frames_before_the_error(verb: str, words: str) -> None:
    options = replace(SHORT, open_timeout_s=10)
    with FaultCam([verb], speed=2) as cam, source_for(cam, options) as source:
        source.open()
        frames = source.frames()
        assert [read_number(frame.picture) for frame in islice(frames, AFTER)] == list(range(AFTER))
        with pytest.raises(SourceError, match=words):
            next(frames)


def test_a_stream_with_a_stated_duration_ends_without_an_error() -> None:
    with FaultCam(["finite"], speed=4) as cam, source_for(cam) as source:
        source.open()
        assert [read_number(frame.picture) for frame in source.frames()] == list(range(15))


@pytest.mark.parametrize(
    ("verb", "faults"),
    [
        ("play", set()),
        ("dup_ts", {"backward_pts"}),
        ("back_ts", {"backward_pts"}),
        ("jump_ts", {"timestamp_jump"}),
        ("drop_packets", set()),
    ],
)
def test_timestamps_increase_and_stay_close_to_the_true_time(verb: str, faults: set[str]) -> None:
    with FaultCam([verb]) as cam, source_for(cam) as source:
        source.open()
        frames = list(islice(source.frames(), 24))
    numbers = [read_number(frame.picture) for frame in frames]
    assert all(a.pts < b.pts for a, b in pairwise(frames))
    assert numbers == sorted(numbers)
    for frame, number in zip(frames, numbers, strict=True):
        assert frame.pts_s == pytest.approx(number / FPS, abs=0.041)
    assert set(source.faults) == faults
    if verb == "play":
        assert {b.pts - a.pts for a, b in pairwise(frames)} == {90_000 // FPS}


def test_the_size_may_change_within_a_stream() -> None:
    with FaultCam(["sps_change"], speed=2) as cam, source_for(cam) as source:
        source.open()
        sizes = [(frame.width, frame.height) for frame in islice(source.frames(), 20)]
    assert sizes == [SIZE] * 10 + [OTHER_SIZE] * 10


def test_a_stop_while_waiting_for_data_is_not_an_error() -> None:
    with FaultCam(["play_then_stall"], speed=4) as cam, source_for(cam, replace(SHORT, open_timeout_s=10)) as source:
        source.open()
        frames = source.frames()
        assert len(list(islice(frames, AFTER))) == AFTER
        stopper = threading.Timer(0.1, source.request_stop)  # while the read below waits
        stopper.start()
        assert list(frames) == []
        stopper.join()


@pytest.mark.parametrize(("transport", "header"), [("tcp", "RTP/AVP/TCP"), ("udp", "RTP/AVP/UDP")])
def test_the_configured_transport_is_requested(transport: str, header: str) -> None:
    with FaultCam(["play"]) as cam:
        with source_for(cam, replace(SHORT, rtsp_transport=transport)) as source:
            if transport == "tcp":
                source.open()
            else:
                with pytest.raises(SourceError):  # this camera supports TCP only
                    source.open()
        setup = next(head for head in cam.requests if head.startswith("SETUP"))
    assert header in setup


def test_the_socket_timeout_of_ffmpeg_works_alone() -> None:
    """Without the timeouts of PyAV, FFmpeg's `timeout` option still applies; it is in microseconds."""
    with FaultCam(["accept_then_silent"]) as cam:
        settings = replace(source_for(cam, SHORT)._settings(), open_timeout_s=None, read_timeout_s=None)
        assert settings.options["timeout"] == "600000"
        with pytest.raises(SourceError):
            FFmpegInput(cam.url, "cam", settings, Counter())


def test_a_decoder_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    clip = encode(tmp_path / "a.mkv", 3)
    with pytest.raises(SourceError, match=r"h264 is not allowed from this kind of source, only hevc"):
        FFmpegInput(str(clip), "cam", InputSettings(codecs=frozenset({"hevc"})), Counter())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files in /proc")
def test_failed_and_lost_connections_leave_no_open_files() -> None:
    script = ["404", "401", "refuse", "fin", "rst_mid_stream"]
    with FaultCam([*script, *script, "404"], speed=4) as cam:
        counts = []
        for _ in range(2):
            for _ in script:
                with source_for(cam) as source, contextlib.suppress(SourceError):
                    source.open()
                    list(source.frames())
            assert cam.idle.wait(10)  # the server closes its half in its own time
            counts.append(len(list(Path("/proc/self/fd").iterdir())))
    assert counts[0] == counts[1]


# --- with reconnecting ------------------------------------------------------------------------------------------------


def test_reconnects_after_every_kind_of_loss(caplog: pytest.LogCaptureFixture) -> None:
    script = ["play_then_stall", "refuse", "404", "401", "rst_mid_stream", "accept_then_silent", "fin", "sps_change"]
    with FaultCam(script, speed=2) as cam, create_source(cam.url, options=replace(SHORT, open_timeout_s=2)) as source:
        source.open()
        frames = list(islice(source.frames(), 3 * AFTER + 15))
        assert cam.served == script
    numbers = [read_number(frame.picture) for frame in frames]
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert all(a.pts < b.pts for a, b in pairwise(frames))
    assert numbers == sorted(numbers)  # no frame came twice
    assert {(frame.width, frame.height) for frame in frames} == {SIZE, OTHER_SIZE}
    assert source.faults["reconnect"] == 3
    silence = frames[AFTER].pts_s - frames[AFTER - 1].pts_s
    assert silence >= SHORT.read_timeout_s  # the outage is a gap
    assert "s3cret" not in caplog.text


def test_reconnects_to_a_camera_that_was_switched_off_and_on() -> None:
    with FaultCam(["play"], speed=2) as cam, create_source(cam.url, options=SHORT) as source:
        source.open()
        frames = source.frames()
        before = list(islice(frames, 10))
        cam.kill()
        restarter = threading.Timer(0.3, cam.restart)
        restarter.start()
        after = list(islice(frames, 20))
        restarter.join()
    both = before + after
    assert [frame.index for frame in both] == list(range(30))
    assert all(a.pts < b.pts for a, b in pairwise(both))
    assert max(b.pts_s - a.pts_s for a, b in pairwise(both)) >= 0.25
    assert source.faults["reconnect"] == 1


def test_a_first_connection_that_fails_is_not_retried() -> None:
    with FaultCam(["404"]) as cam, create_source(cam.url, options=SHORT) as source:
        with pytest.raises(SourceError, match="404"):
            source.open()
        assert cam.served == ["404"]


def test_wait_for_source_retries_the_first_connection() -> None:
    options = replace(SHORT, wait_for_source=True, open_timeout_s=2)
    with FaultCam(["refuse", "404", "play"]) as cam, create_source(cam.url, options=options) as source:
        assert source.open().width == SIZE[0]
        assert cam.served == ["refuse", "404", "play"]
