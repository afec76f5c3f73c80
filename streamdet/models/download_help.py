"""Instructions for downloading a model file by hand, for messages about missing files."""

from __future__ import annotations

import shlex
from pathlib import Path

from streamdet.model_spec.origin import Origin
from streamdet.redact import redact_address


def download_help(origin: Origin, path: Path) -> str:
    """Returns how to download a model file by hand: the command, or where to save the file."""
    if not origin.urls:
        return f"get the file and save it as {path} ({origin.facts})"
    command = f"curl -fL --create-dirs -o {shlex.quote(str(path))} {shlex.quote(redact_address(origin.urls[0]))}"
    return f"download it with: {command} ({origin.facts})"
