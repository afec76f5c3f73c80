"""What the pipeline needs of its parts: the protocols that detectors, trackers, movers, gates and annotators follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from streamdet.picture import Picture
from streamdet.types import Detected, Detections, Result

Stage = Callable[[Result], Result | None]
"""A user's own step: takes a result, returns it changed or as it is, or None to drop the frame (counted)."""


@runtime_checkable
class Detector(Protocol):
    """What the pipeline needs of a detector. Used by one thread."""

    @property
    def max_batch(self) -> int:
        """Most pictures per call."""

    def detect(self, pictures: Sequence[Picture]) -> Sequence[Detected]:
        """Finds the objects of each picture."""


class Gate(Protocol):
    """What the pipeline needs to leave out frames that show nothing new."""

    def admit(self, picture: Picture, time_s: float) -> bool:
        """Says whether to look at a picture; if so, later ones are compared with it."""


@runtime_checkable
class Tracker(Protocol):
    """What the pipeline needs of a tracker."""

    def update(
        self,
        detections: Detections,
        time_s: float,
        camera_motion: NDArray[np.float64] | None = None,
        picture: Picture | None = None,
    ) -> Detections:
        """Takes the detections of a later time, and the picture they are from; returns the tracks seen now.

        `camera_motion` (2, 3) says how the picture moved since the last update, where that is known.
        """

    def predict(self, time_s: float) -> Detections:
        """Returns the tracks as they should be at a time not before the last update; changes nothing."""


class Mover(Protocol):
    """What the pipeline needs of what brings boxes from the frames of detections to those that are shown."""

    def observe(self, picture: Picture, time_s: float) -> None:
        """Takes every frame, in order, before anything is asked of it."""

    def update(self, detections: Detections, time_s: float) -> None:
        """Takes the tracks of a frame that was observed, in order."""

    def camera_motion(self, start_s: float, end_s: float) -> NDArray[np.float64]:
        """Returns how the picture moved from one observed frame to a later one, (2, 3), as trackers take it."""

    def show(self, time_s: float) -> Detections:
        """Returns what is to be seen on a frame that was observed, in order; of live movers on the newest only."""


class Annotator(Protocol):
    """What the pipeline needs of a painter."""

    def draw(self, picture: Picture, detections: Detections, *, time_s: float, status: str | None = None) -> None:
        """Draws on `picture` in place."""
