"""Network streams from an independent server: GStreamer's RTSP server."""

from itertools import islice, pairwise
from pathlib import Path

import pytest

from streamdet.sources.factory import create_source
from streamdet.sources.options import BackoffOptions, SourceOptions
from tests.gstreamer import serving

pytestmark = pytest.mark.rtsp

QUICK = SourceOptions(open_timeout_s=10, read_timeout_s=5, backoff=BackoffOptions(first_s=0.1, cap_s=0.2))


def test_continues_after_the_server_was_killed_and_restarted(server_script: Path, port: int) -> None:
    pattern = ("--size", "320x240", "--fps", "30")
    with (
        create_source(f"rtsp://127.0.0.1:{port}/cam", options=QUICK) as source,
        serving(server_script, port, *pattern) as server,
    ):
        info = source.open()
        assert (info.width, info.height, info.codec, info.live) == (320, 240, "h264", True)
        frames = source.frames()
        before = list(islice(frames, 20))
        server.kill()
        server.wait()
        with serving(server_script, port, *pattern):
            after = list(islice(frames, 60))
    both = before + after
    assert [frame.index for frame in both] == list(range(80))
    assert all(a.pts < b.pts for a, b in pairwise(both))
    assert source.faults["reconnect"] == 1
    clock_s = (both[-1].captured_ns - both[0].captured_ns) / 1e9
    assert both[-1].pts_s - both[0].pts_s == pytest.approx(clock_s, abs=1.0)


def test_a_file_over_rtsp_keeps_its_frame_intervals(server_script: Path, port: int, data_dir: Path) -> None:
    clip = data_dir / "videos" / "people-walking.mp4"
    with (
        serving(server_script, port, "--file", str(clip)),
        create_source(f"rtsp://127.0.0.1:{port}/cam", options=QUICK) as source,
    ):
        source.open()
        frames = list(islice(source.frames(), 30))
    steps = [(b.pts_s - a.pts_s) for a, b in pairwise(frames)]
    assert sorted(steps)[len(steps) // 2] == pytest.approx(1001 / 30_000, abs=2e-3)
    assert all(step > 0 for step in steps)
