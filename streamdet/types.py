"""The types that flow through the pipeline: SourceInfo, Frame, Detected, Detections, Result."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from streamdet.picture import Picture


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded picture with its time.

    Attributes:
        picture: the pixels, with rotation metadata already applied. Never draw on it: it may still be a reference
            picture of the decoder.
        source: name of the source.
        index: 0-based number of the frame within its source, without gaps.
        pts: presentation time in units of `time_base`; strictly increasing within a source.
        time_base: seconds per unit of `pts`.
        captured_ns: `time.monotonic_ns()` when the frame left the decoder; age is measured from here.
        duration: in units of `time_base`; 0 if unknown.
        key_frame: the frame was coded without reference to others.
        is_corrupt: the decoder marked it as damaged.
        file: the image file that it was read from, for sources of images; outputs may be named after it.
    """

    picture: Picture
    source: str
    index: int
    pts: int
    time_base: Fraction
    captured_ns: int
    duration: int = 0
    key_frame: bool = False
    is_corrupt: bool = False
    file: Path | None = None

    @property
    def pts_s(self) -> float:
        """Presentation time in seconds."""
        base = self.time_base
        return self.pts * base.numerator / base.denominator  # equal to float(pts * base), ten times as fast

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.picture.width

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.picture.height


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Detections:
    """The objects of one frame as parallel arrays; filtered like numpy: ``detections[detections.scores > 0.5]``.

    Attributes:
        boxes_xyxy: (N, 4) float32: left, top, right, bottom in pixels of the frame; in a `Result`, clipped to it.
        scores: (N,) float32 in [0, 1].
        class_ids: (N,) int32, an index into `labels`.
        track_ids: (N,) int64; -1 for an object without a track.
        labels: the model's class names; may be empty.
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    track_ids: NDArray[np.int64] = field(default=None)  # type: ignore[arg-type]  # filled with -1 below
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.track_ids is None:
            object.__setattr__(self, "track_ids", np.full(len(self.scores), -1, np.int64))
        n = len(self.scores)
        for name, shape, dtype in (
            ("boxes_xyxy", (n, 4), np.float32),
            ("scores", (n,), np.float32),
            ("class_ids", (n,), np.int32),
            ("track_ids", (n,), np.int64),
        ):
            array = getattr(self, name)
            if array.shape != shape or array.dtype != dtype:
                expected = f"{np.dtype(dtype).name} of shape {shape}"
                raise ValueError(f"{name} must be {expected}, got {array.dtype.name} of shape {array.shape}")

    @classmethod
    def empty(cls, labels: tuple[str, ...] = ()) -> Self:
        """Returns detections of no objects."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32), labels=labels)

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        names = ", ".join(f"{count} {name}" for name, count in Counter(self.class_names).most_common())
        return f"Detections({names or 'nothing'})"

    def __getitem__(self, which: Any) -> Self:
        """Returns the detections selected by a boolean mask, an index array, a slice or an index."""
        if isinstance(which, int | np.integer):
            which = [which]
        return replace(
            self,
            boxes_xyxy=self.boxes_xyxy[which],
            scores=self.scores[which],
            class_ids=self.class_ids[which],
            track_ids=self.track_ids[which],
        )

    @property
    def class_names(self) -> list[str]:
        """The class name of each object; its number as text if the model has no names."""
        count = len(self.labels)
        return [self.labels[i] if 0 <= i < count else str(i) for i in self.class_ids.tolist()]

    def to_supervision(self) -> Any:
        """Returns the objects as ``supervision.Detections``, for the zones, counters and annotators of that library.

        Raises:
            ImportError: the `supervision` package is not installed.
        """
        try:
            import supervision
        except ImportError:
            raise ImportError("to_supervision needs the package supervision: pip install supervision") from None

        return supervision.Detections(
            xyxy=self.boxes_xyxy.copy(),
            confidence=self.scores.copy(),
            class_id=self.class_ids.astype(int),
            tracker_id=self.track_ids.astype(int) if len(self) == 0 or bool((self.track_ids >= 0).all()) else None,
            data={"class_name": np.array(self.class_names, dtype=object)},
        )


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Milliseconds of each stage for one frame; 0 for a stage that did not run for it."""

    preprocess_ms: float = 0.0
    infer_ms: float = 0.0
    postprocess_ms: float = 0.0
    track_ms: float = 0.0
    motion_ms: float = 0.0
    draw_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Detected:
    """What a detector returns for one picture.

    Attributes:
        detections: in pixels of the picture, clipped to it, in descending order of the score.
        times: of preprocessing, inference and postprocessing; the inference time of a batch is divided evenly among its
            pictures.
    """

    detections: Detections
    times: StageTimes = StageTimes()


@dataclass(frozen=True, slots=True)
class Result:
    """One frame with its detections: what callbacks, stages and sinks get.

    Attributes:
        frame: the decoded frame.
        detections: the objects at the time of this frame.
        detection_age_s: how much older than this frame the frame is that `detections` come from: 0 if the detector ran
            on this one, infinite before the first detections have arrived. In smooth mode, where detections may be
            later than the frame, the time to the nearest frame that the detector ran on.
        times: of each stage.
        annotated: the picture with boxes drawn; None if no sink needs one. Shared by all sinks: read only.
    """

    frame: Frame
    detections: Detections
    detection_age_s: float = 0.0
    times: StageTimes = StageTimes()
    annotated: Picture | None = None

    @property
    def picture(self) -> Picture:
        """The picture to show: the annotated one if there is one."""
        return self.frame.picture if self.annotated is None else self.annotated


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source reports once it is open.

    Attributes:
        name: name of the stream, unique within a run.
        width: of the first frame, in pixels, after rotation.
        height: of the first frame, in pixels, after rotation.
        time_base: seconds per unit of every frame's `pts`.
        average_rate: frames per second as the container states it; None if it does not.
        frame_count: an estimate of the number of frames; None if unknown (live).
        live: frames arrive at the camera's rate, whether or not they are taken.
        codec: short name of the decoder, "raw" for generated pictures.
        audio_from: the file with the audio of this video, for sinks that pass audio through.
    """

    name: str
    width: int
    height: int
    time_base: Fraction
    average_rate: Fraction | None = None
    frame_count: int | None = None
    live: bool = False
    codec: str = "raw"
    audio_from: Path | None = None
