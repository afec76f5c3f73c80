"""`streamdet demo`: the whole pipeline on a synthetic scene, measured against its ground truth."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamdet.cli.first_run import announce_compilation
from streamdet.cli.options import AsJson, Precision, Provider, Threads
from streamdet.errors import UsageError
from streamdet.interrupts import InterruptListener

if TYPE_CHECKING:
    from streamdet.demo.checks import DemoCheck
    from streamdet.demo.demo import DemoResult
    from streamdet.demo.options import DemoOptions

_CHECK_SECONDS = 4.0


def demo(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Recording to write; default: demo.mp4.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Self-test of the installation: short, keeps no files.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=1.0, max=3600.0, help="Length of the scene, in seconds.")] = 10.0,
    objects: Annotated[int, typer.Option(min=4, max=24, help="Number of people, cyclists and cars.")] = 12,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Random seed of the scene.")] = 7,
    size: Annotated[str, typer.Option(help="Frame size.")] = "1280x720",
    live: Annotated[bool, typer.Option("--live", help="Play the scene in real time, like a camera.")] = False,
    show: Annotated[
        bool | None, typer.Option("--show/--no-show", help="Show a window; default: if there is a screen.")
    ] = None,
    provider: Provider = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict only.")] = False,
) -> None:
    """Run everything on a synthetic street, and measure the result.

    Detects, tracks, draws and records. The detector is part of streamdet; nothing is downloaded. Exit code 1: a
    measurement is out of its limits.
    """
    with ExitStack() as later:
        if check and output is not None:
            raise UsageError("--check keeps no files: omit --output or --check")
        if check:
            folder = later.enter_context(tempfile.TemporaryDirectory(prefix="streamdet-"))
            output, seconds, show = Path(folder) / "demo.mp4", min(seconds, _CHECK_SECONDS), False
        elif show is None:
            show = not (quiet or as_json) and _has_screen()
        from streamdet.demo.options import DemoOptions
        from streamdet.inference.detector import DetectorOptions

        detector = DetectorOptions(provider=provider, precision=precision, threads=threads)
        result = _run(
            DemoOptions(output or Path("demo.mp4"), seconds, objects, seed, size, live, bool(show), detector),
            quiet or as_json,
            check,
        )
        from streamdet.demo.checks import run_checks, summary

        results = run_checks(result)
        if as_json:
            from streamdet.evaluate.json_output import json_text

            print(json_text(_json(result, results)))
        else:
            _print(results, summary(results), quiet)
    if not all(check.passed for check in results):
        raise typer.Exit(1)


def _has_screen() -> bool:
    from streamdet.errors import SinkError
    from streamdet.sinks.window import WindowSink

    try:
        WindowSink()
    except SinkError:
        return False
    return True


def _run(options: DemoOptions, quiet: bool, check: bool) -> DemoResult:
    with InterruptListener() as interrupts:
        from streamdet.cli.run_display import RunDisplay
        from streamdet.demo.demo import Demo

        demonstration = Demo(options, partial(announce_compilation, quiet))
        with RunDisplay(demonstration.prepared, quiet or check) as display:
            interrupts.stop = demonstration.prepared.pipeline.stop
            demonstration.prepared.run(display.tick)
    if interrupts.received:
        raise KeyboardInterrupt
    if not quiet:
        print("streamdet: measuring the result against the ground truth", file=sys.stderr)
    return demonstration.measure()


def _print(results: list[DemoCheck], summary: str, quiet: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200  # a file or a pipe has no width, and programs read complete lines
    if not quiet:
        table = Table(show_header=False, show_edge=False, box=None, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for check in results:
            mark = Text("ok", style="green") if check.passed else Text("BAD", style="bold red")
            table.add_row(mark, check.name, Text(check.details))
        console.print(table)
    console.print(summary, markup=False, soft_wrap=True)


def _json(result: DemoResult, results: list[DemoCheck]) -> dict[str, Any]:
    (stream,) = result.report.streams
    return {
        "passed": all(check.passed for check in results),
        "checks": [asdict(check) for check in results],
        "scene": result.options.url,
        "provider": result.report.provider,
        "explain": result.explain,
        "accuracy": asdict(result.accuracy),
        "tracking": asdict(result.tracking),
        "age_ms": asdict(stream.sinks[0].age),
        "stages_ms": {name: asdict(times) for name, times in stream.stages.items()},
        "captured": stream.captured,
        "shown": stream.shown,
        "dropped": stream.dropped,
        "recording": asdict(result.recording),
    }
