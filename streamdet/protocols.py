"""The protocols of the parts that the pipeline calls: detector, gate, tracker, mover, annotator and stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from streamdet.picture import Picture
from streamdet.types import Detected, Detections, Result

Stage = Callable[[Result], Result | None]
"""A user's own step: takes a result and returns a result, or None to drop the frame, which is counted."""


@runtime_checkable
class Detector(Protocol):
    """Detects objects in pictures. `load_detector` returns one; any object with these members is one too.

    One thread calls it.
    """

    @property
    def max_batch(self) -> int:
        """Maximum number of pictures per call of `detect`."""

    def detect(self, pictures: Sequence[Picture]) -> Sequence[Detected]:
        """Returns the objects of each picture, in pixels of that picture, in the order of the pictures."""


class Gate(Protocol):
    """Recognizes frames on which the detector need not run, because nothing has changed."""

    def admit(self, picture: Picture, time_s: float) -> bool:
        """Decides whether the detector runs on a picture; if so, later pictures are compared with this one."""


@runtime_checkable
class Tracker(Protocol):
    """Assigns ids to the objects of one stream. Any object with these methods is one.

    One thread calls it. A tracker may also have a method `warm_up()`, which must not change its state: the run calls it
    before the first frame, on one tracker of each class, to compile or load what would delay a frame.
    """

    def update(
        self,
        detections: Detections,
        time_s: float,
        camera_motion: NDArray[np.float64] | None = None,
        picture: Picture | None = None,
    ) -> Detections:
        """Takes the detections of the next frame that the detector ran on, and returns the tracks that it shows.

        Args:
            detections: in pixels of the frame.
            time_s: presentation time of the frame, later than that of the last update.
            camera_motion: (2, 3) affine transform of the picture since the last update; None if it is unknown.
            picture: the frame's picture, for trackers that use the appearance of objects.

        Returns:
            The tracks with a detection in this frame: its boxes with `track_ids` set.
        """

    def predict(self, time_s: float) -> Detections:
        """Returns the tracks as predicted for a time that is not before the last update. Must not change any state."""


class Mover(Protocol):
    """Moves boxes from the frames the detector ran on to the shown frames of one stream. One thread calls it."""

    def observe(self, picture: Picture, time_s: float) -> None:
        """Takes every frame, in order, before any other method is called for it."""

    def update(self, detections: Detections, time_s: float) -> None:
        """Takes the tracks of an observed frame, in order."""

    def camera_motion(self, start_s: float, end_s: float) -> NDArray[np.float64]:
        """Returns the (2, 3) affine transform of the picture from one observed frame to a later one."""

    def show(self, time_s: float) -> Detections:
        """Returns the boxes for an observed frame, in order. A live mover is called for the newest frame only."""


class Annotator(Protocol):
    """Draws detections."""

    def draw(self, picture: Picture, detections: Detections, *, time_s: float, status: str | None = None) -> None:
        """Draws on `picture` in place.

        Args:
            picture: I420 or BGR24, modified.
            detections: in pixels of the picture.
            time_s: presentation time of the frame.
            status: text of the status line; None for no status line.
        """
