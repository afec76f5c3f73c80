"""`synthetic:`, a source that needs no file and no camera: a moving scene whose truth is known."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from urllib.parse import parse_qsl

from streamdet.errors import UsageError
from streamdet.sources.base import Source, SourceInfo
from streamdet.sources.framecode import SMALLEST_WIDTH
from streamdet.sources.framecode import read_frame_number as read_frame_number
from streamdet.sources.scene import Scene, SceneOptions
from streamdet.types import Detections, Frame

_SCHEME = "synthetic:"
_EXAMPLE = "synthetic:shapes?objects=6&fps=30&size=1280x720&seed=7&frames=300&live=0&noise=2"
_SMALLEST_HEIGHT, _LARGEST = 120, 7680


@dataclass(frozen=True, slots=True)
class _Plan:
    """A parsed URL: the scene, how many frames of it (0 = without end), and whether a clock paces them."""

    scene: SceneOptions
    frames: int
    live: bool


class SyntheticSource(Source):
    """A moving scene, the same for the same URL in every run.

    ``synthetic:`` is 300 frames of 1280x720 at 30 fps;
    ``synthetic:shapes?objects=6&fps=30&size=1280x720&seed=7&frames=300&live=0&noise=2`` says the same in full.
    ``frames=0`` never ends. ``live=1`` behaves as a camera: a clock paces it, and frames that nobody takes in time are
    gone (`pts` jumps, `index` does not). A frame's number can be read from its pixels with `read_frame_number`; it
    equals `pts`.
    """

    def __init__(self, url: str = _SCHEME, name: str = "synthetic") -> None:
        """Takes a URL.

        Raises:
            UsageError: a key or value of `url` cannot work.
        """
        super().__init__(name, url)
        self._plan = _parse(url)
        self.live = self._plan.live
        self._scene: Scene | None = None
        self._running: Iterator[Frame] = iter(())

    def open(self) -> SourceInfo:  # noqa: D102
        options = self._plan.scene
        self._scene = Scene(options)
        self._scene.render(0)  # compiles or loads the kernels, so that the first frame is not late
        self._running = self._run(self._scene)
        return SourceInfo(
            self.name,
            options.width,
            options.height,
            time_base=1 / options.fps,
            average_rate=options.fps,
            frame_count=None if self.live else self._plan.frames or None,
            live=self.live,
        )

    def frames(self) -> Iterator[Frame]:  # noqa: D102
        return self._running

    def _run(self, scene: Scene) -> Iterator[Frame]:
        start_ns, index, number = time.monotonic_ns(), 0, 0
        fps = self._plan.scene.fps
        while self._scene is scene and not self.stopping.is_set():
            if self.live:
                number = max(number, int((time.monotonic_ns() - start_ns) * fps / 1_000_000_000))
                wait_s = float(number / fps) - (time.monotonic_ns() - start_ns) / 1e9
                if wait_s > 0 and self.stopping.wait(wait_s):
                    return
            if self._plan.frames and number >= self._plan.frames:
                return
            picture = scene.render(number)
            yield Frame(picture, self.name, index, number, 1 / fps, time.monotonic_ns(), duration=1, key_frame=True)
            index, number = index + 1, number + 1

    def close(self) -> None:  # noqa: D102
        self._scene = None

    def truth(self, number: int) -> Detections:
        """Returns what can be seen in the frame whose `pts` is `number`; see `Scene.truth`. Needs no open source."""
        if self._scene is None:
            self._scene = Scene(self._plan.scene)
        return self._scene.truth(number)


def _parse(url: str) -> _Plan:
    """Returns the plan of a URL, or raises UsageError."""
    scene, _, query = url.partition(":")[2].partition("?")
    if scene not in ("", "shapes"):
        raise UsageError(f"synthetic: knows no scene {scene!r}: use {_EXAMPLE}")
    known = {"objects": "6", "fps": "30", "size": "1280x720", "seed": "7", "frames": "300", "live": "0", "noise": "2"}
    values = dict(known)
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in known:
            raise UsageError(f"synthetic: knows no key {key!r} (={value}): use {', '.join(known)}")
        values[key] = value
    width, height = _size(values["size"])
    options = SceneOptions(
        objects=_whole("objects", values["objects"], 1, 24),
        fps=_rate(values["fps"]),
        width=width,
        height=height,
        seed=_whole("seed", values["seed"], 0, 2**31 - 1),
        noise=_whole("noise", values["noise"], 0, 40),
    )
    frames = _whole("frames", values["frames"], 0, 2**31 - 1)
    return _Plan(options, frames, live=_whole("live", values["live"], 0, 1) == 1)


def _whole(key: str, value: str, low: int, high: int) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", value) or not low <= int(value) <= high:
        raise UsageError(f"synthetic: {key}={value} does not work: give a whole number from {low} to {high}")
    return int(value)


def _rate(value: str) -> Fraction:
    rate = Fraction(value) if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6}|/0*[1-9][0-9]{0,5})?", value) else Fraction(0)
    if not Fraction(1, 60) <= rate <= 240:
        raise UsageError(f"synthetic: fps={value} does not work: give frames per second up to 240, as 30 or 30000/1001")
    return rate


def _size(value: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", value)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (SMALLEST_WIDTH <= width <= _LARGEST and _SMALLEST_HEIGHT <= height <= _LARGEST):
        raise UsageError(
            f"synthetic: size={value} does not work: give WIDTHxHEIGHT from {SMALLEST_WIDTH}x{_SMALLEST_HEIGHT} "
            f"to {_LARGEST}x{_LARGEST}, as 1280x720"
        )
    return width, height
