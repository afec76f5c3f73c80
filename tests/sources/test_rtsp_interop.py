"""Against GStreamer's RTSP server, which nobody here wrote."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, pairwise
from pathlib import Path

import pytest

from streamdet.sources.open import open_source
from streamdet.sources.options import BackoffOptions, SourceOptions

pytestmark = pytest.mark.rtsp

PYTHON = "/usr/bin/python3"  # Debian's own: gi is a system package
QUICK = SourceOptions(open_timeout_s=10, read_timeout_s=5, backoff=BackoffOptions(first_s=0.1, cap_s=0.2))


@pytest.fixture(scope="module")
def server_script(data_dir: Path) -> Path:
    script = data_dir.parent / "rtsp_server.py"
    if not script.is_file():
        pytest.skip(f"no RTSP server script at {script}")
    check = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    try:
        subprocess.run([PYTHON, "-c", check], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("GStreamer's RTSP server for Python is not installed (gir1.2-gst-rtsp-server-1.0, python3-gi)")
    return script


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving(script: Path, port: int, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [PYTHON, str(script), "--port", str(port), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline().strip() == "ready"
            yield server
        finally:
            server.kill()


def test_killed_and_restarted_it_goes_on(server_script: Path, port: int) -> None:
    pattern = ("--size", "320x240", "--fps", "30")
    with (
        open_source(f"rtsp://127.0.0.1:{port}/cam", options=QUICK) as source,
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


def test_a_file_behind_rtsp_keeps_its_distances(server_script: Path, port: int, data_dir: Path) -> None:
    clip = data_dir / "videos" / "people-walking.mp4"
    with (
        serving(server_script, port, "--file", str(clip)),
        open_source(f"rtsp://127.0.0.1:{port}/cam", options=QUICK) as source,
    ):
        source.open()
        frames = list(islice(source.frames(), 30))
    steps = [(b.pts_s - a.pts_s) for a, b in pairwise(frames)]
    assert sorted(steps)[len(steps) // 2] == pytest.approx(1001 / 30_000, abs=2e-3)
    assert all(step > 0 for step in steps)
