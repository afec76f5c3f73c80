"""Options of the demo."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamdet.errors import UsageError
from streamdet.inference.detector import DetectorOptions
from streamdet.models.bundled import DEMO_MODEL
from streamdet.sources.synthetic_url import parse_synthetic_url

_VIDEOS = (".mp4", ".mkv", ".mov")

MIN_OBJECTS = 4
"""With fewer, chance decides: with one object 7 of 12 short scenes failed the limits in `checks` on a working
installation, with two objects 1, with four none."""
_MIN_SIZE = 240, 160
"""In smaller pictures the status line covers the frame code."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Options of a demo.

    Attributes:
        output: recording to write.
        seconds: length of the scene.
        objects: number of people, cyclists and cars at once, `MIN_OBJECTS` to 24.
        seed: of the scene; the detector was not trained on scenes with seeds below `FIRST_TRAINING_SEED`.
        size: resolution, for example 1280x720; at least 240x160.
        live: paced by a clock like a camera; otherwise like a file, and the detector runs on every frame.
        show: open a window.
        detector: hardware and threads.
    """

    output: Path = Path("demo.mp4")
    seconds: float = 10.0
    objects: int = 12
    seed: int = 7
    size: str = "1280x720"
    live: bool = False
    show: bool = False
    detector: DetectorOptions = field(default_factory=DetectorOptions)

    def __post_init__(self) -> None:
        if self.output.suffix.casefold() not in _VIDEOS:
            raise UsageError(f"the demo records a video: give -o {self.output.with_suffix('.mp4').name}")
        if self.objects < MIN_OBJECTS:
            raise UsageError(
                f"{self.objects} objects are too few for reliable measurements: give {MIN_OBJECTS} or more"
            )
        scene = parse_synthetic_url(self.url).scene
        if scene.width < _MIN_SIZE[0] or scene.height < _MIN_SIZE[1]:
            smallest = "{}x{}".format(*_MIN_SIZE)
            raise UsageError(f"{self.size} is too small for reliable measurements: give --size {smallest} or more")

    @property
    def url(self) -> str:
        """URL of the scene."""
        frames = max(1, round(30 * self.seconds))
        query = f"objects={self.objects}&seed={self.seed}&size={self.size}&frames={frames}&live={int(self.live)}"
        return f"synthetic:street?{query}"

    def config(self) -> dict[str, Any]:
        """Returns the run as a configuration tree."""
        detector = self.detector
        return {
            "sources": {"street": self.url},
            "model": DEMO_MODEL,
            "outputs": [str(self.output)],
            "show": self.show,
            "detector": {"provider": detector.provider, "precision": detector.precision, "threads": detector.threads},
        }
