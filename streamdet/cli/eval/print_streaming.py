"""The output of `streamdet eval streaming`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from streamdet.evaluate.streaming import EVERY_FRAME, HOLD_LAST, StreamingScore
from streamdet.evaluate.streaming_report import MEASURE


def print_scores(scores: Sequence[StreamingScore], source: str, truth: str) -> None:
    """Prints one row per setting and mode on stdout, and the meaning of the columns."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 140  # a file or a pipe has no width
    boxes = max((score.true_boxes for score in scores), default=0)
    console.print(f"{source}: {boxes} ground truth boxes from {truth}", markup=False, soft_wrap=True)
    console.print(f"quality: {MEASURE}", markup=False, soft_wrap=True)
    table = Table(show_edge=False, box=None, padding=(0, 2, 0, 0))
    table.add_column("detections", no_wrap=True)
    table.add_column("latency", justify="right", no_wrap=True)
    table.add_column("mode", no_wrap=True)
    for column in ("quality", "IoU if shown", "missing", "extra", "between", "age", "delay", "motion"):
        table.add_column(column, justify="right", no_wrap=True)
    before = None
    for score in scores:
        table.add_row(*_pace(score, before), score.mode, *_cells(score))
        before = score.setting
    console.print(table)
    for line in (
        "missing: ground truth boxes that are not shown; extra: shown boxes whose id has no ground truth box then, per "
        "ground truth box",
        "between: frames with detections before and after them; age: to the nearest detections; delay: of the shown "
        "frames (every-frame: after one minute, and growing); motion: total processor time per frame",
    ):
        console.print(line, markup=False, soft_wrap=True)


def _pace(score: StreamingScore, before: object) -> tuple[str, str]:
    if score.setting == before:
        return "", ""
    return f"{score.setting.rate_hz:g} per second", f"{1000 * score.setting.latency_s:.0f} ms"


def _cells(score: StreamingScore) -> tuple[str, ...]:
    return (
        _number(score.quality, "", 1, 3),
        _number(score.shown_iou, "", 1, 3),
        *(_number(share, " %", 100) for share in (score.missing, score.extra, score.between_detections)),
        _number(score.detection_age_s, " ms", 1000),
        f"{score.delay_s:.0f} s" if score.delay_s >= 10 else f"{score.delay_s:.1f} s",
        "-" if score.mode in (HOLD_LAST, EVERY_FRAME) else f"{score.motion_ms:.1f} ms",
    )


def _number(value: float, unit: str, factor: float, digits: int = 0) -> str:
    return f"{factor * value:.{digits}f}{unit}" if math.isfinite(value) else "-"
