"""Runs the demonstration and measures it."""

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

_AP_PICTURES = 30
_EVALUATED_CONF = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class DemoResult:
    """What was measured.

    Attributes:
        options: what was asked for.
        report: of the run: ledger, ages, stage times.
        explain: the provider that ran, and why.
        accuracy: of the detector alone, with every box it gives, on `pictures` of the scene.
        pictures: how many it was measured on.
        tracking: of what was shown, against the exact truth of every shown frame.
        shown: every shown frame.
        recording: what is in the recording.
        outline_coverage: share of points on outlines of boxes that were drawn on, the mean over the pictures looked at.
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
    """A demonstration that is ready to run.

    Attributes:
        job: the run; a display may watch it.
    """

    job: PreparedRun

    def __init__(self, options: DemoOptions, on_warm_up: Callable[[], None] = lambda: None) -> None:
        """Loads the detector and compiles what is needed; raises what `build` raises."""
        self.options = options
        self._collector = ShownFrameCollector()
        config = parse_config(options.config())
        self.job = build(config, sinks=lambda name: [self._collector], on_warm_up=on_warm_up, abandon_busy=True)
        assert self.job.detector is not None
        self._explain = self.job.detector.explain

    def measure(self) -> DemoResult:
        """Measures what the run has done, once it has ended.

        Raises:
            UsageError: the run was ended before its first frame.
            SourceError: the recording cannot be read.
        """
        frames = self._collector.frames
        if not frames:
            raise UsageError("the demonstration was ended before its first frame: there is nothing to measure")
        plan = parse_synthetic_url(self.options.url)
        scene = StreetScene(plan.scene)  # type: ignore[arg-type]  # the url names the street
        numbers = sorted({frame.number for frame in frames})
        sampled = [
            numbers[k] for k in np.linspace(0, len(numbers) - 1, min(_AP_PICTURES, len(numbers))).round().astype(int)
        ]
        outlined = np.array([frame.outline_coverage for frame in frames])
        seen = ~np.isnan(outlined)
        return DemoResult(
            options=self.options,
            report=self.job.report(),
            explain=self._explain,
            accuracy=self._accuracy(scene, sampled),
            pictures=len(sampled),
            tracking=evaluate_tracking(scene, frames),
            shown=frames,
            recording=check_recording(self.options.output, scene.options.fps),
            outline_coverage=float(outlined[seen].mean()) if seen.any() else float("nan"),
        )

    def _accuracy(self, scene: StreetScene, numbers: list[int]) -> CocoNumbers:
        options = replace(self.options.detector, conf=_EVALUATED_CONF)
        with load_detector(DEMO_MODEL, options) as detector:
            shown = ((scene.render(number), scene.full_ground_truth(number)) for number in numbers)
            return evaluate_street(detector, shown).numbers
