"""`streamdet bench`: measures parts of streamdet and a baseline in the same run."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from streamdet.cli.options import Model, OptionalModel, Provider, Threads
from streamdet.errors import UsageError

if TYPE_CHECKING:
    from streamdet.bench.timing import BenchmarkTable

app = typer.Typer(help="Measure streamdet against baselines in the same run.")

_Rounds = Annotated[int, typer.Option("--rounds", "-n", min=1, help="Number of times that each candidate is measured.")]


@app.command("preprocess")
def preprocess(rounds: _Rounds = 15) -> None:
    """Measure pre-processing: a frame to the network's input."""
    _print_timings("preprocess", rounds)


@app.command("postprocess")
def postprocess(rounds: _Rounds = 15) -> None:
    """Measure post-processing: the network's output to boxes."""
    _print_timings("postprocess", rounds)


@app.command("tracking")
def tracking(rounds: _Rounds = 15) -> None:
    """Measure tracking: boxes to tracks."""
    _print_timings("tracking", rounds)


@app.command("draw")
def draw(rounds: _Rounds = 15) -> None:
    """Measure drawing: boxes and labels onto a frame."""
    _print_timings("draw", rounds)


@app.command("motion")
def motion(rounds: _Rounds = 15) -> None:
    """Measure motion: boxes moved by the motion in the frames."""
    _print_timings("motion", rounds)


@app.command("pipeline")
def pipeline(
    model: OptionalModel = None,
    provider: Provider = "cpu",
    threads: Threads = 0,
    frames: Annotated[int, typer.Option("--frames", min=10, help="Length of the clip, in frames.")] = 150,
    preset: Annotated[
        str, typer.Option(help="Preset of x264; a fast preset keeps encoding from hiding the other costs.")
    ] = "ultrafast",
    rounds: _Rounds = 5,
) -> None:
    """Measure the pipeline: 1080p file to annotated file.

    Prints frame rate, processor time and memory. Without -m there is no inference.
    """
    from streamdet.bench.pipeline import PipelineBenchmark, run
    from streamdet.cli.download_progress import DownloadProgress
    from streamdet.models.model_cache import downloader

    with DownloadProgress() as downloading:
        measured = run(PipelineBenchmark(model, provider, threads, frames, preset), rounds, downloader(downloading))
    _print_table(measured)


@app.command("capacity")
def capacity(
    model: Model,
    provider: Provider = "auto",
    threads: Threads = 0,
    size: Annotated[str, typer.Option("--size", help="Stream resolution, even numbers.")] = "1280x720",
    fps: Annotated[int, typer.Option("--fps", min=1, max=240, help="Stream frame rate.")] = 15,
    max_age: Annotated[
        float, typer.Option("--max-age", metavar="MS", help="Maximum frame age, 99th percentile, in ms.")
    ] = 300,
    min_shown: Annotated[
        float, typer.Option("--min-shown", metavar="PERCENT", help="Minimum share of frames shown per stream, in %.")
    ] = 99,
    min_detections: Annotated[
        float, typer.Option("--min-detections", metavar="HZ", help="Minimum detections per second and stream.")
    ] = 5,
    record: Annotated[bool, typer.Option("--record/--no-record", help="Record the annotated video.")] = True,
    seconds: Annotated[float, typer.Option("--seconds", min=5, help="Seconds per trial.")] = 10,
) -> None:
    """Find how many live streams this machine handles.

    Searches for the largest number of streams within the limits on age, shown frames and detection rate.
    """
    from streamdet.bench.capacity import Limit, Load, Trial, run
    from streamdet.cli.download_progress import DownloadProgress
    from streamdet.models.model_cache import downloader

    if not (sides := re.fullmatch(r"([0-9]{2,5})x([0-9]{2,5})", size)) or int(sides[1]) % 2 or int(sides[2]) % 2:
        raise UsageError(f"--size {size!r} is not a video size: give WIDTHxHEIGHT, both even, for example 1280x720")
    load = Load(model, provider, threads, int(sides[1]), int(sides[2]), fps, record, seconds)
    limit = Limit(max_age, min_shown / 100, min_detections)

    def print_trial(trial: Trial) -> None:
        outcome = "within the limits" if trial.within(limit) else "too many"
        print(f"streamdet: {trial.streams} streams: {outcome}", file=sys.stderr)

    with DownloadProgress() as downloading:
        _print_table(run(load, limit, downloader(downloading), print_trial))


def _print_timings(what: str, rounds: int) -> None:
    from streamdet.bench.timing import BenchmarkTable

    title, timings, notes = import_module(f"streamdet.bench.{what}").run(rounds)
    rows = [(t.name, _ms(t.median_ms), _ms(t.best_ms), f"{t.ratio:.2f}") for t in timings]
    _print_table(BenchmarkTable(title, ("candidate", "median", "best", "vs. streamdet"), rows, notes))


def _print_table(measured: BenchmarkTable) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160  # a log file or a pipe has no width
    table = Table(title=measured.title, title_justify="left", show_edge=False, box=None, padding=(0, 2))
    names, *numbers = measured.header
    table.add_column(names, no_wrap=True)
    for number in numbers:
        table.add_column(number, justify="right")
    for row in measured.rows:
        table.add_row(*row)
    console.print(table)
    for note in measured.notes:
        print(f"  {note}")
    console.print()


def _ms(value: float) -> str:
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"
