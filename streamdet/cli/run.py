"""`streamdet run`: detect, track, draw and record."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from streamdet.cli.first_run import announce_compilation
from streamdet.cli.malloc_threshold import lower_mmap_threshold
from streamdet.cli.options import CONTRACT_HELP, MODEL_HELP, NMS_HELP, PRECISION_HELP, PROVIDER_HELP, THREADS_HELP
from streamdet.errors import UsageError
from streamdet.interrupts import InterruptListener
from streamdet.sinks.factory import supported_outputs
from streamdet.trackers import tracker_names

OptionalText = str | None


def run(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE", help="Inputs: 0, /dev/video0, a file, a folder, 'a/*.jpg', rtsp://, http://, synthetic:."
        ),
    ] = None,
    more_sources: Annotated[
        list[str] | None, typer.Option("--source", "-i", metavar="SOURCE", help="Input, as SOURCE; repeatable.")
    ] = None,
    model: Annotated[
        OptionalText,
        typer.Option("--model", "-m", metavar="MODEL", help=MODEL_HELP),
    ] = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help=f"Output: {supported_outputs()}; numbered images as img/%06d.jpg. Repeatable.",
        ),
    ] = None,
    show: Annotated[
        bool | None, typer.Option("--show/--no-show", " /--no_show", help="Show each source in a window.")
    ] = None,
    conf: Annotated[
        float | None,
        typer.Option("--conf", "-t", "--threshold", help="Minimum score of an object, 0 to 1; default: the model's."),
    ] = None,
    iou: Annotated[
        float | None,
        typer.Option("--iou", help=NMS_HELP),
    ] = None,
    classes: Annotated[
        OptionalText, typer.Option("--classes", help="Classes to report, e.g. person,car; default: all.")
    ] = None,
    provider: Annotated[
        OptionalText,
        typer.Option("--provider", "-d", "--device", help=PROVIDER_HELP),
    ] = None,
    precision: Annotated[OptionalText, typer.Option("--precision", help=PRECISION_HELP)] = None,
    threads: Annotated[int | None, typer.Option("--threads", help=THREADS_HELP)] = None,
    download: Annotated[
        bool | None,
        typer.Option("--download/--no-download", help="Download a known model that is missing; on by default."),
    ] = None,
    contract: Annotated[
        OptionalText,
        typer.Option("--contract", "-at", "--architecture-type", help=CONTRACT_HELP),
    ] = None,
    mode: Annotated[
        OptionalText, typer.Option("--mode", help="Timing mode: auto, every-frame, live or smooth.")
    ] = None,
    delay: Annotated[
        float | None, typer.Option("--delay", help="Delay of smooth mode, in seconds; with auto, its maximum.")
    ] = None,
    tracker: Annotated[OptionalText, typer.Option("--tracker", help=f"Tracker: {', '.join(tracker_names())}.")] = None,
    size: Annotated[
        OptionalText, typer.Option("--size", help="Frame size to request from a camera, e.g. 1280x720.")
    ] = None,
    fps: Annotated[float | None, typer.Option("--fps", help="Frame rate to request from a camera.")] = None,
    realtime: Annotated[bool | None, typer.Option("--realtime", help="Play files at their own frame rate.")] = None,
    detect_hz: Annotated[
        float | None,
        typer.Option("--detect-hz", help="Maximum detections per second and source; 0: no limit, the default."),
    ] = None,
    region: Annotated[
        OptionalText,
        typer.Option(
            "--region", metavar="L,T,R,B", help="Part of the frame to detect in, as fractions, e.g. 0,.5,1,1."
        ),
    ] = None,
    gate: Annotated[
        bool | None, typer.Option("--gate/--no-gate", help="Skip detection while the picture does not change.")
    ] = None,
    encoder: Annotated[
        OptionalText, typer.Option("--encoder", help="Video encoder, e.g. libx264, h264_nvenc; default: auto.")
    ] = None,
    quality: Annotated[
        int | None, typer.Option("--quality", help="Video quality (CRF), 0 to 51, lower is better; default: 23.")
    ] = None,
    trails: Annotated[
        bool | None, typer.Option("--trails/--no-trails", help="Draw the recent path of each object; on by default.")
    ] = None,
    max_frames: Annotated[
        int | None, typer.Option("--max-frames", help="Maximum frames per source; 0: no limit.")
    ] = None,
    duration: Annotated[
        float | None, typer.Option("--duration", help="Maximum seconds of video per source; 0: no limit.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="YAML configuration file; options typed here override it.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no summary.")] = False,
) -> None:
    """Detect and track objects in cameras, streams and files.

    Example: streamdet run video.mp4 -m yolox-nano -o annotated.mp4 -o detections.jsonl
    """
    typed: dict[str, Any] = {
        "sources": [*(sources or []), *(more_sources or [])],
        "source": {
            "size": size,
            "fps": fps,
            "realtime": realtime,
            "detect": {
                "max_hz": detect_hz,
                "region": None if region is None else _parse_region(region),
                "gate": gate,
            },
        },
        "model": model,
        "download": download,
        "contract": contract,
        "outputs": outputs,
        "show": show,
        "detector": {
            "conf": conf,
            "iou": iou,
            "classes": None if classes is None else _parse_classes(classes),
            "provider": provider,
            "precision": precision,
            "threads": threads,
        },
        "mode": mode,
        "motion": {"delay_s": delay},
        "tracker": {"kind": tracker},
        "recording": {"encoder": encoder, "quality": quality},
        "draw": {"trails": trails},
        "max_frames": max_frames,
        "duration_s": duration,
    }
    lower_mmap_threshold()
    with InterruptListener() as interrupts:
        from streamdet.build import build
        from streamdet.cli.download_progress import DownloadProgress
        from streamdet.cli.run_display import RunDisplay
        from streamdet.config import load_config

        with DownloadProgress(quiet) as downloading:
            settings = load_config(config, typed)
            announce = partial(announce_compilation, quiet)
            job = build(settings, abandon_busy=True, on_warm_up=announce, listener=downloading)
        with RunDisplay(job, quiet) as display:
            interrupts.stop = job.pipeline.stop
            job.run(display.tick)
    if interrupts.received:
        raise KeyboardInterrupt


def _parse_region(text: str) -> list[float]:
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--region {text!r} is not four numbers: give left,top,right,bottom, for example 0,0.5,1,1"
        ) from None
    return [left, top, right, bottom]


def _parse_classes(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"--classes {text!r} names no class: write for example --classes person,car")
    return names
