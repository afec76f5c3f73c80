"""What one stream consists of, as the pipeline receives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamdet.pipeline.admission import DetectOptions
from streamdet.pipeline.timing_mode import TimingMode
from streamdet.protocols import Annotator, Gate, Mover, Stage, Tracker
from streamdet.sinks.base import Sink
from streamdet.sources.base import Source
from streamdet.types import Result


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """The parts and options of one stream.

    Attributes:
        source: where frames come from.
        sinks: where results go.
        mode: when frames are shown, and which detections their boxes come from.
        tracker: assigns ids; None leaves detections as they are.
        mover: moves boxes from the frames the detector runs on to the shown ones; None shows the tracker's prediction.
        delay_s: smooth mode: time from the capture of a frame until it is shown.
        annotator: draws, if a sink needs annotated pictures or `always_annotate` is set.
        stages: the user's own steps, in order, between tracking and drawing. In every-frame mode of a file they run in
            a thread of lower priority than inference and encoding.
        status: returns the text of a frame's status line; None for no status line.
        always_annotate: draw even where no sink needs annotated pictures (for callers that iterate over results).
        max_frames: stop after this number of frames; 0 for no limit.
        duration_s: stop after this much of the stream's own time; 0 for no limit.
        detect: when and where the detector runs.
        gate: detects unchanged frames, if `detect` asks for it.
        mode_reason: why this mode was chosen, human-readable; "" where the user asked for it.
    """

    source: Source
    sinks: Sequence[Sink] = ()
    mode: TimingMode = TimingMode.EVERY_FRAME
    tracker: Tracker | None = None
    mover: Mover | None = None
    delay_s: float = 1.0
    annotator: Annotator | None = None
    stages: Sequence[Stage] = ()
    status: Callable[[Result], str] | None = None
    always_annotate: bool = False
    max_frames: int = 0
    duration_s: float = 0.0
    detect: DetectOptions = DetectOptions()  # noqa: RUF009  # frozen
    gate: Gate | None = None
    mode_reason: str = ""
