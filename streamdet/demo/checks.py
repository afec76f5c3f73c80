"""What a demonstration should have come to, and whether it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamdet.demo.demo import DemoResult

LEAST_AP50, LEAST_AP = 0.80, 0.50
LEAST_IDF1, LEAST_MOTA = 0.70, 0.60
"""Far below what every provider reaches on any held-out scene, and far above what a broken installation does."""
LEAST_OUTLINED = 0.75
"""Lines have gaps where labels lie over them, and cross things of their own brightness."""


@dataclass(frozen=True, slots=True)
class DemoCheck:
    """One thing that was looked at.

    Attributes:
        name: in a word or two.
        passed: it is as it should be.
        details: what was found.
    """

    name: str
    passed: bool
    details: str


def run_checks(result: DemoResult) -> list[DemoCheck]:
    """Returns what is to be said of a demonstration, part by part."""
    accuracy, tracking, recorded = result.accuracy, result.tracking, result.recording
    (stream,) = result.report.streams
    recording = stream.sinks[0]
    balanced = stream.captured == stream.shown + sum(stream.dropped.values())
    lost = sum(map(_lost, [stream.dropped, *(sink.dropped for sink in stream.sinks)]))
    whole = balanced and (result.options.live or lost == 0)
    age = recording.age
    return [
        DemoCheck(
            "detector",
            accuracy.ap50 >= LEAST_AP50 and accuracy.ap >= LEAST_AP,
            f"AP50 {accuracy.ap50:.3f}, AP {accuracy.ap:.3f} on {result.pictures} pictures of this scene; "
            + result.explain.partition(" (")[0],
        ),
        DemoCheck(
            "tracking",
            tracking.idf1 >= LEAST_IDF1 and tracking.mota >= LEAST_MOTA,
            f"IDF1 {tracking.idf1:.3f}, MOTA {tracking.mota:.3f}, HOTA {tracking.hota:.3f}; "
            f"{tracking.id_switches} identity switches of {tracking.identities} objects in {tracking.frames} frames; "
            f"boxes overlap theirs by {tracking.motp:.2f}",
        ),
        DemoCheck(
            "drawing",
            result.outline_coverage >= LEAST_OUTLINED,
            f"boxes are drawn where the numbers say: on {100 * result.outline_coverage:.0f} % of their outlines",
        ),
        DemoCheck(
            "time",
            True,
            f"{stream.fps:.0f} frames/s, {stream.mode}; from capture to file {age.p50_ms:.0f} ms, "
            f"95 % within {age.p95_ms:.0f}, 99 % within {age.p99_ms:.0f}",
        ),
        DemoCheck(
            "books",
            whole,
            f"captured {stream.captured} = shown {stream.shown} + dropped {sum(stream.dropped.values())}; "
            f"written {recording.written}",
        ),
        DemoCheck(
            "recording",
            recorded.frames == recorded.readable == recorded.on_time == recording.written,
            f"{recorded.readable} of {recorded.frames} frames carry their number and time in their pixels, "
            f"{recorded.on_time} have the scene's own timestamp",
        ),
    ]


def _lost(dropped: Mapping[str, int]) -> int:
    """Returns how many frames were dropped without anybody's asking; who closes the window asks for it."""
    return sum(count for cause, count in dropped.items() if cause != "stopped")


def summary(checks: list[DemoCheck]) -> str:
    """Returns one line."""
    wrong = [check.name for check in checks if not check.passed]
    if not wrong:
        return "streamdet works here, from the pixels of the scene to the frames of the recording"
    return f"something is wrong here: {', '.join(wrong)}; `streamdet doctor` tells what this machine can do"
