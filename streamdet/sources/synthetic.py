"""`synthetic:`, a source that needs no file and no camera: a rendered scene with known ground truth."""

from __future__ import annotations

import time
from collections.abc import Iterator

from streamdet.picture import Picture
from streamdet.scenes.frame_code import FrameCode as FrameCode
from streamdet.scenes.frame_code import read_frame_code as read_frame_code
from streamdet.scenes.frame_code import read_frame_number as read_frame_number
from streamdet.scenes.shapes import ShapesOptions, ShapesScene
from streamdet.scenes.street.options import StreetOptions
from streamdet.scenes.street.scene import StreetScene
from streamdet.sources.base import Source
from streamdet.sources.synthetic_url import SCHEME, parse_synthetic_url
from streamdet.types import Detections, Frame, SourceInfo


class SyntheticSource(Source):
    """A rendered scene; the same URL gives the same frames in every run.

    ``synthetic:`` is 300 frames of 1280x720 at 30 fps: a street, a park, a square or a car park with people, cyclists
    and cars. `StreetOptions` lists the keys of its URL, for example ``synthetic:street?objects=20&seed=3&frames=900``.
    ``synthetic:shapes`` shows discs, boxes and triangles: fast to render, and detected without errors by the detector
    made for them. ``frames=0`` never ends. ``live=1`` behaves like a camera: a clock paces the frames, and frames that
    are not read in time are skipped (`pts` jumps, `index` does not).

    `read_frame_number` reads the number of a frame from its pixels; it equals `pts`. `read_frame_code` also reads when
    a frame of the street was rendered: by the system clock with ``live=1``, else by the time of the scene.
    """

    def __init__(self, url: str = SCHEME, name: str = "synthetic") -> None:
        """Parses the URL.

        Raises:
            UsageError: `url` has an unknown key or an invalid value.
        """
        super().__init__(name, url)
        self._options = parse_synthetic_url(url)
        self.live = self._options.live
        self._scene: ShapesScene | StreetScene | None = None
        self._running: Iterator[Frame] = iter(())

    def open(self) -> SourceInfo:
        """Prepares the scene; see `Source.open`."""
        options = self._options.scene
        self._scene = _scene(options)
        self._scene.render(0)  # compiles or loads the kernels now, so that the first frame is not late
        self._running = self._run(self._scene)
        return SourceInfo(
            self.name,
            options.width,
            options.height,
            time_base=1 / options.fps,
            average_rate=options.fps,
            frame_count=None if self.live else self._options.frames or None,
            live=self.live,
        )

    def frames(self) -> Iterator[Frame]:
        """Yields the rendered frames; see `Source.frames`."""
        return self._running

    def _run(self, scene: ShapesScene | StreetScene) -> Iterator[Frame]:
        start_ns, index, number = time.monotonic_ns(), 0, 0
        fps = self._options.scene.fps
        while self._scene is scene and not self.stopping.is_set():
            if self.live:
                due = int((time.monotonic_ns() - start_ns) * fps / 1_000_000_000)
                if due > number:  # the reader was too slow
                    self.faults["skipped"] += min(due, self._options.frames or due) - number
                number = max(number, due)
                wait_s = float(number / fps) - (time.monotonic_ns() - start_ns) / 1e9
                if wait_s > 0 and self.stopping.wait(wait_s):
                    return
            if self._options.frames and number >= self._options.frames:
                return
            picture = _render(scene, number, self.live)
            yield Frame(picture, self.name, index, number, 1 / fps, time.monotonic_ns(), duration=1, key_frame=True)
            index, number = index + 1, number + 1

    def close(self) -> None:
        """Drops the scene; see `Source.close`."""
        self._scene = None

    def ground_truth(self, number: int) -> Detections:
        """Returns the visible objects of the frame whose `pts` is `number`. Works without opening the source."""
        if self._scene is None:
            self._scene = _scene(self._options.scene)
        return self._scene.ground_truth(number)


def _scene(options: ShapesOptions | StreetOptions) -> ShapesScene | StreetScene:
    return StreetScene(options) if isinstance(options, StreetOptions) else ShapesScene(options)


def _render(scene: ShapesScene | StreetScene, number: int, live: bool) -> Picture:
    if isinstance(scene, StreetScene) and live:
        return scene.render(number, time.time_ns() // 1_000_000)
    return scene.render(number)
