"""`streamdet eval coco`: measures the accuracy of a detector on annotated images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from streamdet.cli.first_run import announce_compilation
from streamdet.cli.options import CONTRACT_HELP, NMS_HELP, Model, NoProgress, Precision, Provider
from streamdet.errors import UsageError


def coco(
    model: Model,
    images: Annotated[Path, typer.Option("--images", metavar="DIR", help="Folder with the images.")],
    annotations: Annotated[
        Path,
        typer.Option(
            "--annotations", "-a", metavar="FILE", help="Annotations in COCO format, e.g. instances_val2017.json."
        ),
    ],
    conf: Annotated[
        float | None,
        typer.Option(help="Minimum score; default: as in the model's published figures, else 0.01."),
    ] = None,
    iou: Annotated[float | None, typer.Option(help=NMS_HELP)] = None,
    max_detections: Annotated[
        int | None,
        typer.Option("--max-detections", help="Maximum detections per image, over all classes; default: 200."),
    ] = None,
    contract: Annotated[
        str | None, typer.Option("--contract", "-at", "--architecture-type", help=CONTRACT_HELP)
    ] = None,
    provider: Provider = "auto",
    precision: Precision = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads for inference; 0: all.")] = 0,
    max_batch: Annotated[int, typer.Option("--max-batch", help="Images per inference; 0: chosen automatically.")] = 0,
    max_images: Annotated[
        int, typer.Option("--max-images", min=0, help="Maximum number of images, from the start; 0: all.")
    ] = 0,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Skip images that are not in the folder.")
    ] = False,
    detections: Annotated[
        Path | None,
        typer.Option(
            "--detections", metavar="JSONL", help="File that keeps the detections, so that a stopped run can resume."
        ),
    ] = None,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="JSON", help="Results in COCO format, for pycocotools.")
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="JSON", help="All figures as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="PNG", help="Plot of precision over recall.")] = None,
    quiet: NoProgress = False,
) -> None:
    """Measure a detector's accuracy on annotated images.

    Prints COCO's AP and the two metrics of Open Model Zoo.

    Example: streamdet eval coco -m yolox-nano --images val2017 -a instances_val2017.json --detections run.jsonl

    pycocotools counts the top 100 detections per class and image. --max-detections is the limit of the detector over
    all classes, 200 as in the published figures of the flagship.
    """
    from streamdet.build import parse_contract
    from streamdet.evaluate.coco import CocoOptions, evaluate_coco
    from streamdet.evaluate.coco_report import write_report, write_results
    from streamdet.evaluate.plot import check_plot, plot_precision_recall
    from streamdet.sinks.output_path import InputFiles, check_output_file

    outputs = [path for path in (detections, results, report, plot) if path is not None]
    if len(set(outputs)) < len(outputs):
        raise UsageError("two of --detections, --results, --report and --plot name the same file")
    for path in outputs:
        check_output_file(path, overwrite=True, inputs=InputFiles([annotations, Path(model)]))
    if plot is not None:
        check_plot(plot)
    options = CocoOptions(
        conf=conf,
        iou=iou,
        max_detections=max_detections,
        contract=None if contract is None else parse_contract(contract),
        provider=provider,
        precision=precision,
        threads=threads,
        max_batch=max_batch,
        allow_missing=allow_missing,
        max_images=max_images,
        detections=detections,
    )
    from streamdet.cli.download_progress import DownloadProgress
    from streamdet.cli.eval.eval_progress import EvalProgress
    from streamdet.cli.eval.print_coco import print_coco_result
    from streamdet.models.model_cache import downloader

    announce_compilation(quiet)
    with DownloadProgress(quiet) as downloading, EvalProgress(quiet) as progress:
        try:
            result = evaluate_coco(model, images, annotations, options, progress, downloader(downloading))
        except KeyboardInterrupt:
            _print_stopped(progress.done, progress.total, detections)
            raise
    if results is not None:
        write_results(result, results)
    if report is not None:
        write_report(result, report)
    if plot is not None:
        title = f"{result.identity.model}: {len(result.ground_truth.images)} images, COCO AP {result.ap:.4f}"
        plot_precision_recall(result.coco, plot, title)
    print_coco_result(result)  # last: a reader such as `head` may close the pipe
    for path in outputs:
        typer.echo(f"wrote {path}")


def _print_stopped(done: int, total: int, detections: Path | None) -> None:
    if total:
        hint = "the same command resumes there" if detections else "nothing is kept; to resume, add --detections FILE"
        print(f"streamdet: stopped after {done} of {total} images; {hint}", file=sys.stderr)
