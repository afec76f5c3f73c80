"""Strict JSON output: no NaN or infinity."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamdet.sinks.output_path import write_error


def without_nan(value: Any) -> Any:
    """Returns the data with None for NaN and infinity, which JSON does not have.

    >>> without_nan({"ap": [0.5, float("nan")]})
    {'ap': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_text(value: Any) -> str:
    """Returns the data as strict JSON, see `without_nan`."""
    return json.dumps(without_nan(value), indent=2, allow_nan=False)


def write_json(value: Any, path: Path) -> None:
    """Writes `json_text` of the data.

    Raises:
        SinkError: the file cannot be written.
    """
    try:
        path.write_text(json_text(value) + "\n", encoding="utf-8")
    except OSError as error:
        raise write_error(path, error) from None
