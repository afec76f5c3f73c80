"""The result of one check, and how its texts hide credentials and the name of the user."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from streamdet.redact import redact


class Status(Enum):
    """OK: works. ABSENT: not present, which is not an error. WARN: works, but worse than it could. FAIL: broken."""

    OK = "ok"
    ABSENT = "-"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check.

    Attributes:
        name: what was checked.
        status: the outcome.
        detail: what was found, in one line.
        fix: what to do about it, in one line; "" if there is nothing to do.
        took_s: how long the check took.
    """

    name: str
    status: Status
    detail: str
    fix: str = ""
    took_s: float = field(default=0.0, compare=False)


def one_line(error: BaseException) -> str:
    """Returns an exception as one line without credentials, starting with its type."""
    return f"{type(error).__name__}: {redact(' '.join(str(error).split()))}"


def abbreviate_home(path: Path | str) -> str:
    """Returns a path with the home folder as ``~``, which is shorter and hides the name of the user."""
    try:
        home = str(Path.home())
    except RuntimeError:  # no home directory
        return str(path)
    text = str(path)
    if home == os.sep or not (text == home or text.startswith(home + os.sep)):
        return text
    return "~" + text[len(home) :]
