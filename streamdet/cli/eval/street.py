"""`streamdet eval street`: a detector and the tracker on scenes whose truth is exact."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streamdet.evaluate.coco_ap import CocoAp
    from streamdet.evaluate.mot import MotResult


def street(
    model: Annotated[str, typer.Option("--model", "-m", help="Name, .onnx file or .yaml description.")] = "ssd-demo",
    scenes: Annotated[int, typer.Option(min=1, max=60, help="How many of the held-out scenes.")] = 60,
    tracked: Annotated[int, typer.Option(min=0, max=60, help="How many of them to track through.")] = 8,
    frames: Annotated[int, typer.Option(min=2, help="Of each scene that is tracked through.")] = 300,
    least_visible: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of an object that must be seen for it to count.")
    ] = 0.25,
    provider: Annotated[str, typer.Option("--provider", "-d", "--device", help="auto, cuda, tensorrt, ...")] = "auto",
    precision: Annotated[str, typer.Option("--precision", help="auto, fp32, fp16, bf16 or int8.")] = "auto",
    threads: Annotated[int, typer.Option("--threads", min=0, help="CPU threads for inference; 0 chooses.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Measure a detector, and the tracker behind it, on synthetic:street, against its exact truth.

    The scenes are held out: ssd-demo has learned from others. Objects that can hardly be seen do not count: they need
    not be found, and may be.
    """
    from streamdet.cli.eval.eval_progress import EvalProgress
    from streamdet.evaluate.json_output import json_text
    from streamdet.evaluate.street import HELD_OUT, evaluate_street, track_street
    from streamdet.inference.detector import DetectorOptions, load_detector

    held_out = replace(HELD_OUT, seeds=HELD_OUT.seeds[:scenes])
    options = DetectorOptions(provider=provider, precision=precision, threads=threads)
    pictures, followed = len(held_out.seeds) * len(held_out.frames), min(tracked, scenes)
    total = pictures + followed * frames
    with EvalProgress(quiet or as_json) as progress:
        progress(0, total)
        with load_detector(model, replace(options, conf=0.01, max_detections=100)) as detector:
            accuracy = evaluate_street(detector, held_out.pictures(), lambda done: progress(done, total), least_visible)
            explain = detector.explain
        tracking = None
        if followed:
            with load_detector(model, options) as detector:
                videos = [replace(held_out.options, seed=seed) for seed in held_out.seeds[:followed]]
                tracking = track_street(
                    detector, videos, frames, lambda done: progress(pictures + done, total), least_visible
                )
    if as_json:
        print(json_text(_json(accuracy, tracking, explain)))
        return
    _show(accuracy, tracking, f"{held_out}; {model} on {explain.partition(' (')[0]}")


def _json(accuracy: CocoAp, tracking: MotResult | None, explain: str) -> dict[str, object]:
    return {
        "explain": explain,
        "accuracy": asdict(accuracy.numbers),
        "classes": [asdict(row) for row in accuracy.classes],
        "tracking": None if tracking is None else asdict(tracking.combined),
        "scenes": {} if tracking is None else {name: asdict(row) for name, row in tracking.sequences.items()},
    }


def _show(accuracy: CocoAp, tracking: MotResult | None, title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(title, soft_wrap=True, markup=False)
    table = Table(show_edge=False, box=None, padding=(0, 2, 0, 0))
    for column in ("", "AP", "AP50", "AP75", "objects"):
        table.add_column(column, justify="left" if not column else "right")
    numbers = accuracy.numbers
    objects = sum(row.objects for row in accuracy.classes)
    table.add_row("all", f"{numbers.ap:.3f}", f"{numbers.ap50:.3f}", f"{numbers.ap75:.3f}", str(objects))
    for row in accuracy.classes:
        table.add_row(row.name, f"{row.ap:.3f}", f"{row.ap50:.3f}", f"{row.ap75:.3f}", str(row.objects))
    console.print(table)
    if tracking is None:
        return
    table = Table(show_edge=False, box=None, padding=(0, 2, 0, 0))
    for column in ("", "IDF1", "MOTA", "HOTA", "switches", "objects", "frames"):
        table.add_column(column, justify="left" if not column else "right")
    for name, found in [*tracking.sequences.items(), ("all", tracking.combined)]:
        shares = (f"{value:.3f}" for value in (found.idf1, found.mota, found.hota))
        table.add_row(name, *shares, str(found.id_switches), str(found.identities), str(found.frames))
    console.print()
    console.print(table)
