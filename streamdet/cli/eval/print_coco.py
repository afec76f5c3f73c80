"""The output of `streamdet eval coco`."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamdet.evaluate.coco import CocoResult
from streamdet.evaluate.coco_ap import MAX_DETECTIONS, CocoNumbers
from streamdet.evaluate.published import AP, COCO_PRECISION, VAL2017_IMAGES, VOC_MAP, is_val2017


def print_coco_result(result: CocoResult) -> None:
    """Prints a result on stdout: the run, COCO's table, the metrics with their published figures, and the classes."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 100  # a file or a pipe has no width
    for line in _run_lines(result):
        console.print(line, markup=False, soft_wrap=True)
    console.print()
    for line in coco_lines(result.coco.numbers):
        console.print(line, markup=False, soft_wrap=True)
    console.print()
    console.print(_metrics(result))
    for line in _remarks(result):
        console.print(line, markup=False, soft_wrap=True)
    console.print()
    console.print(_classes(result))


def coco_lines(numbers: CocoNumbers) -> list[str]:
    """Returns the same twelve lines that pycocotools prints."""
    rows = [
        ("Precision", "AP", "0.50:0.95", "all", 100, numbers.ap),
        ("Precision", "AP", "0.50", "all", 100, numbers.ap50),
        ("Precision", "AP", "0.75", "all", 100, numbers.ap75),
        ("Precision", "AP", "0.50:0.95", "small", 100, numbers.ap_small),
        ("Precision", "AP", "0.50:0.95", "medium", 100, numbers.ap_medium),
        ("Precision", "AP", "0.50:0.95", "large", 100, numbers.ap_large),
        ("Recall", "AR", "0.50:0.95", "all", 1, numbers.ar1),
        ("Recall", "AR", "0.50:0.95", "all", 10, numbers.ar10),
        ("Recall", "AR", "0.50:0.95", "all", 100, numbers.ar100),
        ("Recall", "AR", "0.50:0.95", "small", 100, numbers.ar_small),
        ("Recall", "AR", "0.50:0.95", "medium", 100, numbers.ar_medium),
        ("Recall", "AR", "0.50:0.95", "large", 100, numbers.ar_large),
    ]
    return [
        f" {'Average ' + what:<18} ({short}) @[ IoU={iou:<9} | area={area:>6} | maxDets={most:>3} ] = {value:0.3f}"
        for what, short, iou, area, most, value in rows
    ]


def _run_lines(result: CocoResult) -> list[str]:
    run, truth = result.identity, result.ground_truth
    preprocess, infer, postprocess = result.detections.times_ms.mean(axis=0)
    crowds = int(truth.crowd.sum())
    return [
        f"{run.model} on {result.explain.partition(' (')[0]}",
        f"{len(truth.images)} images of {truth.name}: {len(truth) - crowds} objects, {crowds} crowds",
        f"{len(result.detections)} detections: score above {run.conf:g}, NMS at IoU {run.iou:g}, "
        f"top {run.max_detections} per image (pycocotools then counts the top {MAX_DETECTIONS} per class)",
        f"mean time per image: preprocess {preprocess:.2f} ms, infer {infer:.2f} ms, postprocess {postprocess:.2f} ms",
    ]


def _metrics(result: CocoResult) -> Table:
    table = Table(show_edge=False, box=None, padding=(0, 2, 0, 0))
    table.add_column("metric", no_wrap=True)
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("published", justify="right", no_wrap=True)
    table.add_column("by")
    rows = (
        ("COCO AP, IoU 0.50:0.95", AP, result.ap),
        ("Open Model Zoo coco_precision", COCO_PRECISION, result.coco_precision),
        ("  with inclusive box edges", "", result.coco_precision_inclusive),
        ("Open Model Zoo mAP (VOC, IoU 0.5)", VOC_MAP, result.voc_map),
    )
    for words, metric, value in rows:
        figure = result.published.figure(metric) if result.published else None
        table.add_row(words, _number(value), _number(figure.value) if figure else "", figure.source if figure else "")
    return table


def _remarks(result: CocoResult) -> list[str]:
    remarks = []
    if result.published and not is_val2017(result.ground_truth):
        remarks.append(
            f"the published figures are for all {VAL2017_IMAGES} images of val2017; they are not comparable with these"
        )
    if result.random_weights:
        remarks.append(f"{result.identity.model} has random weights: these figures are meaningless")
    if result.missing_images:
        remarks.append(f"images skipped because they are not in the folder: {result.missing_images}")
    if result.resumed_images:
        remarks.append(f"images whose detections were loaded from an earlier run: {result.resumed_images}")
    if result.classes.unmapped_classes:
        names = _some(result.classes.unmapped_classes)
        remarks.append(f"classes of the model that are not in the annotations, ignored: {names}")
    if result.classes.unmapped_categories:
        names = _some(result.classes.unmapped_categories)
        remarks.append(f"categories of the annotations that the model does not have, counted as missed: {names}")
    return remarks


def _classes(result: CocoResult) -> Table:
    table = Table(show_edge=False, box=None, padding=(0, 2, 0, 0))
    table.add_column("class", no_wrap=True)
    for column in ("AP", "AP50", "AP75", "objects", "detections"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in result.coco.classes:
        if row.objects or row.detections:
            figures = (_number(value) for value in (row.ap, row.ap50, row.ap75))
            table.add_row(Text(row.name), *figures, str(row.objects), str(row.detections))
    return table


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "-"


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
