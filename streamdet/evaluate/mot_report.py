"""An evaluation of tracks as JSON for other programs."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import streamdet
from streamdet.evaluate.mot import MotNumbers
from streamdet.evaluate.mot_run import MotOptions, MotRun
from streamdet.sinks.targets import failure


def write_report(run: MotRun, options: MotOptions, path: Path) -> None:
    """Writes every number, and what they depend on.

    Raises:
        SinkError: the file cannot be written.
    """
    try:
        path.write_text(json.dumps(report(run, options), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise failure(path, error) from None


def report(run: MotRun, options: MotOptions) -> dict[str, Any]:
    """Returns what `write_report` writes; None stands for what cannot be said."""
    return {
        "combined": _row(run.result.combined),
        "sequences": {
            name: {
                **_row(numbers),
                "from": str(run.sources[name]),
                "tracker_us_per_frame": run.us_per_frame.get(name),
            }
            for name, numbers in run.result.sequences.items()
        },
        "least_iou": options.least_iou,
        "tracker": asdict(options.tracker) if run.us_per_frame else None,
        "streamdet": streamdet.__version__,
    }


def _row(numbers: MotNumbers) -> dict[str, Any]:
    row = asdict(numbers) | {"objects": numbers.objects}
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
