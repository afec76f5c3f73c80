"""`streamdet eval coco`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from streamdet.errors import UsageError

Text = str | None


def coco(
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="Name, .onnx file or description.")],
    images: Annotated[Path, typer.Option("--images", metavar="DIR", help="Folder of the pictures.")],
    annotations: Annotated[
        Path, typer.Option("--annotations", "-a", metavar="FILE", help="COCO's instances_*.json, or your own like it.")
    ],
    conf: Annotated[
        float | None,
        typer.Option(help="Least score that counts; from the published figures of a known model, else 0.01."),
    ] = None,
    iou: Annotated[float | None, typer.Option(help="Overlap above which non-maximum suppression drops.")] = None,
    max_detections: Annotated[
        int | None,
        typer.Option("--max-detections", help="Best so many of a picture count, all classes together; 200."),
    ] = None,
    contract: Annotated[
        Text, typer.Option("--contract", "-at", "--architecture-type", help="What the model's outputs mean.")
    ] = None,
    provider: Annotated[
        str, typer.Option("--provider", "-d", "--device", help="auto, cuda, tensorrt, openvino or cpu.")
    ] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, fp16, bf16 or int8.")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads for inference; 0 takes all.")] = 0,
    max_batch: Annotated[int, typer.Option("--max-batch", help="Pictures per inference; 0 chooses.")] = 0,
    max_images: Annotated[
        int, typer.Option("--max-images", min=0, help="Only the first so many pictures; 0 takes all.")
    ] = 0,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Leave out pictures that are not in the folder.")
    ] = False,
    detections: Annotated[
        Path | None,
        typer.Option("--detections", metavar="JSONL", help="Keep detections here; a stopped evaluation goes on."),
    ] = None,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="JSON", help="Write COCO's results format, for pycocotools.")
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="JSON", help="Write every figure as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="PNG", help="Draw precision over recall.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Measure a detector's accuracy on annotated pictures: COCO's AP, and the two metrics of Open Model Zoo.

    Example: streamdet eval coco -m yolox-nano --images val2017 -a instances_val2017.json --detections run.jsonl

    pycocotools counts the best 100 detections of each class in a picture; --max-detections is the detector's own limit
    for all classes together, 200 as those who published the flagship's figures have it.
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
    from streamdet.kernels import compiled_before
    from streamdet.models.model_cache import downloader

    if not quiet and not compiled_before():
        print("streamdet: first run: compiling, which takes about half a minute once", file=sys.stderr)
    with DownloadProgress(quiet) as downloading, EvalProgress(quiet) as progress:
        try:
            result = evaluate_coco(model, images, annotations, options, progress, downloader(downloading))
        except KeyboardInterrupt:
            _tell_of_stop(progress.done, progress.total, detections)
            raise
    if results is not None:
        write_results(result, results)
    if report is not None:
        write_report(result, report)
    if plot is not None:
        title = f"{result.identity.model}: {len(result.ground_truth.images)} pictures, COCO AP {result.ap:.4f}"
        plot_precision_recall(result.coco, plot, title)
    print_coco_result(result)  # last: whoever reads it may stop (`| head`)
    for path in outputs:
        typer.echo(f"wrote {path}")


def _tell_of_stop(done: int, total: int, detections: Path | None) -> None:
    if total:
        kept = "the same command goes on from there" if detections else "nothing is kept: add --detections FILE"
        print(f"streamdet: stopped after {done} of {total} pictures; {kept}", file=sys.stderr)
