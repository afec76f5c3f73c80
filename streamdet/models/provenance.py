"""Where a converted file says it comes from."""

from __future__ import annotations

import json
from dataclasses import dataclass

from streamdet.redact import printable, redact

CONVERTED_KEY = "streamdet.converted"
"""Metadata key of a converted file: JSON with its source, the options, and the numbers of its proof."""

ACCURACY_KEY = "streamdet.accuracy"
"""Metadata key of a file whose accuracy is not its source's: why, in words."""

_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a converted file says it comes from; whoever made the file could write anything there.

    Attributes:
        source: name of the file it was made from.
        sha256: of that file.
        options: as typed.
        before: the file that one was made from, with its options; "" where it was not converted itself.
        proof: in words.
        notes: what else was found.
    """

    source: str
    sha256: str
    options: str
    before: str
    proof: str
    notes: tuple[str, ...]


def read_provenance(text: str) -> Provenance | None:
    """Returns what the metadata `CONVERTED_KEY` says; None where it says nothing that can be read.

    >>> read_made_from("[]") is None
    True
    """
    try:
        done = json.loads(text)
        proof = done["proof"]
        words = (
            f"{int(proof['matched'])} of {int(proof['detections'])} detections on {int(proof['pictures'])} pictures "
            f"agree with its source, boxes within {float(proof['greatest_box_difference']):.1g} of the side, scores "
            f"within {float(proof['greatest_score_difference']):.1g}"
        )
        before = done.get("before")
        return Provenance(
            source=_line(done["from"]),
            sha256=_line(done["sha256"]),
            options=_line(done["options"]),
            before=_line(f"{before['from']} with {before['options'] or 'no options'}") if before else "",
            proof=words,
            notes=tuple(_line(note) for note in done["notes"])[:20],
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _line(value: object) -> str:
    return redact(printable(str(value)[:_LONGEST]))
