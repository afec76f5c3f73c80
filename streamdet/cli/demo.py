"""`streamdet demo`: everything at once, on a scene whose truth is known."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamdet.errors import UsageError
from streamdet.interrupts import InterruptListener

if TYPE_CHECKING:
    from streamdet.demo.checks import DemoCheck
    from streamdet.demo.demo import DemoResult
    from streamdet.demo.options import DemoOptions

_CHECK_SECONDS = 4.0


def demo(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Recording to write; demo.mp4.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only test this installation: short, keeps no files.")] = False,
    seconds: Annotated[float, typer.Option(min=1.0, max=3600.0, help="Length of the scene.")] = 10.0,
    objects: Annotated[int, typer.Option(min=4, max=24, help="People, cyclists and cars at once.")] = 12,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of the scene.")] = 7,
    size: Annotated[str, typer.Option(help="Of the pictures.")] = "1280x720",
    live: Annotated[bool, typer.Option("--live", help="Play the scene at the pace of a camera.")] = False,
    show: Annotated[
        bool | None, typer.Option("--show/--no-show", help="Open a window; by default where it can.")
    ] = None,
    provider: Annotated[str, typer.Option("--provider", "-d", "--device", help="auto, cuda, tensorrt, ...")] = "auto",
    precision: Annotated[str, typer.Option("--precision", help="auto, fp32, fp16, bf16 or int8.")] = "auto",
    threads: Annotated[int, typer.Option("--threads", min=0, help="CPU threads for inference; 0 chooses.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the verdict.")] = False,
) -> None:
    """Show and measure everything on a street that is made up: detect, track, draw, record.

    The detector comes with streamdet, nothing is downloaded. Exit code 1 where something is not as it should be.
    """
    with ExitStack() as later:
        if check and output is not None:
            raise UsageError("--check keeps no files: leave out --output, or --check")
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

        found = run_checks(result)
        if as_json:
            from streamdet.evaluate.json_output import json_text

            print(json_text(_json(result, found)))
        else:
            _print(found, summary(found), quiet)
    if not all(part.passed for part in found):
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
        from streamdet.kernels import compiled_before

        def tell_of_compiling() -> None:
            if not quiet and not compiled_before():
                print("streamdet: first run: compiling, which takes about half a minute once", file=sys.stderr)

        demonstration = Demo(options, tell_of_compiling)
        with RunDisplay(demonstration.job, quiet or check) as display:
            interrupts.stop = demonstration.job.pipeline.stop
            demonstration.job.run(display.tick)
    if interrupts.received:
        raise KeyboardInterrupt
    if not quiet:
        print("streamdet: measuring what was shown against the truth", file=sys.stderr)
    return demonstration.measure()


def _print(found: list[DemoCheck], summary: str, quiet: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200  # a file or a pipe has no width of its own, and programs read whole lines
    if not quiet:
        table = Table(show_header=False, show_edge=False, box=None, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for part in found:
            mark = Text("ok", style="green") if part.passed else Text("BAD", style="bold red")
            table.add_row(mark, part.name, Text(part.details))
        console.print(table)
    console.print(summary, markup=False, soft_wrap=True)


def _json(result: DemoResult, found: list[DemoCheck]) -> dict[str, Any]:
    (stream,) = result.report.streams
    return {
        "passed": all(part.passed for part in found),
        "checks": [asdict(part) for part in found],
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
