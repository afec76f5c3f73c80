"""What all findings come to: what will run the detector and why, and the one step that helps most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamdet.doctor.check_result import CheckResult, Status
from streamdet.doctor.inference import AUTO, TAKES

_SPEED = ("nvidia gpu", "cuda libraries", "lib", "provider cuda", "provider openvino")
"""Beginnings of the names of findings that decide how fast detection is; the faster hardware comes first."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The end of a doctor's report.

    Attributes:
        provider: what ``--provider auto`` takes here; "" where nothing runs.
        summary: one or two sentences for people.
        best_step: what to do first; "" where there is nothing to do.
        broken: names of the findings that are broken.
    """

    provider: str
    summary: str
    best_step: str
    broken: tuple[str, ...]


def diagnose(checks: Sequence[CheckResult]) -> Diagnosis:
    """Returns what the findings come to."""
    by_name = {check.name: check for check in checks}
    auto = by_name.get(AUTO)
    works = auto is not None and auto.status is Status.OK
    provider = auto.detail.removeprefix(TAKES) if auto is not None and works else ""
    broken = tuple(check.name for check in checks if check.status is Status.FAIL)
    return Diagnosis(provider, _summary(provider, by_name), _best_step(checks, provider), broken)


def _summary(provider: str, by_name: dict[str, CheckResult]) -> str:
    if not provider:
        others = [name for name, check in by_name.items() if name.startswith("provider ") and check.status is Status.OK]
        works = f"but it does with --{others[0]}" if others else "nor with any other"
        return f"Detection does not run with --provider auto, {works}."
    where = {"cpu": "the processor", "cuda": "the NVIDIA GPU", "openvino": "the processor, through OpenVINO"}
    sentences = [f"Detection runs on {where.get(provider, provider)}: --provider auto takes {provider}."]
    passed_over = {"cuda": (), "openvino": ("cuda",)}.get(provider, ("cuda", "openvino"))
    for other in passed_over:
        check = by_name.get(f"provider {other}")
        if check is not None and check.status is not Status.OK:
            sentences.append(f"Not {other}: {check.detail}.")
    return " ".join(sentences)


def _best_step(checks: Sequence[CheckResult], provider: str) -> str:
    """What is broken comes first, then speed, then the rest; a processor needs no plug-in where a GPU works."""
    for check in checks:
        if check.status is Status.FAIL and check.fix:
            return check.fix
    faster = [] if provider == "cuda" else [c for start in _SPEED for c in checks if c.name.startswith(start) and c.fix]
    rest = [check for check in checks if check.status is Status.WARN and check.fix]
    return next((check.fix for check in (*faster, *rest)), "")
