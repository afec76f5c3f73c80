"""The provenance of a converted model, from its metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass

from streamdet.redact import printable, redact

CONVERTED_KEY = "streamdet.converted"
"""Metadata key of a converted file: JSON with its source, the options, and the figures of its verification."""

ACCURACY_KEY = "streamdet.accuracy"
"""Metadata key of a file whose accuracy differs from that of its source: the reason, as text."""

_MAX_TEXT = 300
_OLD_NAMES = {
    "pictures": "images",
    "greatest_box_difference": "max_box_difference",
    "greatest_score_difference": "max_score_difference",
}
"""Old names of figures; old files also name the verification "proof", and an earlier conversion "before"."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """The provenance that a converted file states; the metadata is untrusted.

    Attributes:
        source: name of the source file.
        sha256: digest of the source file.
        options: conversion options as typed.
        before: the source of the source file, with its options; "" if that was not converted.
        verification: summary of the verification.
        notes: other findings.
    """

    source: str
    sha256: str
    options: str
    before: str
    verification: str
    notes: tuple[str, ...]


def read_provenance(text: str) -> Provenance | None:
    """Returns the provenance in the metadata `CONVERTED_KEY`, None if it cannot be read.

    >>> read_provenance("[]") is None
    True
    """
    try:
        record = json.loads(text)
        numbers = record["verification"] if "verification" in record else record["proof"]
        numbers = {_OLD_NAMES.get(key, key): value for key, value in numbers.items()}
        summary = (
            f"{int(numbers['matched'])} of {int(numbers['detections'])} detections on {int(numbers['images'])} images "
            f"agree with its source, boxes within {float(numbers['max_box_difference']):.1g} of the side, scores "
            f"within {float(numbers['max_score_difference']):.1g}"
        )
        before = record.get("earlier_conversion", record.get("before"))
        return Provenance(
            source=_line(record["from"]),
            sha256=_line(record["sha256"]),
            options=_line(record["options"]),
            before=_line(f"{before['from']} with {before['options'] or 'no options'}") if before else "",
            verification=summary,
            notes=tuple(_line(note) for note in record["notes"])[:20],
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _line(value: object) -> str:
    return redact(printable(str(value)[:_MAX_TEXT]))
