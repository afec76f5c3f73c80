"""`streamdet bench`: each measured thing with its rival in the same run."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from streamdet.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamdet.bench.timing import BenchmarkTable

app = typer.Typer(help="Measure streamdet against other ways to do the same, in one run: compare the ratios.")

_Rounds = Annotated[int, typer.Option("--rounds", "-n", min=1, help="How often each candidate takes its turn.")]
_Model = Annotated[str | None, typer.Option("--model", "-m", metavar="MODEL", help="Name, .onnx or .yaml.")]
_Provider = Annotated[str, typer.Option("--provider", "-d", "--device", help="What streamdet infers on.")]
_Threads = Annotated[int, typer.Option("--threads", min=0, help="CPU threads for inference; 0 chooses.")]


@app.command("preprocess")
def preprocess(rounds: _Rounds = 15) -> None:
    """A frame to the network's input."""
    _timings("preprocess", rounds)


@app.command("postprocess")
def postprocess(rounds: _Rounds = 15) -> None:
    """The network's output to boxes."""
    _timings("postprocess", rounds)


@app.command("tracking")
def tracking(rounds: _Rounds = 15) -> None:
    """Boxes to tracks."""
    _timings("tracking", rounds)


@app.command("draw")
def draw(rounds: _Rounds = 15) -> None:
    """Boxes and labels onto a frame."""
    _timings("draw", rounds)


@app.command("motion")
def motion(rounds: _Rounds = 15) -> None:
    """Boxes moved by what the picture shows."""
    _timings("motion", rounds)


@app.command("pipeline")
def pipeline(
    model: _Model = None,
    provider: _Provider = "cpu",
    threads: _Threads = 0,
    frames: Annotated[int, typer.Option("--frames", min=10, help="Length of the clip.")] = 150,
    preset: Annotated[str, typer.Option(help="Of x264; the fastest hides least of the rest.")] = "ultrafast",
    rounds: _Rounds = 5,
) -> None:
    """File to annotated file at 1080p: rate, processor time, memory; without -m the network is left out."""
    from streamdet.bench.pipeline import PipelineBenchmark, run
    from streamdet.cli.download_progress import DownloadProgress
    from streamdet.models.model_cache import downloader

    with DownloadProgress() as downloading:
        measured = run(PipelineBenchmark(model, provider, threads, frames, preset), rounds, downloader(downloading))
    _show(measured)


@app.command("capacity")
def capacity(
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="Name, .onnx or .yaml.")],
    provider: _Provider = "auto",
    threads: _Threads = 0,
    size: Annotated[str, typer.Option("--size", help="Of the streams.")] = "1280x720",
    fps: Annotated[int, typer.Option("--fps", min=1, max=240, help="Of the streams.")] = 15,
    max_age: Annotated[float, typer.Option("--max-age", metavar="MS", help="99th percentile, capture to file.")] = 300,
    min_shown: Annotated[float, typer.Option("--min-shown", metavar="PERCENT", help="Of the frames of each.")] = 99,
    min_detections: Annotated[float, typer.Option("--min-detections", metavar="HZ", help="Of each, per second.")] = 5,
    record: Annotated[bool, typer.Option("--record/--no-record", help="Encode the annotated video.")] = True,
    seconds: Annotated[float, typer.Option("--seconds", min=5, help="Of one trial.")] = 10,
) -> None:
    """How many live streams this machine carries within a stated limit, found by search."""
    from streamdet.bench.capacity import Limit, Load, Trial, run
    from streamdet.cli.download_progress import DownloadProgress
    from streamdet.models.model_cache import downloader

    if not (parts := re.fullmatch(r"([0-9]{2,5})x([0-9]{2,5})", size)) or int(parts[1]) % 2 or int(parts[2]) % 2:
        raise UsageError(f"--size {size!r} is no size of a video: write for example 1280x720, both even")
    load = Load(model, provider, threads, int(parts[1]), int(parts[2]), fps, record, seconds)
    limit = Limit(max_age, min_shown / 100, min_detections)

    def tell(trial: Trial) -> None:
        word = "carried" if trial.within(limit) else "too many"
        print(f"streamdet: {trial.streams} streams: {word}", file=sys.stderr)

    with DownloadProgress() as downloading:
        _show(run(load, limit, downloader(downloading), tell))


def _timings(what: str, rounds: int) -> None:
    from streamdet.bench.timing import BenchmarkTable

    title, timings, notes = import_module(f"streamdet.bench.{what}").run(rounds)
    rows = [(t.name, _ms(t.median_ms), _ms(t.best_ms), f"{t.ratio:.2f}") for t in timings]
    _show(BenchmarkTable(title, ("candidate", "median", "best", "times ours"), rows, notes))


def _show(measured: BenchmarkTable) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160  # a log file has no width of its own
    table = Table(title=measured.title, title_justify="left", show_edge=False, box=None, padding=(0, 2))
    names, *numbers = measured.header
    table.add_column(names, no_wrap=True)
    for number in numbers:
        table.add_column(number, justify="right")
    for row in measured.rows:
        table.add_row(*row)
    console.print(table)
    _notes(measured.notes)
    console.print()


def _notes(notes: Sequence[str]) -> None:
    for note in notes:
        print(f"  {note}")


def _ms(value: float) -> str:
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"
