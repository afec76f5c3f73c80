"""Writes a COCO evaluation as JSON, and its detections in COCO's results format."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streamdet.evaluate.coco import CocoResult
from streamdet.evaluate.coco_ap import MAX_DETECTIONS
from streamdet.evaluate.json_output import write_json
from streamdet.evaluate.published import is_val2017
from streamdet.sinks.output_path import write_error


def write_results(result: CocoResult, path: Path) -> None:
    """Writes the detections in COCO's results format, which pycocotools loads.

    Raises:
        SinkError: the file cannot be written.
    """
    text = json.dumps(result.detections.rows(), separators=(",", ":"))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise write_error(path, error) from None


def write_report(result: CocoResult, path: Path) -> None:
    """Writes everything except the detections: metrics, classes, model, options, timing.

    Raises:
        SinkError: the file cannot be written.
    """
    write_json(report(result), path)


def report(result: CocoResult) -> dict[str, Any]:
    """Returns the report that `write_report` writes."""
    figures = result.published.figures if result.published else ()
    preprocess, infer, postprocess = result.detections.times_ms.mean(axis=0).round(3).tolist()
    return {
        "coco": asdict(result.coco.numbers),
        "open_model_zoo": {
            "coco_precision": result.coco_precision,
            "coco_precision_inclusive_edges": result.coco_precision_inclusive,
            "map": result.voc_map,
        },
        "published": [asdict(figure) for figure in figures],
        "comparable_with_published": bool(figures) and is_val2017(result.ground_truth),
        "classes": [asdict(row) for row in result.coco.classes],
        "classes_without_category": list(result.classes.unmapped_classes),
        "categories_without_class": list(result.classes.unmapped_categories),
        "run": {**asdict(result.identity), "explain": result.explain, "random_weights": result.random_weights},
        "pycocotools_max_detections": MAX_DETECTIONS,
        "annotations": result.ground_truth.name,
        "images": len(result.ground_truth.images),
        "missing_images": result.missing_images,
        "objects": len(result.ground_truth),
        "crowds": int(result.ground_truth.crowd.sum()),
        "detections": len(result.detections),
        "timing": {
            "preprocess_ms": preprocess,
            "infer_ms": infer,
            "postprocess_ms": postprocess,
            "wall_s": round(result.wall_s, 3),
            "resumed_images": result.resumed_images,
        },
    }
