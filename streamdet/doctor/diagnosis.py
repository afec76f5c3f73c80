"""The summary of all results: which provider runs the detector, why, and the most useful next step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamdet.doctor.check_result import CheckResult, Status
from streamdet.doctor.inference import AUTO, SELECTS

_SPEED = ("nvidia gpu", "cuda libraries", "lib", "provider cuda", "provider openvino")
"""Prefixes of the names of results that decide how fast detection is, fastest hardware first."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The conclusion of a report.

    Attributes:
        provider: what ``--provider auto`` selects; "" if nothing runs.
        summary: one or two sentences for the user.
        best_step: what to do first; "" if there is nothing to do.
        broken: names of the failed results.
    """

    provider: str
    summary: str
    best_step: str
    broken: tuple[str, ...]


def diagnose(checks: Sequence[CheckResult]) -> Diagnosis:
    """Returns the conclusion from all results."""
    by_name = {check.name: check for check in checks}
    auto = by_name.get(AUTO)
    works = auto is not None and auto.status is Status.OK
    provider = auto.detail.removeprefix(SELECTS) if auto is not None and works else ""
    broken = tuple(check.name for check in checks if check.status is Status.FAIL)
    return Diagnosis(provider, _summary(provider, by_name), _best_step(checks, provider), broken)


def _summary(provider: str, by_name: dict[str, CheckResult]) -> str:
    if not provider:
        others = [name for name, check in by_name.items() if name.startswith("provider ") and check.status is Status.OK]
        works = f"but it does with --{others[0]}" if others else "nor with any other provider"
        return f"Detection does not run with --provider auto, {works}."
    where = {"cpu": "the processor", "cuda": "the NVIDIA GPU", "openvino": "the processor, using OpenVINO"}
    sentences = [f"Detection runs on {where.get(provider, provider)}: --provider auto selects {provider}."]
    faster_providers = {"cuda": (), "openvino": ("cuda",)}.get(provider, ("cuda", "openvino"))
    for other in faster_providers:
        check = by_name.get(f"provider {other}")
        if check is not None and check.status is not Status.OK:
            sentences.append(f"Not {other}: {check.detail}.")
    return " ".join(sentences)


def _best_step(checks: Sequence[CheckResult], provider: str) -> str:
    """Returns the fix of the first failure, else of what limits the speed, else of any warning.

    OpenVINO is not suggested where a GPU works.
    """
    for check in checks:
        if check.status is Status.FAIL and check.fix:
            return check.fix
    faster = [] if provider == "cuda" else [c for start in _SPEED for c in checks if c.name.startswith(start) and c.fix]
    rest = [check for check in checks if check.status is Status.WARN and check.fix]
    return next((check.fix for check in (*faster, *rest)), "")
