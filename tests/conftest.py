"""Fixtures of all tests: the test data, and a check that no test leaves threads, open files or ERROR logs."""

import logging
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import hypothesis
import pytest

from tests.gstreamer import PYTHON
from tests.open_files import left_open, open_files

# Compiling kernels or a busy machine can make a single example slow; pytest-timeout detects real hangs.
hypothesis.settings.register_profile("streamdet", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("streamdet")

# Background jobs of a shell ignore Ctrl-C, and so do their children. The tests of Ctrl-C must also work there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skips long campaigns unless they are requested."""
    if "slow" not in config.getoption("-m"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="slow: run it with -m slow"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of development data. Tests that need it skip if it does not exist."""
    path = Path(os.environ.get("STREAMDET_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no test data at {path}: set STREAMDET_TEST_DATA")
    return path


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session", autouse=True)
def compiled_before():
    """Suppresses the line that a first run prints on stderr while it compiles; a separate test checks it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamdet.kernels._COMPILED_BEFORE", True)
        yield


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(autouse=True)
def leaves_nothing_behind(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture):
    """Fails a test that leaks a thread or a file descriptor, or logs an ERROR without the mark `expects_errors`."""
    threads_before, files_before = set(threading.enumerate()), open_files()
    yield
    deadline = time.monotonic() + 5
    while left := [t for t in threading.enumerate() if t not in threads_before and t.is_alive()]:
        if time.monotonic() > deadline:
            pytest.fail(f"threads left running: {[t.name for t in left]}")
        left[0].join(0.05)
    if files := left_open(files_before):
        pytest.fail(f"files left open: {files}")
    if "expects_errors" not in request.keywords:
        errors = [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.ERROR]
        assert not errors, f"ERROR logs: {errors}"
