"""Cameras: whether this user may open them, and which formats they offer."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from streamdet.doctor.check_result import CheckResult, Status
from streamdet.doctor.v4l2 import CaptureMode, read_capture_modes
from streamdet.sources.camera_list import list_cameras

_SMOOTH_HZ = 24.0
_MAX_FORMATS = 4


def probe(_: str = "") -> Iterator[CheckResult]:
    """Lists cameras and their formats. No frame is captured, so no camera light turns on."""
    cameras = list_cameras()
    for camera in cameras:
        name = f"camera {camera.index}"
        try:
            modes = read_capture_modes(camera.path)
        except PermissionError:
            fix = "sudo usermod -aG video $USER, then log in again"
            yield CheckResult(name, Status.WARN, f"{camera.path} cannot be opened by this user", fix)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            yield CheckResult(
                name, Status.WARN, f"{camera.name} ({camera.path}): {reason}", "unplug it and plug it back in"
            )
        else:
            yield CheckResult(name, Status.OK, f"{camera.name} ({camera.path}): {describe(modes)}")
    if not cameras:
        listed = sys.platform == "linux"
        yield CheckResult(
            "cameras", Status.ABSENT, "none found" if listed else "cannot be listed on this system; try 0, 1, ..."
        )


def describe(modes: Sequence[CaptureMode]) -> str:
    """Returns the largest size of each format, and the largest size at a smooth frame rate if that is another.

    >>> describe([CaptureMode("YUYV", 1280, 720, 10.0), CaptureMode("YUYV", 640, 480, 30.0)])
    'YUYV 1280x720 at 10/s, 640x480 at 30/s'
    >>> describe([CaptureMode("YUYV", 640, 480, 30.0), CaptureMode("MJPG", 1920, 1080, 30.0)])
    'YUYV 640x480 at 30/s; MJPG 1920x1080 at 30/s'
    """
    formats = []
    for pixel_format in dict.fromkeys(mode.pixel_format for mode in modes):
        of_format = [mode for mode in modes if mode.pixel_format == pixel_format]
        largest = max(of_format, key=lambda mode: (mode.width * mode.height, mode.rate_hz))
        shown = [largest]
        smooth = [mode for mode in of_format if mode.rate_hz >= _SMOOTH_HZ]
        if smooth and 0 < largest.rate_hz < _SMOOTH_HZ:
            shown.append(max(smooth, key=lambda mode: (mode.width * mode.height, mode.rate_hz)))
        formats.append(f"{pixel_format} {', '.join(map(str, shown))}")
    more = len(formats) - _MAX_FORMATS
    return "; ".join(formats[:_MAX_FORMATS]) + (f"; {more} more formats" if more > 0 else "") or "no formats listed"
