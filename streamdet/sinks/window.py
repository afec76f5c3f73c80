"""Shows annotated pictures in a window on the screen."""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import Any

from streamdet.errors import SinkError
from streamdet.sinks.base import Sink, WindowClosed
from streamdet.types import Result, SourceInfo

_INSTEAD = "record it instead (-o out.mp4), or leave the window out"
_LARGEST_WINDOW = (1280, 720)
_QUIT_KEYS = (27, ord("q"), ord("Q"))  # 27: Esc
_CONNECT_TIMEOUT_S = 1.0


class WindowSink(Sink):
    """Shows annotated pictures in a window. q, Esc or closing the window ends the run (`WindowClosed`).

    Raises:
        SinkError: from the constructor, if there is no screen or OpenCV was built without windows.
    """

    needs_annotated = True
    needs_main_thread = True
    max_lag_s = 0.1

    def __init__(self, title: str = "") -> None:
        super().__init__("window:" + title)
        self._title = title
        self._window: str | None = None
        self._cv2 = _usable_cv2()

    def open(self, info: SourceInfo) -> None:
        """See `Sink.open`."""
        if threading.current_thread() is not threading.main_thread():
            raise SinkError("a window can only be opened in the main thread")
        cv2 = self._cv2
        name = self._title or f"streamdet: {info.name}"
        scale = min(1.0, _LARGEST_WINDOW[0] / info.width, _LARGEST_WINDOW[1] / info.height)
        try:
            cv2.namedWindow(name, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(name, max(1, round(info.width * scale)), max(1, round(info.height * scale)))
        except cv2.error as error:
            raise SinkError(f"cannot open a window ({_first_line(error)}); {_INSTEAD}") from None
        self._window = name

    def write(self, result: Result) -> None:
        """See `Sink.write`."""
        if self._window is None:
            raise SinkError(f"{self.name} is not open")
        cv2 = self._cv2
        try:
            cv2.imshow(self._window, result.picture.bgr())
        except cv2.error as error:
            raise SinkError(f"the window failed: {_first_line(error)}") from None
        self.idle()

    def idle(self) -> None:
        """See `Sink.idle`. Lets the window draw itself and handle keys and its close button."""
        try:
            key = self._cv2.waitKey(1) & 0xFF
        except self._cv2.error as error:
            raise SinkError(f"the window failed: {_first_line(error)}") from None
        if key in _QUIT_KEYS or not self._is_visible():
            raise WindowClosed(f"{self.name} was closed")

    def _is_visible(self) -> bool:
        try:
            return bool(self._cv2.getWindowProperty(self._window, self._cv2.WND_PROP_VISIBLE) >= 1)
        except self._cv2.error:  # Qt raises "NULL guiReceiver" after its last window was closed
            return False

    def close(self) -> None:
        """See `Sink.close`."""
        name, self._window = self._window, None
        if name is None:
            return
        cv2 = self._cv2
        try:
            cv2.destroyWindow(name)
            cv2.waitKey(1)  # some window systems remove a window only while handling events
        except cv2.error:  # the user closed it before
            return


def _usable_cv2() -> Any:
    """Returns OpenCV if it can open windows.

    Raises:
        SinkError: it cannot. This is checked without opening one: without a screen, Qt ends the whole process.
    """
    if sys.platform.startswith("linux"):
        display = os.environ.get("DISPLAY", "")
        if not display and not os.environ.get("WAYLAND_DISPLAY"):
            raise SinkError(f"there is no screen (neither DISPLAY nor WAYLAND_DISPLAY is set); {_INSTEAD}")
        if display and not _display_answers(display):
            raise SinkError(f"no screen answers at DISPLAY={display}; {_INSTEAD}")
    import cv2

    _silence_qt_font_warnings(cv2)
    framework = cv2.currentUIFramework()
    if not framework:
        raise SinkError(f"this OpenCV has no windows (opencv-python-headless?); install opencv-python, or {_INSTEAD}")
    if framework.startswith("QT") and sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        raise SinkError(f"OpenCV's windows need X11, and DISPLAY is not set (start XWayland); {_INSTEAD}")
    if _would_hang(list(sys.modules)):
        raise SinkError(
            "a window would hang, because PyAV was loaded before OpenCV; "
            f"put 'import cv2' at the start of the program, or {_INSTEAD}"
        )
    return cv2


def _silence_qt_font_warnings(cv2: Any) -> None:
    """Sets Qt's font folder to one that exists, because that of opencv-python is missing from its wheel.

    Otherwise Qt prints several warnings for each window. streamdet draws no text with Qt.
    """
    if not os.path.isdir(os.environ.get("QT_QPA_FONTDIR", "/")):
        os.environ["QT_QPA_FONTDIR"] = os.path.dirname(cv2.__file__)


def _would_hang(loaded: list[str]) -> bool:
    """Returns whether the first `imshow` would hang: on Linux, if PyAV's libraries were loaded before OpenCV.

    Args:
        loaded: names of modules in the order of their imports, as in `sys.modules`.
    """
    return sys.platform.startswith("linux") and "av" in loaded and loaded.index("av") < loaded.index("cv2")


def _display_answers(display: str) -> bool:
    """Returns whether an X server listens at ``[HOST]:NUMBER[.SCREEN]``."""
    host, _, number = display.rpartition(":")
    number = number.partition(".")[0]
    if host.startswith("/"):  # macOS: the path of a socket
        return True
    if not number.isdigit():
        return False
    if host in ("", "unix"):
        path = f"/tmp/.X11-unix/X{number}"
        return any(_connects(socket.AF_UNIX, address) for address in (path, "\0" + path))
    return _connects(socket.AF_INET, (host, 6000 + int(number)))


def _connects(family: int, address: str | tuple[str, int]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(_CONNECT_TIMEOUT_S)
        try:
            connection.connect(address)
        except OSError:
            return False
    return True


def _first_line(error: Exception) -> str:
    return (getattr(error, "err", "") or str(error) or type(error).__name__).strip().splitlines()[0]
