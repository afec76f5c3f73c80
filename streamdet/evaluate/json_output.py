"""What was measured, as JSON for other programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamdet.sinks.output_path import write_error


def plain(value: Any) -> Any:
    """Returns data with None for every number that cannot be said: JSON knows neither NaN nor infinity.

    >>> plain({"ap": [0.5, float("nan")]})
    {'ap': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_text(value: Any) -> str:
    """Returns data as JSON that every program reads, see `plain`."""
    return json.dumps(plain(value), indent=2, allow_nan=False)


def write_json(value: Any, path: Path) -> None:
    """Writes `json_text` of data.

    Raises:
        SinkError: the file cannot be written.
    """
    try:
        path.write_text(json_text(value) + "\n", encoding="utf-8")
    except OSError as error:
        raise write_error(path, error) from None
