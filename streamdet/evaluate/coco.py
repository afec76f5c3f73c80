"""How well a model finds things: COCO's evaluation, from a model's file to its average precision."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import streamdet
from streamdet.errors import UsageError
from streamdet.evaluate.class_map import ClassMap, map_classes
from streamdet.evaluate.coco_ap import CocoAp, coco_ap, require_pycocotools
from streamdet.evaluate.coco_detections import CocoDetections, ImageDetections
from streamdet.evaluate.detect_images import detect_images
from streamdet.evaluate.detections_file import DetectionsFile, RunIdentity
from streamdet.evaluate.ground_truth import CocoGroundTruth, find_image_files, read_ground_truth
from streamdet.evaluate.open_model_zoo import coco_precision, voc_map
from streamdet.evaluate.published import Published, published
from streamdet.inference.detector import DetectorOptions, ModelDetector, load_detector
from streamdet.inference.providers import available_cpus
from streamdet.model_spec.spec import Contract, ModelSpec
from streamdet.models.catalog import resolve_model
from streamdet.models.model_cache import Downloader, refuse_download
from streamdet.models.onnx_file import ModelFile
from streamdet.models.openvino_ir import model_signature
from streamdet.models.provenance import CONVERTED_KEY, read_provenance
from streamdet.sinks.output_path import InputFiles

Progress = Callable[[int, int], None]
"""Told (pictures done, pictures in all), once before the first and then after each."""

CONF = 0.01
"""Least score for models of which nothing was published. Average precision is about the whole ranking: a threshold
made for showing boxes would cut most of it off."""

MAX_DETECTIONS = 200
"""Of a picture, over all classes, for models of which nothing was published."""


@dataclass(frozen=True, slots=True)
class CocoOptions:
    """What a user may choose about an evaluation.

    Attributes:
        conf: least score that counts; None takes what the published figures of a known model were made with, else
            `CONF`. Never the threshold for showing.
        iou: IoU threshold of non-maximum suppression; None takes that of the published figures, else the model's own.
        max_detections: the best so many of a picture count; None as for `conf`.
        contract: what the outputs of a file mean, instead of recognising it.
        provider: see `DetectorOptions`.
        precision: see `DetectorOptions`.
        threads: for inference on the CPU; 0 takes all.
        max_batch: see `DetectorOptions`.
        allow_missing: evaluate without the pictures that are not in the folder.
        max_images: look only at the first so many pictures; 0 for all.
        detections: a file that keeps what was found in each picture; an evaluation that was stopped goes on from it.
    """

    conf: float | None = None
    iou: float | None = None
    max_detections: int | None = None
    contract: Contract | None = None
    provider: str = "auto"
    precision: str = "auto"
    threads: int = 0
    max_batch: int = 0
    allow_missing: bool = False
    max_images: int = 0
    detections: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CocoResult:
    """What an evaluation came to.

    Attributes:
        coco: COCO's own numbers, equal to pycocotools'.
        coco_precision: Open Model Zoo's metric of that name, 0 to 1.
        coco_precision_inclusive: the same with the pixels of both box edges counted, as some describe it.
        voc_map: Open Model Zoo's metric "map", 0 to 1.
        identity: what the detections depend on.
        explain: why it was that provider.
        random_weights: the model detects nothing, and these numbers mean nothing.
        published: what others measured with this model.
        ground_truth: of the pictures that were looked at.
        missing_images: how many more pictures the annotations file lists that were not there.
        detections: in the pictures.
        classes: which category each class of the model is.
        resumed_images: how many pictures an earlier run had looked at.
        wall_s: seconds it took to look at the others.
    """

    coco: CocoAp
    coco_precision: float
    coco_precision_inclusive: float
    voc_map: float
    identity: RunIdentity
    explain: str
    random_weights: bool
    published: Published | None
    ground_truth: CocoGroundTruth
    missing_images: int
    detections: CocoDetections
    classes: ClassMap
    resumed_images: int
    wall_s: float

    @property
    def ap(self) -> float:
        """COCO's average precision, 0 to 1."""
        return self.coco.numbers.ap

    @property
    def ap50(self) -> float:
        """COCO's average precision at IoU 0.50, 0 to 1."""
        return self.coco.numbers.ap50


def evaluate_coco(
    model: str | Path | ModelSpec | ModelFile | ModelDetector,
    images: Path,
    annotations: Path | CocoGroundTruth,
    options: CocoOptions | None = None,
    on_progress: Progress = lambda done, total: None,
    download: Downloader = refuse_download,
) -> CocoResult:
    """Runs a model over annotated pictures and evaluates what it finds.

    Args:
        model: as for `load_detector`; or a detector, whose own thresholds and provider then hold.
        images: folder of the pictures.
        annotations: file in COCO's format, or what was read of it.
        options: thresholds and hardware.
        on_progress: told of each picture.
        download: as for `load_detector`; asked once the annotations and the pictures were found to be there.

    Raises:
        UsageError: the annotations cannot be used, pictures are missing, classes do not agree, pycocotools is missing,
            a file of detections is of another run.
        SourceError: a picture cannot be read.
        SinkError: a file of detections cannot be written.
        ModelError, HardwareError: the model cannot be run.
    """
    require_pycocotools()
    options = options or CocoOptions()
    truth = annotations if isinstance(annotations, CocoGroundTruth) else read_ground_truth(annotations)
    work = _Work(truth, images, options, on_progress)
    if isinstance(model, ModelDetector):
        return work.run(model, "", published(model.spec, ""))
    spec, file = resolve_model(model, options.contract, download)
    sha256 = hashlib.sha256(file.data).hexdigest()
    # A converted model is held against the figures of its source, and judged with the same thresholds.
    known = published(spec, sha256) or published(spec, _source_sha256(file))
    del file  # up to half a gigabyte
    # The detector reads it again: of a file's content alone it would not know what is described beside it.
    with load_detector(model, detector_options(options, known), options.contract) as detector:
        detector.warm_up()  # else the first pictures' times would be those of the compiler
        return work.run(detector, sha256, known)


