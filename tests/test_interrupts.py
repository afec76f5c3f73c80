"""Ctrl-C and SIGTERM in every phase of `streamdet run`: a quick exit with code 130, closed files, no traceback."""

import signal
import time
from pathlib import Path

import pytest

from tests.faultcam import FaultCam
from tests.running import Running, records, times_s

pytestmark = pytest.mark.timeout(150)

ENDLESS = "synthetic:shapes?frames=0&size=320x240"
LIVE = ENDLESS + "&live=1&fps=30"
SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])


def assert_quiet(run: Running) -> None:
    assert "Traceback" not in run.stderr
    assert "Error" not in run.stderr, run.stderr


def assert_same_times(video: Path, lines: Path, min_frames: int) -> None:
    """Asserts that both outputs are closed properly and agree on every frame."""
    recorded = times_s(video)
    assert len(recorded) >= min_frames
    assert recorded == pytest.approx([record["pts_s"] for record in records(lines)], abs=2e-3)


@SIGNALS
@pytest.mark.parametrize("module", ["typer", "numpy", "numba"])
def test_signal_during_imports(module, number, tmp_path):
    with Running("run", ENDLESS, folder=tmp_path, python=("-X", "importtime")) as run:
        run.wait_for(f"import of {module}", lambda: any(line.endswith(f" {module}") for line in run.stderr.split("\n")))
        run.signal(number)
        assert run.ends() == 130
        assert_quiet(run)


@SIGNALS
@pytest.mark.parametrize("source", [ENDLESS, LIVE], ids=["every-frame", "live"])
def test_signal_while_running(source, number, tmp_path):
    video, lines = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    with Running("run", source, "-o", video, "-o", lines, folder=tmp_path) as run:
        run.wait_for_records(lines, 40)
        run.signal(number)
        assert run.ends() == 130
        assert_quiet(run)
        assert f"wrote {video}" in run.stderr
    assert_same_times(video, lines, 40)


@pytest.mark.parametrize("verb", ["accept_then_silent", "describe_slow"])
def test_signal_while_a_server_does_not_answer(verb, tmp_path):
    with FaultCam([verb]) as camera, Running("run", camera.url, "-m", "none", "-o", "null:", folder=tmp_path) as run:
        run.wait_for("a connection", lambda: camera.served)
        signaled_s = time.monotonic()
        run.signal()
        assert run.ends() == 130
        assert time.monotonic() - signaled_s < 4.5  # before the connection would time out
        assert_quiet(run)


@SIGNALS
def test_signal_while_waiting_to_reconnect(number, tmp_path):
    video, lines = tmp_path / "out.mkv", tmp_path / "out.jsonl"
    with FaultCam(["rst_mid_stream", "refuse"]) as camera:
        options = ("-m", "none", "-o", video, "-o", lines)
        with Running("run", camera.url, *options, folder=tmp_path) as run:
            run.wait_for_text("reconnecting, first attempt in")
            run.signal(number)
            assert run.ends() == 130
            assert_quiet(run)
            assert "s3cret" not in run.stderr
    assert_same_times(video, lines, 5)


# Like a library call: releases the interpreter, but does not return when a signal arrives.
BUSY = """
import ctypes, sys
def busy(seconds):
    print("busy", file=sys.stderr, flush=True)
    ctypes.CDLL(None).poll(None, 0, 1000 * seconds)
    return seconds
"""
LOADING = BUSY + "import streamdet.build as build; build.load_detector = lambda *_: busy(600)"
INFERRING = (
    BUSY
    + """
from streamdet.inference.detector import ModelDetector
detect, calls = ModelDetector.detect, []
ModelDetector.detect = lambda self, pictures: (calls.append(1), len(calls) > 20 and busy(2), detect(self, pictures))[2]
"""
)
WRITING = (
    BUSY
    + """
from streamdet.sinks.jsonl import JsonLinesSink
write = JsonLinesSink.write
JsonLinesSink.write = lambda self, result: busy(600) if result.frame.index == 60 else write(self, result)
"""
)


@SIGNALS
def test_signal_while_the_model_is_loading(number, tmp_path):
    with Running("run", ENDLESS, "-o", tmp_path / "out.mp4", folder=tmp_path, first=LOADING) as run:
        run.wait_for_text("busy")
        run.signal(number)
        assert run.ends(20) == 130
        assert_quiet(run)
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("source", [ENDLESS, LIVE], ids=["every-frame", "live"])
def test_signal_during_a_long_inference(source, tmp_path):
    video, lines = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    with Running("run", source, "-o", video, "-o", lines, folder=tmp_path, first=INFERRING) as run:
        run.wait_for_text("busy")
        run.signal()
        assert run.ends() == 130
        assert_quiet(run)
    assert_same_times(video, lines, 15)


def test_the_second_signal_ends_at_once_while_a_sink_hangs(tmp_path):
    video, lines = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    with Running("run", ENDLESS, "-o", video, "-o", lines, folder=tmp_path, first=WRITING) as run:
        run.wait_for_text("busy")
        run.signal()
        run.wait_for_text("stopping")
        signaled_s = time.monotonic()
        run.signal()
        assert run.ends() == 130
        assert time.monotonic() - signaled_s < 5  # long before the run would abandon it
        assert_quiet(run)
    assert len(times_s(video)) >= 10
