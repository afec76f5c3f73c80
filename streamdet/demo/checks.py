"""Checks of a demo's measurements, with the limits that a working installation meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamdet.demo.demo import DemoResult

MIN_AP50, MIN_AP = 0.80, 0.50
MIN_IDF1, MIN_MOTA = 0.70, 0.60
"""Far below what every provider reaches on any held-out scene, and far above what a broken installation reaches."""
MIN_OUTLINE_COVERAGE = 0.75
"""Below 1, since labels cover parts of the lines, and lines cross things of the same brightness."""


@dataclass(frozen=True, slots=True)
class DemoCheck:
    """The result of one check.

    Attributes:
        name: one or two words.
        passed: the measurements are within the limits.
        details: the measurements, in words.
    """

    name: str
    passed: bool
    details: str


def run_checks(result: DemoResult) -> list[DemoCheck]:
    """Returns the checks of a demo, in the order in which they are printed."""
    accuracy, tracking, recorded = result.accuracy, result.tracking, result.recording
    (stream,) = result.report.streams
    recording = stream.sinks[0]
    balanced = stream.captured == stream.shown + sum(stream.dropped.values())
    lost = sum(map(_lost, [stream.dropped, *(sink.dropped for sink in stream.sinks)]))
    age = recording.age
    return [
        DemoCheck(
            "detector",
            accuracy.ap50 >= MIN_AP50 and accuracy.ap >= MIN_AP,
            f"AP50 {accuracy.ap50:.3f}, AP {accuracy.ap:.3f} on {result.pictures} frames of this scene; "
            + result.explain.partition(" (")[0],
        ),
        DemoCheck(
            "tracking",
            tracking.idf1 >= MIN_IDF1 and tracking.mota >= MIN_MOTA,
            f"IDF1 {tracking.idf1:.3f}, MOTA {tracking.mota:.3f}, HOTA {tracking.hota:.3f}; "
            f"{tracking.id_switches} identity switches among {tracking.identities} objects "
            f"in {tracking.frames} frames; mean box IoU {tracking.motp:.2f}",
        ),
        DemoCheck(
            "drawing",
            result.outline_coverage >= MIN_OUTLINE_COVERAGE,
            f"{100 * result.outline_coverage:.0f} % of the box outlines are drawn where the detections are",
        ),
        DemoCheck(
            "timing",
            True,
            f"{stream.fps:.0f} frames/s in {stream.mode} mode; capture to file: median {age.p50_ms:.0f} ms, "
            f"95 % within {age.p95_ms:.0f} ms, 99 % within {age.p99_ms:.0f} ms",
        ),
        DemoCheck(
            "frame accounting",
            balanced and (result.options.live or lost == 0),
            f"captured {stream.captured} = shown {stream.shown} + dropped {sum(stream.dropped.values())}; "
            f"written {recording.written}",
        ),
        DemoCheck(
            "recording",
            recorded.frames == recorded.readable == recorded.on_time == recording.written,
            f"{recorded.readable} of {recorded.frames} frames have a readable frame code, "
            f"{recorded.on_time} have the scene's timestamp",
        ),
    ]


def _lost(dropped: Mapping[str, int]) -> int:
    """Returns the number of frames dropped without a request; closing the window is a request (`stopped`)."""
    return sum(count for cause, count in dropped.items() if cause != "stopped")


def summary(checks: list[DemoCheck]) -> str:
    """Returns the result of all checks in one line."""
    failed = [check.name for check in checks if not check.passed]
    if not failed:
        return "all checks passed: streamdet works on this machine, from rendering the scene to reading the recording"
    return f"failed checks: {', '.join(failed)}; run `streamdet doctor` to see what this machine can do"