def _source_sha256(file: ModelFile) -> str:
    made_from = read_provenance(model_signature(file).metadata.get(CONVERTED_KEY, ""))
    return made_from.sha256 if made_from else ""


def detector_options(options: CocoOptions, known: Published | None) -> DetectorOptions:
    """Returns how the detector is set up. Nothing else runs beside it, so that it gets all processors."""
    conf, iou, most = (known.conf, known.iou, known.max_detections) if known else (CONF, None, MAX_DETECTIONS)
    return DetectorOptions(
        conf=conf if options.conf is None else options.conf,
        iou=iou if options.iou is None else options.iou,
        max_detections=most if options.max_detections is None else options.max_detections,
        provider=options.provider,
        precision=options.precision,
        threads=options.threads or available_cpus(),
        max_batch=options.max_batch,
    )


class _Work:
    """The pictures of one evaluation; what is cheap to check was checked once it is made."""

    def __init__(self, truth: CocoGroundTruth, folder: Path, options: CocoOptions, on_progress: Progress) -> None:
        if options.max_images:
            truth = truth.only([image.id for image in truth.images[: options.max_images]])
        self._files = find_image_files(truth, folder)
        missing = [image.file_name for image in truth.images if image.id not in self._files]
        if missing and (not options.allow_missing or not self._files):
            some = f"{len(missing)} of the {len(truth.images)} pictures of {truth.name} are not in {folder}"
            rest = ": --allow-missing evaluates the others" if self._files else ": give the folder they are in"
            raise UsageError(f"{some} (as {missing[0]}){rest}")
        self._truth = truth.only(self._files)
        if self._truth.crowd.all():
            raise UsageError(f"there is no annotated object in the pictures of {truth.name} to look at")
        self._missing = len(missing)
        self._options = options
        self._on_progress = on_progress

    def run(self, detector: ModelDetector, sha256: str, known: Published | None) -> CocoResult:
        """Looks at all pictures and evaluates."""
        truth = self._truth
        classes = map_classes(detector.spec.labels, truth.categories, truth.name)
        identity = self._identity(detector, sha256)
        started = time.perf_counter()
        records, resumed = self._records(detector, classes, identity)
        wall_s = time.perf_counter() - started
        found = CocoDetections.of(records[image.id] for image in truth.images)
        return CocoResult(
            coco=coco_ap(truth, found),
            coco_precision=coco_precision(truth, found),
            coco_precision_inclusive=coco_precision(truth, found, edge_px=1),
            voc_map=voc_map(truth, found),
            identity=identity,
            explain=detector.explain,
            random_weights=detector.spec.random_weights,
            published=known,
            ground_truth=truth,
            missing_images=self._missing,
            detections=found,
            classes=classes,
            resumed_images=resumed,
            wall_s=wall_s,
        )

    def _identity(self, detector: ModelDetector, sha256: str) -> RunIdentity:
        return RunIdentity(
            model=detector.spec.name,
            model_sha256=sha256,
            model_spec=hashlib.sha256(repr(detector.spec).encode()).hexdigest(),
            annotations_sha256=self._truth.sha256,
            conf=detector.rules.conf,
            iou=detector.rules.iou,
            max_detections=detector.rules.max_detections,
            provider=detector.provider,
            precision=self._options.precision,
            streamdet=streamdet.__version__,
        )

    def _records(
        self, detector: ModelDetector, classes: ClassMap, identity: RunIdentity
    ) -> tuple[dict[int, ImageDetections], int]:
        """Returns what is found in each picture, and in how many of them it was known before."""
        if self._options.detections is None:
            return {record.image_id: record for record in self._detected(detector, classes, ())}, 0
        if not identity.model_sha256:
            raise UsageError("detections are kept of a model given by its name or file, not of a detector")
        inputs = InputFiles([Path(self._truth.name), *self._files.values()])
        with DetectionsFile(self._options.detections, identity, inputs) as file:
            known = tuple(image.id for image in self._truth.images if image.id in file.records)
            for record in self._detected(detector, classes, known):
                file.add(record)
            return file.records, len(known)

    def _detected(
        self, detector: ModelDetector, classes: ClassMap, known: tuple[int, ...]
    ) -> Iterator[ImageDetections]:
        total, seen = len(self._truth.images), set(known)
        left = [image for image in self._truth.images if image.id not in seen]
        self._on_progress(len(known), total)
        for done, record in enumerate(detect_images(detector, left, self._files, classes.category_ids), len(known) + 1):
            yield record
            self._on_progress(done, total)
