"""Fakes for hardware and connections that a test machine does not have."""

from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction

import cv2
import numpy as np

from streamdet.errors import SourceError
from streamdet.picture import Picture
from streamdet.sources.base import Source
from streamdet.types import Frame, SourceInfo
from tests.sources.clips import numbered


class FakeCapture:
    """A USB camera as OpenCV presents it: it uses the size nearest to the requested one, and any requested format."""

    sizes = ((128, 96), (160, 112))

    def __init__(self, index: int, frames: int | None = None, opened: bool = True) -> None:
        self.requested: list[int] = []
        self.released = False
        self._remaining = frames
        self._opened = opened
        self._count = 0
        self._values: dict[int, float] = {
            cv2.CAP_PROP_FRAME_WIDTH: 128,
            cv2.CAP_PROP_FRAME_HEIGHT: 96,
            cv2.CAP_PROP_FPS: 30,
            cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"YUYV"),
        }

    def isOpened(self) -> bool:
        return self._opened

    def set(self, setting: int, value: float) -> bool:
        self.requested.append(setting)
        if setting == cv2.CAP_PROP_FRAME_WIDTH:
            width, height = min(self.sizes, key=lambda size: abs(size[0] - value))
            self._values |= {cv2.CAP_PROP_FRAME_WIDTH: width, cv2.CAP_PROP_FRAME_HEIGHT: height}
        elif setting == cv2.CAP_PROP_FOURCC:
            self._values[setting] = value
        return True

    def get(self, setting: int) -> float:
        return self._values.get(setting, 0.0)

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self._remaining is not None:
            if self._remaining == 0:
                return False, None
            self._remaining -= 1
        width, height = (int(self._values[k]) for k in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        picture = numbered(self._count, width, height)
        self._count += 1
        return True, picture

    def release(self) -> None:
        self.released = True


class ScriptedSource(Source):
    """A connection that follows a script.

    Args:
        script: what `frames` does: a number is a frame captured at that second, an error is raised.
        open_error: `open` raises it.
        size: size of the frames.
        time_base: time base of the frames; `pts` starts at 0 in every connection.
        on_frame: called before each frame.
        drift: by how much its clock runs faster than this machine's clock, as a fraction.
    """

    live = True

    def __init__(
        self,
        script: list[float | SourceError],
        *,
        open_error: SourceError | None = None,
        size: tuple[int, int] = (8, 8),
        time_base: Fraction = Fraction(1, 90_000),
        on_frame: Callable[[], None] = lambda: None,
        drift: float = 0.0,
    ) -> None:
        super().__init__("cam", "rtsp://cam")
        self.faults = Counter()
        self.closed = False
        self._script, self._open_error, self._size, self._time_base = script, open_error, size, time_base
        self._on_frame, self._drift = on_frame, drift

    def open(self) -> SourceInfo:
        if self._open_error is not None:
            raise self._open_error
        return SourceInfo("cam", *self._size, self._time_base, live=True)

    def frames(self) -> Iterator[Frame]:
        start = next((step for step in self._script if not isinstance(step, SourceError)), 0.0)
        for index, step in enumerate(self._script):
            if self.stopping.is_set():
                return
            if isinstance(step, SourceError):
                raise step
            self._on_frame()
            picture = Picture.from_bgr(np.zeros((self._size[1], self._size[0], 3), np.uint8))
            pts = round((step - start) * (1 + self._drift) / self._time_base)
            yield Frame(picture, "cam", index, pts, self._time_base, round(step * 1e9))

    def close(self) -> None:
        self.closed = True
