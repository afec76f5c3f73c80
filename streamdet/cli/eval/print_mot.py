"""The output of `streamdet eval mot`."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamdet.evaluate.mot import MotNumbers
from streamdet.evaluate.mot_run import MotRun

_PERCENT = ("HOTA", "DetA", "AssA", "MOTA", "MOTP", "IDF1")
_COUNTS = ("FP", "FN", "IDSW", "Frag", "MT", "ML", "tracks", "truth", "frames")


def print_mot_result(run: MotRun, without_truth: list[str]) -> None:
    """Prints one row per sequence and one for all on stdout, with MOTChallenge's names and percentages."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200  # a file or a pipe has no width, and programs read complete lines
    table = Table(show_edge=False, box=None, padding=(0, 2, 0, 0))
    table.add_column("sequence", no_wrap=True)
    for column in (*_PERCENT, *_COUNTS):
        table.add_column(column, justify="right", no_wrap=True)
    for name, numbers in run.result.sequences.items():
        table.add_row(Text(name), *_cells(numbers))
    if len(run.result.sequences) > 1:
        table.add_row("all together", *_cells(run.result.combined))
    console.print(table)
    for name, us in run.us_per_frame.items():
        console.print(f"{name}: the tracker took {us:.0f} us per frame", markup=False, soft_wrap=True)
    if without_truth:
        console.print(f"skipped, without ground truth: {', '.join(without_truth)}", markup=False, soft_wrap=True)


def _cells(numbers: MotNumbers) -> list[str]:
    shares = (numbers.hota, numbers.det_a, numbers.ass_a, numbers.mota, numbers.motp, numbers.idf1)
    counts = (
        numbers.false_positives,
        numbers.misses,
        numbers.id_switches,
        numbers.fragmentations,
        numbers.mostly_tracked,
        numbers.mostly_lost,
        numbers.tracks,
        numbers.identities,
        numbers.frames,
    )
    return [*("-" if math.isnan(share) else f"{100 * share:.3f}" for share in shares), *map(str, counts)]
