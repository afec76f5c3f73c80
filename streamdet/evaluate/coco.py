"""How well a model finds things: COCO's evaluation from a model's file to its average precision."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from streamdet.detect.detector import Detector, DetectorOptions, load_detector
from streamdet.detect.providers import available_cpus
from streamdet.errors import UsageError
from streamdet.evaluate.classes import ClassMap, map_classes
from streamdet.evaluate.coco_ap import CocoAp, coco_ap, require_pycocotools
from streamdet.evaluate.detecting import detect_images
from streamdet.evaluate.found import FoundObjects
from streamdet.evaluate.truth import Truth, find_files, read_truth
from streamdet.models.load import ModelFile
from streamdet.models.spec import ModelSpec

Progress = Callable[[int, int], None]
"""Told (pictures done, pictures in all) after each of them."""

CONF = 0.01
"""Score from which on a detection counts. Average precision is about the whole ranking: a threshold made for showing
boxes would cut most of it off."""

MAX_DETECTIONS = 200
"""Of a picture, over all classes."""


@dataclass(frozen=True, slots=True)
class CocoOptions:
    """What a user may choose about an evaluation.

    Attributes:
        conf: detections below this score do not count.
        iou: IoU threshold of non-maximum suppression; None takes the model's own.
        max_detections: the best so many of a picture count.
        provider: see `DetectorOptions`.
        precision: see `DetectorOptions`.
        threads: for inference on the CPU; 0 takes all.
        max_batch: see `DetectorOptions`.
        allow_missing: evaluate without the pictures that are not in the folder.
        max_images: look only at the first so many pictures; 0 for all.
    """

    conf: float = CONF
    iou: float | None = None
    max_detections: int = MAX_DETECTIONS
    provider: str = "auto"
    precision: str = "auto"
    threads: int = 0
    max_batch: int = 0
    allow_missing: bool = False
    max_images: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class CocoResult:
    """What an evaluation came to.

    Attributes:
        coco: COCO's own numbers.
        truth: of the pictures that were looked at.
        found: in them.
        classes: which category each class of the model is.
        provider: what ran the model.
        wall_s: seconds it took to look at the pictures.
    """

    coco: CocoAp
    truth: Truth
    found: FoundObjects
    classes: ClassMap
    provider: str
    wall_s: float

    @property
    def ap(self) -> float:
        """COCO's average precision, 0 to 1."""
        return self.coco.numbers.ap

    @property
    def ap50(self) -> float:
        """Average precision at IoU 0.50, 0 to 1."""
        return self.coco.numbers.ap50


def evaluate_coco(
    model: str | Path | ModelSpec | ModelFile | Detector,
    images: Path,
    annotations: Path | Truth,
    options: CocoOptions | None = None,
    on_progress: Progress = lambda done, total: None,
) -> CocoResult:
    """Runs a model over annotated pictures and evaluates what it finds.

    Args:
        model: as for `load_detector`; or a detector, whose own thresholds and provider then hold.
        images: folder of the pictures.
        annotations: in COCO's format, or what was read of it.
        options: thresholds and hardware.
        on_progress: told after each picture.

    Raises:
        UsageError: the annotations cannot be used, pictures are missing, classes do not agree, pycocotools is missing.
        SourceError: a picture cannot be read.
        ModelError, HardwareError: the model cannot be run.
    """
    require_pycocotools()
    options = options or CocoOptions()
    truth = annotations if isinstance(annotations, Truth) else read_truth(annotations)
    truth, files = select_images(truth, images, options)
    if isinstance(model, Detector):
        return _evaluate(model, truth, files, on_progress)
    with load_detector(model, detector_options(options)) as detector:
        return _evaluate(detector, truth, files, on_progress)


def detector_options(options: CocoOptions) -> DetectorOptions:
    """Returns how the detector is set up; nothing else runs beside it, so that it gets all processors."""
    return DetectorOptions(
        conf=options.conf,
        iou=options.iou,
        max_detections=options.max_detections,
        provider=options.provider,
        precision=options.precision,
        threads=options.threads or available_cpus(),
        max_batch=options.max_batch,
    )


def select_images(truth: Truth, folder: Path, options: CocoOptions) -> tuple[Truth, dict[int, Path]]:
    """Returns the truth of the pictures to look at, and where they are.

    Raises:
        UsageError: pictures are missing.
    """
    if options.max_images:
        truth = truth.only([image.id for image in truth.images[: options.max_images]])
    files = find_files(truth, folder)
    missing = [image.file_name for image in truth.images if image.id not in files]
    if not files:
        raise UsageError(f"none of the {len(missing)} pictures of {truth.name} is in {folder} (as {missing[0]})")
    if missing and not options.allow_missing:
        raise UsageError(
            f"{len(missing)} of {len(truth.images)} pictures of {truth.name} are not in {folder} (as {missing[0]}): "
            "--allow-missing evaluates the others"
        )
    return replace(truth.only(files), name=truth.name), files


def _evaluate(detector: Detector, truth: Truth, files: dict[int, Path], on_progress: Progress) -> CocoResult:
    classes = map_classes(detector.spec.labels, truth.categories, truth.name)
    started = time.perf_counter()
    records = []
    for record in detect_images(detector, truth.images, files, classes.category_ids):
        records.append(record)
        on_progress(len(records), len(truth.images))
    wall_s = time.perf_counter() - started
    found = FoundObjects.of(records)
    return CocoResult(coco_ap(truth, found), truth, found, classes, detector.provider, wall_s)
