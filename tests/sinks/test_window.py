"""Windows, with a fake OpenCV and on a virtual screen."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import pytest

from streamdet.errors import SinkError
from streamdet.sinks import window
from streamdet.sinks.base import WindowClosed
from streamdet.sinks.window import WindowSink
from tests.sinks.samples import info, picture, result

ROOT = Path(__file__).parent.parent.parent


class Screen:
    """A fake of OpenCV's windows; tests press its keys and its close button."""

    error, WND_PROP_VISIBLE = cv2.error, 4
    WINDOW_NORMAL, WINDOW_KEEPRATIO, WINDOW_GUI_NORMAL = 0, 0, 16

    def __init__(self) -> None:
        self.key, self.visible, self.sizes, self.shown, self.fails = -1, 1.0, [], 0, ""

    def _maybe_fail(self, name: str) -> None:
        if self.fails == name:
            error = cv2.error("broken")
            error.err = "no such window\nsecond line"
            raise error

    def namedWindow(self, name, flags):
        self._maybe_fail("namedWindow")

    def resizeWindow(self, name, width, height):
        self.sizes.append((width, height))

    def imshow(self, name, bgr):
        self._maybe_fail("imshow")
        self.shown += 1

    def waitKey(self, delay):
        return self.key

    def getWindowProperty(self, name, property):
        self._maybe_fail("getWindowProperty")
        return self.visible

    def destroyWindow(self, name):
        self._maybe_fail("destroyWindow")


@pytest.fixture
def screen(monkeypatch):
    one = Screen()
    monkeypatch.setattr(window, "_usable_cv2", lambda: one)
    return one


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"key": ord("q")}, id="q"),
        pytest.param({"key": ord("Q")}, id="Q"),
        pytest.param({"key": 27}, id="Esc"),
        pytest.param({"key": 0x100000 + 27}, id="Esc with Num Lock"),
        pytest.param({"visible": 0.0}, id="close button"),
        pytest.param({"visible": -1.0}, id="close button, other window system"),
        pytest.param({"fails": "getWindowProperty"}, id="close button, Qt"),
    ],
)
def test_keys_and_close_button_end_the_run(screen, changes):
    with WindowSink() as sink:
        sink.open(info())
        sink.write(result(0))
        for name, value in changes.items():
            setattr(screen, name, value)
        with pytest.raises(WindowClosed):
            sink.write(result(1))
    assert screen.shown == 2


def test_other_keys_do_nothing(screen):
    screen.key = ord("x")
    with WindowSink() as sink:
        sink.open(info())
        sink.write(result(0))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((96, 64), (96, 64)), ((1920, 1080), (1280, 720)), ((1080, 1920), (405, 720)), ((20000, 1), (1280, 1))],
)
def test_a_large_picture_gets_a_smaller_window(screen, size, expected):
    with WindowSink() as sink:
        sink.open(info(*size))
    assert screen.sizes == [expected]


@pytest.mark.parametrize("fails", ["namedWindow", "imshow"])
def test_failures_are_reported_in_one_line(screen, fails):
    screen.fails = fails
    sink = WindowSink()

    def run() -> None:
        sink.open(info())
        sink.write(result(0))

    with pytest.raises(SinkError) as raised:
        run()
    assert "no such window" in str(raised.value)
    assert "\n" not in str(raised.value)
    sink.close()


def test_close_works_after_the_user_closed_the_window(screen):
    sink = WindowSink()
    sink.open(info())
    screen.fails = "destroyWindow"
    sink.close()


def test_opening_in_another_thread_is_an_error(screen):
    errors: list[Exception] = []

    def run() -> None:
        try:
            WindowSink().open(info())
        except SinkError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert [str(e) for e in errors] == ["a window can only be opened in the main thread"]


def test_needs_the_main_thread_and_annotated_pictures():
    assert WindowSink.needs_main_thread
    assert WindowSink.needs_annotated


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a screen")
class TestNoScreen:
    def test_missing_display_variables_are_an_error(self, monkeypatch):
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        with pytest.raises(SinkError, match=r"there is no screen .*-o out\.mp4"):
            WindowSink()

    @pytest.mark.parametrize("display", [":4711", "unix:4711.0", "127.0.0.1:1", "rubbish", ":", "127.0.0.1:x"])
    def test_a_display_that_does_not_answer_is_an_error(self, monkeypatch, display):
        monkeypatch.setenv("DISPLAY", display)
        with pytest.raises(SinkError, match="no screen answers at DISPLAY="):
            WindowSink()

    def test_headless_opencv_is_an_error(self, monkeypatch):
        monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.setattr(cv2, "currentUIFramework", lambda: "")
        with pytest.raises(SinkError, match=r"this OpenCV has no windows .* install opencv-python"):
            WindowSink()

    def test_wayland_without_x11_is_an_error_with_qt(self, monkeypatch):
        monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.setattr(cv2, "currentUIFramework", lambda: "QT5")
        with pytest.raises(SinkError, match="need X11"):
            WindowSink()

    def test_a_listening_display_is_accepted(self, monkeypatch):
        with socket.create_server(("127.0.0.1", 0)) as server:
            number = server.getsockname()[1] - 6000
            monkeypatch.setenv("DISPLAY", f"127.0.0.1:{number}.0")
            monkeypatch.setattr(cv2, "currentUIFramework", lambda: "QT5")
            monkeypatch.setattr(window, "_would_hang", lambda loaded: False)  # other tests import PyAV first
            WindowSink()

    @pytest.mark.parametrize(
        ("loaded", "hangs"),
        [(["cv2"], False), (["numpy", "cv2", "av"], False), (["av", "numpy", "cv2"], True)],
        ids=str,
    )
    def test_a_window_would_hang_only_if_pyav_was_imported_first(self, loaded, hangs):
        assert window._would_hang(loaded) is hangs


@pytest.mark.parametrize(
    ("imports", "expected"),
    [
        pytest.param("import cv2, av", "1.0", id="OpenCV first"),
        pytest.param("import av, cv2", "a window would hang, because PyAV was loaded before OpenCV", id="PyAV first"),
    ],
)
def test_a_window_on_a_virtual_screen(imports, expected):
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "640x480x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        os.close(write)
        with os.fdopen(read) as numbers:
            display = f":{numbers.readline().strip()}"
        script = (
            f"{imports}\nfrom streamdet.errors import SinkError\n"
            "from streamdet.sinks.factory import create_sink\nfrom tests.sinks.samples import info, result\n"
            "try:\n"
            "    with create_sink('window:Test') as sink:\n"
            "        sink.open(info())\n"
            "        for number in range(5): sink.write(result(number))\n"
            "        print(cv2.getWindowProperty('Test', cv2.WND_PROP_VISIBLE))\n"
            "except SinkError as error: print(error)\n"
        )
        ran = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "DISPLAY": display},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.stdout.startswith(expected), ran.stderr
    finally:
        server.terminate()
        server.wait()


def test_two_windows_share_one_conversion_to_bgr(screen):
    one = result(0, shown=picture(0))
    with WindowSink() as a, WindowSink() as b:
        a.open(info())
        b.open(info())
        a.write(one)
        first = one.picture.bgr()
        b.write(one)
    assert one.picture.bgr() is first


@pytest.mark.parametrize("changes", [{"key": ord("q")}, {"visible": 0.0}], ids=["q", "close button"])
def test_keys_and_close_button_end_the_run_while_no_results_come(screen, changes):
    with WindowSink() as sink:
        sink.open(info())
        sink.write(result(0))
        sink.idle()
        for name, value in changes.items():
            setattr(screen, name, value)
        with pytest.raises(WindowClosed):
            sink.idle()
