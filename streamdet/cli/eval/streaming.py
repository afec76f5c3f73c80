"""`streamdet eval streaming`: measures the shown boxes when detections are few and late."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamdet.cli.first_run import announce_compilation
from streamdet.cli.options import NoProgress, Provider, Threads
from streamdet.errors import UsageError

if TYPE_CHECKING:
    from streamdet.evaluate.streaming import Setting

_MAX_SETTINGS = 64


def streaming(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Video file, or synthetic:street with its exact ground truth.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="Detector whose boxes on every frame are the ground truth of a video.",
        ),
    ] = None,
    rates: Annotated[str, typer.Option("--rates", help="Detections per second, e.g. 2,5.")] = "1,2,3,5,10,15",
    latency: Annotated[
        str | None,
        typer.Option("--latency", metavar="MS", help="Detection latencies, e.g. 100,500; default: one period each."),
    ] = None,
    delay: Annotated[float, typer.Option("--delay", min=0.0, help="Delay of smooth mode, in seconds.")] = 1.0,
    flow: Annotated[bool, typer.Option("--flow/--no-flow", help="Measure motion in the frames.")] = True,
    conf: Annotated[
        float | None, typer.Option("--conf", "-t", help="Minimum score of an object, 0 to 1; default: the model's.")
    ] = None,
    classes: Annotated[str | None, typer.Option("--classes", help="Classes, e.g. person,car; default: all.")] = None,
    provider: Provider = "auto",
    threads: Threads = 0,
    max_frames: Annotated[
        int, typer.Option("--max-frames", min=0, help="Maximum number of frames, from the start; 0: all.")
    ] = 0,
    report: Annotated[Path | None, typer.Option("--report", metavar="JSON", help="All figures as JSON.")] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="PNG", help="Plot of quality over detection rate.")
    ] = None,
    quiet: NoProgress = False,
) -> None:
    """Measure the shown boxes when detections are few and late.

    Compares hold-last, live, smooth and every-frame. The simulation uses no clock and gives the same result in every
    run. The pipeline's own code gets ground truth boxes for only a few frames, and late. Its boxes on all frames are
    compared with the ground truth boxes of the same ids.

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
    from streamdet.models.model_cache import downloader

    announce_compilation(quiet)
    named = tuple(name.strip() for name in (classes or "").split(",") if name.strip())
    detector = DetectorOptions(conf=conf, classes=named, provider=provider, threads=threads)
    with DownloadProgress(quiet) as downloading, EvalProgress(quiet, announce_metrics=False) as progress:
        truth = GroundTruthOptions(source, model, detector, max_frames)
        frames = GroundTruthFrames(truth, progress, downloader(downloading))
        for path in outputs:
            check_output_file(path, overwrite=True, inputs=InputFiles(frames.source.files))
        scores = evaluate_streaming(frames, settings, MotionOptions(flow=flow))
    if report is not None:
        write_report(scores, frames.source.url, frames.truth, report)
    if plot is not None:
        plot_streaming(scores, plot, f"{frames.source.name}: ground truth from {frames.truth}")
    print_scores(scores, frames.source.url, frames.truth)
    for path in outputs:
        typer.echo(f"wrote {path}")


def _settings(rates: str, latency: str | None, delay_s: float) -> list[Setting]:
    from streamdet.evaluate.streaming import Setting

    rates_hz = _parse_numbers("--rates", rates, 0.05, 240)
    latencies_ms = None if latency is None else _parse_numbers("--latency", latency, 0, 10_000)
    settings = [
        Setting(rate, latency_s, delay_s)
        for rate in rates_hz
        for latency_s in ([1 / rate] if latencies_ms is None else [ms / 1000 for ms in latencies_ms])
    ]
    if len(settings) > _MAX_SETTINGS:
        raise UsageError(f"{len(settings)} pairs of rate and latency are too many: give {_MAX_SETTINGS} at most")
    return settings


def _parse_numbers(option: str, text: str, low: float, high: float) -> list[float]:
    try:
        numbers = sorted({float(part) for part in text.split(",")})
    except ValueError:
        raise UsageError(f"{option} {text!r}: expected numbers such as 2,5,10") from None
    if not all(low <= number <= high for number in numbers):
        raise UsageError(f"{option} {text!r}: must be from {low:g} to {high:g}")
    return numbers
