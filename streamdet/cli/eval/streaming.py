"""`streamdet eval streaming`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamdet.errors import UsageError

if TYPE_CHECKING:
    from streamdet.evaluate.streaming import Setting

Text = str | None
_MOST_SETTINGS = 64


def streaming(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A video file, or synthetic:street for its exact truth.")
    ],
    model: Annotated[
        Text, typer.Option("--model", "-m", metavar="MODEL", help="Whose boxes on every frame are taken for true.")
    ] = None,
    rates: Annotated[str, typer.Option("--rates", help="Detections per second, e.g. 2,5.")] = "1,2,3,5,10,15",
    latency: Annotated[
        Text,
        typer.Option("--latency", metavar="MS", help="From frame to detections, e.g. 100,500; else one period each."),
    ] = None,
    delay: Annotated[float, typer.Option("--delay", min=0.0, help="Smooth mode: seconds that frames wait.")] = 1.0,
    flow: Annotated[bool, typer.Option("--flow/--no-flow", help="Measure motion in the pictures.")] = True,
    conf: Annotated[float | None, typer.Option("--conf", "-t", help="Least score of an object, 0 to 1.")] = None,
    classes: Annotated[Text, typer.Option("--classes", help="Only these, e.g. person,car.")] = None,
    provider: Annotated[str, typer.Option("--provider", "-d", "--device", help="What the model runs on.")] = "auto",
    threads: Annotated[int, typer.Option("--threads", min=0, help="CPU threads for inference; 0 chooses.")] = 0,
    max_frames: Annotated[int, typer.Option("--max-frames", min=0, help="Only the first so many; 0 takes all.")] = 0,
    report: Annotated[Path | None, typer.Option("--report", metavar="JSON", help="Write every figure as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="PNG", help="Draw quality over the rate.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Measure what is shown at each frame's time when detections are few and late: hold-last, live, smooth.

    A simulation without a clock, the same in every run: the pipeline's own code is given the true boxes of few frames,
    late. Its boxes on all frames are compared with the true ones of the same ids.

    Example: streamdet eval streaming video.mp4 -m yolox-nano --rates 2,5 --report streaming.json --plot streaming.png
    """
    from streamdet.evaluate.plot import check_plot
    from streamdet.evaluate.streaming import evaluate_streaming
    from streamdet.evaluate.streaming_ground_truth import GroundTruthFrames, GroundTruthOptions
    from streamdet.evaluate.streaming_report import plot_streaming, write_report
    from streamdet.inference.detector import DetectorOptions
    from streamdet.sinks.output_path import InputFiles, check_output_file
    from streamdet.tracking.motion_options import MotionOptions

    settings = _settings(rates, latency, delay)
    outputs = [path for path in (report, plot) if path is not None]
    if len(set(outputs)) < len(outputs):
        raise UsageError("--report and --plot name the same file")
    if plot is not None:
        check_plot(plot)
    from streamdet.cli.download_progress import DownloadProgress
    from streamdet.cli.eval.eval_progress import EvalProgress
    from streamdet.cli.eval.print_streaming import print_scores
    from streamdet.kernels import compiled_before
    from streamdet.models.model_cache import downloader

    if not quiet and not compiled_before():
        print("streamdet: first run: compiling, which takes about half a minute once", file=sys.stderr)
    named = tuple(name.strip() for name in (classes or "").split(",") if name.strip())
    detector = DetectorOptions(conf=conf, classes=named, provider=provider, threads=threads)
    with DownloadProgress(quiet) as downloading, EvalProgress(quiet, long_end=False) as progress:
        truth = GroundTruthOptions(source, model, detector, max_frames)
        frames = GroundTruthFrames(truth, progress, downloader(downloading))
        for path in outputs:
            check_output_file(path, overwrite=True, inputs=InputFiles(frames.source.files))
        scores = evaluate_streaming(frames, settings, MotionOptions(flow=flow))
    if report is not None:
        write_report(scores, frames.source.url, frames.truth, report)
    if plot is not None:
        plot_streaming(scores, plot, f"{frames.source.name}: truth is {frames.truth}")
    print_scores(scores, frames.source.url, frames.truth)
    for path in outputs:
        typer.echo(f"wrote {path}")


def _settings(rates: str, latency: str | None, delay_s: float) -> list[Setting]:
    from streamdet.evaluate.streaming import Setting

    wanted = _numbers("--rates", rates, 0.05, 240)
    late = None if latency is None else _numbers("--latency", latency, 0, 10_000)
    settings = [
        Setting(rate, latency_s, delay_s)
        for rate in wanted
        for latency_s in ([1 / rate] if late is None else [ms / 1000 for ms in late])
    ]
    if len(settings) > _MOST_SETTINGS:
        raise UsageError(
            f"{len(settings)} pairs of a rate and a latency are too many at once: {_MOST_SETTINGS} at most"
        )
    return settings


def _numbers(option: str, text: str, least: float, most: float) -> list[float]:
    try:
        numbers = sorted({float(part) for part in text.split(",")})
    except ValueError:
        raise UsageError(f"{option} {text!r}: expected numbers like 2,5,10") from None
    if not all(least <= number <= most for number in numbers):
        raise UsageError(f"{option} {text!r}: must be from {least:g} to {most:g}")
    return numbers
