"""`streamdet eval street`: measures a detector and the tracker on synthetic scenes."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from streamdet.cli.options import MODEL_HELP, AsJson, NoProgress, Precision, Provider, Threads

if TYPE_CHECKING:
    from streamdet.evaluate.coco_ap import CocoAp
    from streamdet.evaluate.mot import MotResult


def street(
    model: Annotated[str, typer.Option("--model", "-m", help=MODEL_HELP)] = "ssd-demo",
    scenes: Annotated[int, typer.Option(min=1, max=60, help="Number of held-out scenes.")] = 60,
    tracked: Annotated[int, typer.Option(min=0, max=60, help="Number of them to evaluate tracking on.")] = 8,
    frames: Annotated[int, typer.Option(min=2, help="Frames per tracked scene.")] = 300,
    least_visible: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Minimum visible share of an object that counts, 0 to 1.")
    ] = 0.25,
    provider: Provider = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    as_json: AsJson = False,
    quiet: NoProgress = False,
) -> None:
    """Measure a detector and the tracker on synthetic:street.

    The ground truth is exact, and the scenes are not in the training set of ssd-demo. Objects that are hardly visible
    do not count, whether they are detected or not.
    """
    from streamdet.cli.eval.eval_progress import EvalProgress
    from streamdet.evaluate.json_output import json_text
    from streamdet.evaluate.street import HELD_OUT, evaluate_street, track_street
    from streamdet.inference.detector import DetectorOptions, load_detector

    held_out = replace(HELD_OUT, seeds=HELD_OUT.seeds[:scenes])
    options = DetectorOptions(provider=provider, precision=precision, threads=threads)
    images, videos = len(held_out.seeds) * len(held_out.frames), min(tracked, scenes)
    total = images + videos * frames
    with EvalProgress(quiet or as_json) as progress:
        progress(0, total)
        with load_detector(model, replace(options, conf=0.01, max_detections=100)) as detector:
            accuracy = evaluate_street(detector, held_out.pictures(), lambda done: progress(done, total), least_visible)
            explain = detector.explain
        tracking = None
        if videos:
            with load_detector(model, options) as detector:
                options_of_videos = [replace(held_out.options, seed=seed) for seed in held_out.seeds[:videos]]
                tracking = track_street(
                    detector, options_of_videos, frames, lambda done: progress(images + done, total), least_visible
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
