"""Runs the demo and measures it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from streamdet.build import PreparedRun, build
from streamdet.config import parse_config
from streamdet.demo.options import DemoOptions
from streamdet.demo.recording import RecordingCheck, check_recording
from streamdet.demo.shown_frames import ShownFrame, ShownFrameCollector, evaluate_tracking
from streamdet.errors import UsageError
from streamdet.evaluate.coco_ap import CocoNumbers
from streamdet.evaluate.mot import MotNumbers
from streamdet.evaluate.street import evaluate_street
from streamdet.inference.detector import load_detector
from streamdet.models.bundled import DEMO_MODEL
from streamdet.pipeline.report import Report
from streamdet.scenes.street.scene import StreetScene
from streamdet.sources.synthetic_url import parse_synthetic_url

_MAX_AP_FRAMES = 30
_EVALUATION_CONF = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class DemoResult:
    """The measurements of a demo.

    Attributes:
        options: of the demo.
        report: of the run: frame accounting, ages, stage times.
        explain: the provider that ran, and the reason.
        accuracy: of the detector alone, at a low minimum score, on a sample of the frames.
        pictures: number of frames in that sample.
        tracking: of the shown boxes, against the ground truth of every shown frame.
        shown: every shown frame.
        recording: content of the recording.
        outline_coverage: share of the box outlines where something was drawn; the mean over the sampled frames.
    """

    options: DemoOptions
    report: Report
    explain: str
    accuracy: CocoNumbers
    pictures: int
    tracking: MotNumbers
    shown: list[ShownFrame]
    recording: RecordingCheck
    outline_coverage: float


class Demo:
    """A demo that is ready to run.

    Attributes:
        prepared: the run, for a display of its progress.
    """

    prepared: PreparedRun

    def __init__(self, options: DemoOptions, on_warm_up: Callable[[], None] = lambda: None) -> None:
        """Loads the detector and compiles the kernels; raises what `build` raises."""
        self.options = options
        self._collector = ShownFrameCollector()
        config = parse_config(options.config())
        self.prepared = build(config, sinks=lambda name: [self._collector], on_warm_up=on_warm_up, abandon_busy=True)
        assert self.prepared.detector is not None
        self._explain = self.prepared.detector.explain

    def measure(self) -> DemoResult:
        """Measures the finished run.

        Raises:
            UsageError: the run was stopped before its first frame.
            SourceError: the recording cannot be read.
        """
        frames = self._collector.frames
        if not frames:
            raise UsageError("the demo was stopped before its first frame: there is nothing to measure")
        url = parse_synthetic_url(self.options.url)
        scene = StreetScene(url.scene)  # type: ignore[arg-type]  # the URL is of a street scene
        numbers = sorted({frame.number for frame in frames})
        sampled = [
            numbers[k] for k in np.linspace(0, len(numbers) - 1, min(_MAX_AP_FRAMES, len(numbers))).round().astype(int)
        ]
        coverages = np.array([frame.outline_coverage for frame in frames])
        measured = ~np.isnan(coverages)
        return DemoResult(
            options=self.options,
            report=self.prepared.report(),
            explain=self._explain,
            accuracy=self._accuracy(scene, sampled),
            pictures=len(sampled),
            tracking=evaluate_tracking(scene, frames),
            shown=frames,
            recording=check_recording(self.options.output, scene.options.fps),
            outline_coverage=float(coverages[measured].mean()) if measured.any() else float("nan"),
        )

    def _accuracy(self, scene: StreetScene, numbers: list[int]) -> CocoNumbers:
        options = replace(self.options.detector, conf=_EVALUATION_CONF)
        with load_detector(DEMO_MODEL, options) as detector:
            frames = ((scene.render(number), scene.full_ground_truth(number)) for number in numbers)
            return evaluate_street(detector, frames).numbers
