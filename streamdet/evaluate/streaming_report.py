"""Writes streaming quality as JSON, and plots it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streamdet.evaluate.json_output import write_json
from streamdet.evaluate.plot import check_plot
from streamdet.evaluate.streaming import MODES, StreamingScore
from streamdet.sinks.output_path import write_error

MEASURE = "mean IoU of each ground truth box with the box shown under its id on that frame; 0 where none is shown"


def report(scores: Sequence[StreamingScore], source: str, truth: str) -> dict[str, Any]:
    """Returns the report that `write_report` writes."""
    return {
        "source": source,
        "ground_truth": truth,
        "quality": MEASURE,
        "frames": "from the arrival of the first detections",
        "scores": [asdict(score) for score in scores],
    }


def write_report(scores: Sequence[StreamingScore], source: str, truth: str, path: Path) -> None:
    """Writes all results as JSON.

    Raises:
        SinkError: the file cannot be written.
    """
    write_json(report(scores, source, truth), path)


def plot_streaming(scores: Sequence[StreamingScore], path: Path, title: str) -> None:
    """Plots quality over the detection rate: one curve per mode, one plot per latency.

    Args:
        scores: results to plot.
        path: see `check_plot`.
        title: above the plots.

    Raises:
        UsageError: see `check_plot`.
        SinkError: the file cannot be written.
    """
    check_plot(path)
    from matplotlib.figure import Figure  # without pyplot, which would search for a window system

    plots = latencies(scores)
    figure = Figure(figsize=(5.5 * len(plots) + 1, 5), dpi=110, layout="constrained")
    figure.suptitle(title)
    for axes, (words, part) in zip(figure.subplots(1, len(plots), squeeze=False)[0], plots.items(), strict=True):
        for mode in MODES:
            points = sorted((s.setting.rate_hz, s.quality) for s in part if s.mode == mode)
            axes.plot(*zip(*points, strict=True), marker="o", label=mode)
        axes.set_title(f"latency {words}")
        axes.set(xlabel="detections per second", ylabel="mean IoU of shown boxes", ylim=(0, 1.02), xscale="log")
        rates = sorted({score.setting.rate_hz for score in part})
        axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
    try:
        figure.savefig(path)
    except OSError as error:
        raise write_error(path, error) from None


def latencies(scores: Sequence[StreamingScore]) -> dict[str, list[StreamingScore]]:
    """Returns the results by latency in words: "one period" if all have the period of their rate, else milliseconds."""
    one_period = all(math.isclose(score.setting.latency_s, 1 / score.setting.rate_hz) for score in scores)
    parts: dict[str, list[StreamingScore]] = {}
    for score in scores:
        words = "one period" if one_period else f"{1000 * score.setting.latency_s:g} ms"
        parts.setdefault(words, []).append(score)
    return parts
