"""Whether a window can be opened. The probe opens one, because Qt ends the process if its plug-ins do not fit."""

from __future__ import annotations

from collections.abc import Iterator

from streamdet.doctor.check_result import CheckResult, Status
from streamdet.errors import SinkError


def probe(_: str = "") -> Iterator[CheckResult]:
    """Opens a small window for a moment, if there is a screen."""
    from streamdet.sinks.window import WindowSink

    try:
        WindowSink()
    except SinkError as error:
        yield CheckResult("windows", Status.ABSENT, str(error).partition(";")[0])
        return
    import cv2
    import numpy as np

    name = "streamdet doctor"
    try:
        cv2.namedWindow(name, cv2.WINDOW_NORMAL)
        cv2.imshow(name, np.zeros((64, 64, 3), np.uint8))
        cv2.waitKey(1)
        cv2.destroyWindow(name)
    except cv2.error as error:
        yield CheckResult(
            "windows", Status.FAIL, " ".join(str(error).split()), "pip install --force-reinstall opencv-python"
        )
        return
    yield CheckResult("windows", Status.OK, f"a window was opened ({cv2.currentUIFramework()})")
