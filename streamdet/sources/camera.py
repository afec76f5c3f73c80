"""Cameras connected to this machine, read through OpenCV.

PyAV is not used here: its wheels contain no capture devices (no v4l2, avfoundation or dshow). OpenCV opens cameras by
number only, and on Linux with V4L2 only, so that its own FFmpeg is never used.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2

from streamdet.errors import SourceError
from streamdet.picture import Picture
from streamdet.sources.base import Source
from streamdet.sources.camera_list import list_cameras
from streamdet.sources.native_stderr import quiet_opencv
from streamdet.sources.options import SourceOptions
from streamdet.sources.picture_size import check_size
from streamdet.sources.timestamps import LIVE_TIME_BASE, LiveClock
from streamdet.types import Frame, SourceInfo

log = logging.getLogger(__name__)


def camera_index(address: str) -> int | None:
    """Returns the number in "0" or "/dev/video0"; None for anything else."""
    match = re.fullmatch(r"(?:/dev/video)?(\d{1,4})", address)
    return int(match[1]) if match else None


def open_capture(index: int) -> Any:
    """Returns OpenCV's capture object for a camera number."""
    return cv2.VideoCapture(index, cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY)


class CameraSource(Source):
    """Reads the frames of a camera and timestamps them on arrival.

    A stop takes effect at the next frame, for a silent camera after OpenCV's timeout of 10 s.
    """

    live = True

    def __init__(
        self,
        index: int,
        name: str,
        options: SourceOptions | None = None,
        capture: Callable[[int], Any] = open_capture,
    ) -> None:
        super().__init__(name, f"/dev/video{index}" if sys.platform == "linux" else str(index))
        self._number = index
        self._options = options or SourceOptions()
        self._make_capture = capture
        self._capture: Any = None
        self._clock = LiveClock(LIVE_TIME_BASE, Fraction(1, 30), self.faults)
        self._index = 0

    def open(self) -> SourceInfo:
        """Opens the camera, requests the configured settings and reads back the actual ones; see `Source.open`."""
        with quiet_opencv():  # it logs a warning for every missing camera
            self._capture = self._make_capture(self._number)
        try:
            if not self._capture.isOpened():
                raise SourceError(f"{self.name}: {self._open_failure()}")
            self._request_settings()
            return self._actual_settings()
        except BaseException:
            self.close()
            raise

    def _open_failure(self) -> str:
        if sys.platform == "linux" and not Path(self.url).exists():
            cameras = ", ".join(f"{c.index} ({c.name})" for c in list_cameras()) or "none"
            return f"there is no camera {self._number}: is it plugged in? Cameras found: {cameras}"
        return (
            f"camera {self._number} cannot be opened: does another program use it, "
            "or is permission missing (group 'video')?"
        )

    def _request_settings(self) -> None:
        options, capture = self._options, self._capture
        # Format first: the sizes and rates that a driver offers depend on it, and raw formats offer only small sizes.
        if options.pixel_format is not None:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*options.pixel_format))
        if options.size is not None:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, options.size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, options.size[1])
        if options.fps is not None:
            capture.set(cv2.CAP_PROP_FPS, options.fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # frames in the driver's queue would only get old

    def _actual_settings(self) -> SourceInfo:
        options, capture = self._options, self._capture
        width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        pixel_format = fourcc_text(int(capture.get(cv2.CAP_PROP_FOURCC)))
        check_size(self.name, width, height, options.max_pixels)
        for setting, requested, actual in (
            ("size", options.size, (width, height)),
            ("fps", options.fps, fps),
            ("pixel_format", options.pixel_format, pixel_format),
        ):
            if requested is not None and requested != actual:
                log.warning("%s: %s %s was requested, the camera uses %s", self.name, setting, requested, actual)
        return SourceInfo(
            name=self.name,
            width=width,
            height=height,
            time_base=LIVE_TIME_BASE,
            average_rate=Fraction(fps).limit_denominator(1001) if fps > 0 else None,
            live=True,
            codec=pixel_format.lower() or "raw",
        )

    def frames(self) -> Iterator[Frame]:
        """Yields frames as they arrive; see `Source.frames`."""
        while self._capture is not None and not self.stopping.is_set():
            received, bgr = self._capture.read()
            arrival_ns = time.monotonic_ns()
            if self.stopping.is_set():
                return
            if not received or bgr is None:
                raise SourceError(f"{self.name}: camera {self._number} sends no more frames: was it unplugged?")
            frame = Frame(
                picture=Picture.from_bgr(bgr),
                source=self.name,
                index=self._index,
                pts=self._clock.stamp(round((arrival_ns * 1e-9) / LIVE_TIME_BASE), arrival_ns),
                time_base=LIVE_TIME_BASE,
                captured_ns=arrival_ns,
                key_frame=True,
            )
            self._index += 1
            yield frame

    def close(self) -> None:
        """Releases the camera; see `Source.close`."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None


def fourcc_text(code: int) -> str:
    """Returns the letters of a FOURCC code; "" if the driver does not report one.

    >>> fourcc_text(0x47504A4D)
    'MJPG'
    """
    letters = bytes(code >> shift & 0xFF for shift in (0, 8, 16, 24))
    return letters.decode("ascii", "replace").strip() if code > 0 and letters.isalnum() else ""
