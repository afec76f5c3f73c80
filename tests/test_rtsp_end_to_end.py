"""`streamdet run` on an RTSP stream whose server restarts: only frames that were not sent are missing."""

import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from tests.faultcam import FaultCam
from tests.gstreamer import serving
from tests.running import Running, records, times_s

pytestmark = pytest.mark.timeout(150)

WAIT_S = 0.5
CONFIG = f"""
source:
  open_timeout_s: 10
  backoff: {{first_s: {WAIT_S}, cap_s: {WAIT_S}, jitter: 0}}
model: synthetic-shapes
"""
BEFORE, FRAMES = 25, 75


def record_with_an_outage(
    url: str, folder: Path, stop_server: Callable[[], None], start_server: Callable[[], None]
) -> None:
    """Records `FRAMES` frames with an outage in between, and checks the recording."""
    config, video, lines = folder / "run.yaml", folder / "out.mp4", folder / "out.jsonl"
    config.write_text(CONFIG)
    options = ("-c", config, "-o", video, "-o", lines, "--max-frames", FRAMES)
    with Running("run", url, *options, folder=folder) as run:
        run.wait_for_records(lines, BEFORE)
        stopped_s = time.monotonic()
        stop_server()
        run.wait_for_text("reconnecting, first attempt in")
        start_server()
        run.wait_for_text("reconnected after")
        outage_s = time.monotonic() - stopped_s
        assert run.ends() == 0, run.stderr
        printed = run.stderr
    assert "source faults: reconnect 1" in printed
    assert "s3cret" not in printed
    captured, shown, dropped = re.search(r"captured (\d+) = shown (\d+)(?: \+ dropped (\d+))?", printed).groups("0")
    assert int(captured) == FRAMES == int(shown) + int(dropped)

    times = [record["pts_s"] for record in records(lines)]
    assert len(times) == int(shown)
    assert times_s(video) == pytest.approx(times, abs=2e-3)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) > 0
    # The largest gap is the outage, even if a busy machine lost frames before it; a server starts with buffered frames.
    assert WAIT_S <= max(gaps[max(0, BEFORE - 1 - int(dropped)) :]) <= outage_s + 1.5


def test_a_recording_survives_a_camera_restart(tmp_path):
    with FaultCam(["play"]) as camera:
        record_with_an_outage(camera.url, tmp_path, camera.kill, camera.restart)


@pytest.mark.rtsp
def test_a_recording_survives_a_restart_of_the_gstreamer_server(server_script, port, tmp_path):
    pattern = ("--size", "320x240", "--fps", "30")
    with ExitStack() as later, serving(server_script, port, *pattern) as server:

        def stop_server() -> None:
            server.kill()
            server.wait()

        def start_server() -> None:
            later.enter_context(serving(server_script, port, *pattern))

        record_with_an_outage(f"rtsp://127.0.0.1:{port}/cam", tmp_path, stop_server, start_server)
