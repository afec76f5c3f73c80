"""Writes a tracking evaluation as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from streamdet.evaluate.json_output import write_json
from streamdet.evaluate.mot import MotNumbers
from streamdet.evaluate.mot_run import MotOptions, MotRun
from streamdet.version import __version__


def write_report(run: MotRun, options: MotOptions, path: Path) -> None:
    """Writes all metrics, and the options they depend on.

    Raises:
        SinkError: the file cannot be written.
    """
    write_json(report(run, options), path)


def report(run: MotRun, options: MotOptions) -> dict[str, Any]:
    """Returns the report that `write_report` writes."""
    return {
        "combined": _metrics(run.result.combined),
        "sequences": {
            name: {
                **_metrics(numbers),
                "source": str(run.sources[name]),
                "tracker_us_per_frame": run.us_per_frame.get(name),
            }
            for name, numbers in run.result.sequences.items()
        },
        "min_iou": options.min_iou,
        "tracker": asdict(options.tracker) if run.us_per_frame else None,
        "streamdet": __version__,
    }


def _metrics(numbers: MotNumbers) -> dict[str, Any]:
    return asdict(numbers) | {"objects": numbers.objects}
