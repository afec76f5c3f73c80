"""`streamdet run`: the main job."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from streamdet.cli.malloc_threshold import lower_mmap_threshold
from streamdet.errors import UsageError
from streamdet.interrupts import InterruptListener

Text = str | None


def run(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE", help="0, /dev/video0, file, folder, 'a/*.jpg', rtsp://, http://, synthetic:"),
    ] = None,
    more_sources: Annotated[
        list[str] | None, typer.Option("--source", "-i", metavar="SOURCE", help="The same as SOURCE; may be repeated.")
    ] = None,
    model: Annotated[
        Text, typer.Option("--model", "-m", metavar="MODEL", help="Name, .onnx file or .yaml description.")
    ] = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="out.mp4, out.mkv, out.jsonl, 'img/%06d.jpg', folder/ or null:; may be repeated.",
        ),
    ] = None,
    show: Annotated[bool | None, typer.Option("--show/--no-show", " /--no_show", help="Open a window.")] = None,
    conf: Annotated[
        float | None, typer.Option("--conf", "-t", "--threshold", help="Least score of an object, 0 to 1.")
    ] = None,
    iou: Annotated[
        float | None, typer.Option("--iou", help="Overlap above which non-maximum suppression drops.")
    ] = None,
    classes: Annotated[Text, typer.Option("--classes", help="Only these, e.g. person,car.")] = None,
    provider: Annotated[
        Text, typer.Option("--provider", "-d", "--device", help="auto, cuda, tensorrt, openvino or cpu.")
    ] = None,
    precision: Annotated[Text, typer.Option("--precision", help="auto, fp32, fp16, bf16 or int8.")] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="CPU threads for inference; 0 chooses.")] = None,
    download: Annotated[
        bool | None, typer.Option("--download/--no-download", help="Get a named model that is not here yet.")
    ] = None,
    contract: Annotated[
        Text, typer.Option("--contract", "-at", "--architecture-type", help="What the model's outputs mean.")
    ] = None,
    mode: Annotated[Text, typer.Option("--mode", help="auto, every-frame, live or smooth.")] = None,
    delay: Annotated[
        float | None, typer.Option("--delay", help="Seconds that frames wait in smooth mode; the most for auto.")
    ] = None,
    tracker: Annotated[Text, typer.Option("--tracker", help="auto, bytetrack or none.")] = None,
    size: Annotated[Text, typer.Option("--size", help="Size to ask a camera for, e.g. 1280x720.")] = None,
    fps: Annotated[float | None, typer.Option("--fps", help="Rate to ask a camera for.")] = None,
    realtime: Annotated[bool | None, typer.Option("--realtime", help="Play files at their own pace.")] = None,
    detect_hz: Annotated[
        float | None, typer.Option("--detect-hz", help="Most detections per second of each source; 0 for no limit.")
    ] = None,
    region: Annotated[
        Text, typer.Option("--region", metavar="L,T,R,B", help="Detect only here, in shares of the picture: 0,.5,1,1.")
    ] = None,
    gate: Annotated[
        bool | None, typer.Option("--gate/--no-gate", help="Do not look again at what has not changed.")
    ] = None,
    encoder: Annotated[Text, typer.Option("--encoder", help="Video encoder, e.g. libx264, h264_nvenc.")] = None,
    quality: Annotated[int | None, typer.Option("--quality", help="Video quality, lower is better (CRF).")] = None,
    trails: Annotated[bool | None, typer.Option("--trails/--no-trails", help="Draw where objects came from.")] = None,
    max_frames: Annotated[int | None, typer.Option("--max-frames", help="Stop after so many frames.")] = None,
    duration: Annotated[float | None, typer.Option("--duration", help="Stop after so many seconds of video.")] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML file; options typed here win.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
) -> None:
    """Detect and track objects in cameras, streams and files.

    Example: streamdet run video.mp4 -m yolox_nano.onnx -o annotated.mp4 -o detections.jsonl
    """
    typed: dict[str, Any] = {
        "sources": [*(sources or []), *(more_sources or [])],
        "source": {
            "size": size,
            "fps": fps,
            "realtime": realtime,
            "detect": {"max_hz": detect_hz, "region": None if region is None else _shares(region), "gate": gate},
        },
        "model": model,
        "download": download,
        "contract": contract,
        "outputs": outputs,
        "show": show,
        "detector": {
            "conf": conf,
            "iou": iou,
            "classes": None if classes is None else _names(classes),
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
        from streamdet.kernels import compiled_before

        def tell_of_compiling() -> None:
            if not quiet and not compiled_before():
                print("streamdet: first run: compiling, which takes about half a minute once", file=sys.stderr)

        with DownloadProgress(quiet) as downloading:
            settings = load_config(config, typed)
            job = build(settings, abandon_busy=True, on_warm_up=tell_of_compiling, listener=downloading)
        with RunDisplay(job, quiet) as display:
            interrupts.stop = job.pipeline.stop
            job.run(display.tick)
    if interrupts.received:
        raise KeyboardInterrupt


def _shares(text: str) -> list[float]:
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--region {text!r} is no part of a picture: write for example 0,0.5,1,1") from None
    return [left, top, right, bottom]


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"--classes {text!r} names no class: write for example --classes person,car")
    return names
