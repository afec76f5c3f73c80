"""What a probe of the machine finds."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from streamdet.redact import redact


class Status(Enum):
    """OK: works. ABSENT: not here, and nothing is wrong with that. WARN: works worse than it could. FAIL: broken."""

    OK = "ok"
    ABSENT = "-"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One finding.

    Attributes:
        name: what was looked at.
        status: how it is.
        detail: what was found, one line.
        fix: what to do about it, one line; "" where there is nothing to do.
        took_s: how long the probe took.
    """

    name: str
    status: Status
    detail: str
    fix: str = ""
    took_s: float = field(default=0.0, compare=False)


def one_line(error: BaseException) -> str:
    """Returns an exception as one line without credentials, its kind first."""
    return f"{type(error).__name__}: {redact(' '.join(str(error).split()))}"


def abbreviate_home(path: Path | str) -> str:
    """Returns a path with the user's home folder as ``~``: shorter, and it does not tell who the user is."""
    try:
        home = str(Path.home())
    except RuntimeError:  # no home directory
        return str(path)
    text = str(path)
    if home == os.sep or not (text == home or text.startswith(home + os.sep)):
        return text
    return "~" + text[len(home) :]
