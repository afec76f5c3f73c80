"""Ground truth of each frame of a video: from a detector and tracker run on every frame, or from a synthetic scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from streamdet.config import TrackerConfig
from streamdet.errors import UsageError
from streamdet.inference.detector import DetectorOptions, ModelDetector, load_detector
from streamdet.models.model_cache import Downloader, refuse_download
from streamdet.sources.base import Source
from streamdet.sources.factory import create_source
from streamdet.sources.synthetic import SyntheticSource
from streamdet.tracking.tracker import ByteTracker
from streamdet.types import Detections, Frame

Progress = Callable[[int, int], None]
"""Called after each frame with (frames done, frames in total, or 0 if unknown)."""


@dataclass(frozen=True, slots=True)
class GroundTruthOptions:
    """The origin of the ground truth.

    Attributes:
        source: a video file, or synthetic: with a number of frames.
        model: whose detections on every frame are the ground truth; None takes that of a synthetic scene.
        detector: thresholds and hardware.
        max_frames: only the first frames; 0 for all.
    """

    source: str
    model: str | None = None
    detector: DetectorOptions = field(default_factory=DetectorOptions)
    max_frames: int = 0


class GroundTruthFrames:
    """The frames of a video with their ground truth; can be iterated once.

    Args:
        options: see `GroundTruthOptions`.
        progress: called after each frame.
        get: see `load_detector`.

    Raises:
        UsageError: the source has no end, or no ground truth.
        SourceError, ModelError, HardwareError: source or detector cannot be opened.
    """

    def __init__(
        self, options: GroundTruthOptions, progress: Progress = lambda *_: None, download: Downloader = refuse_download
    ) -> None:
        self._source = create_source(options.source)
        self._max_frames = options.max_frames
        self._progress = progress
        if self._source.live or self._source.still_images:
            raise UsageError(f"{options.source} is no video of fixed length: give a video file or synthetic:")
        self._detector: ModelDetector | None = None
        if options.model is not None:
            self._detector = load_detector(options.model, options.detector, download=download)
            tracking = TrackerConfig().options(self._detector.conf)
            self._detector.lower_report_threshold(tracking.low_score)
            self._tracker = ByteTracker(tracking)
        elif not isinstance(self._source, SyntheticSource):
            raise UsageError("no model given: -m names the detector whose boxes on every frame are the ground truth")

    @property
    def source(self) -> Source:
        """The source of the frames."""
        return self._source

    @property
    def truth(self) -> str:
        """The origin of the ground truth, in words."""
        if self._detector is None:
            return "the scene's ground truth"
        return f"{self._detector.spec.name} and the tracker on every frame"

    def __iter__(self) -> Iterator[tuple[Frame, Detections]]:
        try:
            with self._source as source:
                info = source.open()
                total = min(info.frame_count or self._max_frames, self._max_frames or info.frame_count or 0)
                if not total and isinstance(source, SyntheticSource):
                    raise UsageError(f"{source.url} has no end: limit it with --max-frames")
                for frame in source.frames():
                    yield frame, self._truth_of(frame)
                    self._progress(frame.index + 1, max(total, frame.index + 1) if total else 0)
                    if frame.index + 1 == self._max_frames:
                        return
        finally:
            if self._detector is not None:
                self._detector.close()

    def _truth_of(self, frame: Frame) -> Detections:
        if self._detector is None:
            assert isinstance(self._source, SyntheticSource)
            return self._source.ground_truth(frame.pts)
        (found,) = self._detector.detect([frame.picture])
        return self._tracker.update(found.detections, frame.pts_s, picture=frame.picture)
