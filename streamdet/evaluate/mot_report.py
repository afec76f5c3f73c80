"""An evaluation of tracks as JSON for other programs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import streamdet
from streamdet.evaluate.json_output import write_json
from streamdet.evaluate.mot import MotNumbers
from streamdet.evaluate.mot_run import MotOptions, MotRun


def write_report(run: MotRun, options: MotOptions, path: Path) -> None:
    """Writes every number, and what they depend on.

    Raises:
        SinkError: the file cannot be written.
    """
    write_json(report(run, options), path)


def report(run: MotRun, options: MotOptions) -> dict[str, Any]:
    """Returns what `write_report` writes."""
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
        "min_iou": options.min_iou,
        "tracker": asdict(options.tracker) if run.us_per_frame else None,
        "streamdet": streamdet.__version__,
    }


def _row(numbers: MotNumbers) -> dict[str, Any]:
    return asdict(numbers) | {"objects": numbers.objects}
