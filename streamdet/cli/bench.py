"""`streamdet bench`: each measured thing with its rival in the same run."""

from enum import Enum
from importlib import import_module
from typing import Annotated

import typer


class Benchmark(Enum):
    """What can be measured."""

    PREPROCESS = "preprocess"
    POSTPROCESS = "postprocess"
    TRACKING = "tracking"
    DRAW = "draw"
    MOTION = "motion"
    PIPELINE = "pipeline"


def bench(
    what: Annotated[list[Benchmark], typer.Argument(metavar="WHAT", help="One or more of them.")],
    rounds: Annotated[int, typer.Option("--rounds", "-n", min=1, help="How often each candidate takes its turn.")] = 15,
) -> None:
    """Measure parts of streamdet against other ways to do the same.

    All take turns in one run, since the speed of a machine changes with time; compare the ratios.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    for benchmark in what:
        title, timings, notes = import_module(f"streamdet.bench.{benchmark.value}").run(rounds)
        table = Table(title=title, title_justify="left", show_edge=False, box=None, padding=(0, 2))
        table.add_column("candidate", no_wrap=True)
        for column in ("median", "best", "times ours"):
            table.add_column(column, justify="right", no_wrap=True)
        for timing in timings:
            table.add_row(timing.name, _ms(timing.median_ms), _ms(timing.best_ms), f"{timing.ratio:.2f}")
        console.print(table)
        for note in notes:
            console.print(f"  {note}", soft_wrap=True)
        console.print()


def _ms(value: float) -> str:
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"
