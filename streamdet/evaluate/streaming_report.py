"""Streaming quality as files: JSON, and a picture of its curves."""

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

MEASURE = "mean IoU over all true boxes of the box shown with that id on that frame; missing = 0"


def report(scores: Sequence[StreamingScore], source: str, truth: str) -> dict[str, Any]:
    """Returns what `write_report` writes."""
    return {
        "source": source,
        "truth": truth,
        "quality": MEASURE,
        "frames_that_count": "from the arrival of the first detections on",
        "scores": [asdict(score) for score in scores],
    }


def write_report(scores: Sequence[StreamingScore], source: str, truth: str, path: Path) -> None:
    """Writes every figure as JSON.

    Raises:
        SinkError: the file cannot be written.
    """
    write_json(report(scores, source, truth), path)


def plot_streaming(scores: Sequence[StreamingScore], path: Path, title: str) -> None:
    """Draws quality over the detection rate, a curve for each mode; one plot for each rule of latency.

    Args:
        scores: what to show.
        path: see `check_plot`.
        title: a line above.

    Raises:
        UsageError: see `check_plot`.
        SinkError: the file cannot be written.
    """
    check_plot(path)
    from matplotlib.figure import Figure  # without pyplot: no window system is looked for

    plots = latencies(scores)
    figure = Figure(figsize=(5.5 * len(plots) + 1, 5), dpi=110, layout="constrained")
    figure.suptitle(title)
    for axes, (words, part) in zip(figure.subplots(1, len(plots), squeeze=False)[0], plots.items(), strict=True):
        for mode in MODES:
            points = sorted((s.setting.rate_hz, s.quality) for s in part if s.mode == mode)
            axes.plot(*zip(*points, strict=True), marker="o", label=mode)
        axes.set_title(f"detections {words} late")
        axes.set(xlabel="detections per second", ylabel="mean IoU of what is shown", ylim=(0, 1.02), xscale="log")
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
    """Returns the scores by what their latency is: of all as long as a detection takes at its rate, or a number."""
    own = all(math.isclose(score.setting.latency_s, 1 / score.setting.rate_hz) for score in scores)
    parts: dict[str, list[StreamingScore]] = {}
    for score in scores:
        words = "one period" if own else f"{1000 * score.setting.latency_s:g} ms"
        parts.setdefault(words, []).append(score)
    return parts
