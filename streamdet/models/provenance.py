"""Where a converted file says it comes from."""

from __future__ import annotations

import json
from dataclasses import dataclass

from streamdet.redact import printable, redact

CONVERTED_KEY = "streamdet.converted"
"""Metadata key of a converted file: JSON with its source, the options, and the numbers of its verification."""

ACCURACY_KEY = "streamdet.accuracy"
"""Metadata key of a file whose accuracy is not its source's: why, in words."""

_LONGEST = 300
_RENAMED = {
    "pictures": "images",
    "greatest_box_difference": "max_box_difference",
    "greatest_score_difference": "max_score_difference",
}
"""Numbers in files of earlier versions, which also call the verification "proof" and an earlier conversion "before"."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a converted file says it comes from; whoever made the file could write anything there.

    Attributes:
        source: name of the file it was made from.
        sha256: of that file.
        options: as typed.
        before: the file that one was made from, with its options; "" where it was not converted itself.
        verification: in words.
        notes: what else was found.
    """

    source: str
    sha256: str
    options: str
    before: str
    verification: str
    notes: tuple[str, ...]


def read_provenance(text: str) -> Provenance | None:
    """Returns what the metadata `CONVERTED_KEY` says; None where it says nothing that can be read.

    >>> read_provenance("[]") is None
    True
    """
    try:
        done = json.loads(text)
        numbers = done["verification"] if "verification" in done else done["proof"]
        numbers = {_RENAMED.get(key, key): value for key, value in numbers.items()}
        words = (
            f"{int(numbers['matched'])} of {int(numbers['detections'])} detections on {int(numbers['images'])} images "
            f"agree with its source, boxes within {float(numbers['max_box_difference']):.1g} of the side, scores "
            f"within {float(numbers['max_score_difference']):.1g}"
        )
        before = done.get("earlier_conversion", done.get("before"))
        return Provenance(
            source=_line(done["from"]),
            sha256=_line(done["sha256"]),
            options=_line(done["options"]),
            before=_line(f"{before['from']} with {before['options'] or 'no options'}") if before else "",
            verification=words,
            notes=tuple(_line(note) for note in done["notes"])[:20],
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _line(value: object) -> str:
    return redact(printable(str(value)[:_LONGEST]))
