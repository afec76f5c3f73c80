"""COCO evaluation: from a model file and annotated images to average precision."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

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
from streamdet.version import __version__

Progress = Callable[[int, int], None]
"""Called with (images done, images in total), once before the first and then after each."""

DEFAULT_CONF = 0.01
"""Minimum score for models without published figures. Average precision measures the complete ranking, most of which a
threshold for display would cut off."""

DEFAULT_MAX_DETECTIONS = 200
"""Per image, over all classes, for models without published figures."""


@dataclass(frozen=True, slots=True)
class CocoOptions:
    """Options of an evaluation.

    Attributes:
        conf: minimum score; None takes the one of the published figures of a known model, else `DEFAULT_CONF`. Never
            the threshold for display.
        iou: IoU threshold of non-maximum suppression; None takes that of the published figures, else the model's own.
        max_detections: most detections per image; None as for `conf`.
        contract: meaning of the model's outputs; None recognizes it.
        provider: see `DetectorOptions`.
        precision: see `DetectorOptions`.
        threads: for inference on the CPU; 0 takes all.
        max_batch: see `DetectorOptions`.
        allow_missing: evaluate without the images that are not in the folder.
        max_images: only the first images of the file; 0 for all.
        detections: a file that stores the detections of each image; a stopped evaluation resumes from it.
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
    """The result of an evaluation.

    Attributes:
        coco: COCO's own metrics, equal to pycocotools'.
        coco_precision: Open Model Zoo's metric of that name, 0 to 1.
        coco_precision_inclusive: the same with both edge pixels of a box included in its size, as some describe it.
        voc_map: Open Model Zoo's metric "map", 0 to 1.
        identity: everything that the detections depend on.
        explain: why this provider was chosen.
        random_weights: the model detects nothing, and the metrics mean nothing.
        published: published figures of this model.
        ground_truth: of the evaluated images.
        missing_images: number of images of the annotations file that were not in the folder.
        detections: in the evaluated images.
        classes: category of each class of the model.
        resumed_images: number of images whose detections an earlier run had stored.
        wall_s: wall time for the other images, in seconds.
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
    """Runs a model on annotated images and evaluates its detections.

    Args:
        model: as for `load_detector`; or a detector, which keeps its own thresholds and provider.
        images: folder of the images.
        annotations: file in COCO's format, or its parsed content.
        options: thresholds and hardware.
        on_progress: called after each image.
        download: as for `load_detector`; called only after the annotations and the images were found.

    Raises:
        UsageError: the annotations are invalid, images are missing, classes do not agree, pycocotools is not installed,
            or the detections file belongs to another run.
        SourceError: an image cannot be read.
        SinkError: the detections file cannot be written.
        ModelError, HardwareError: the model cannot be run.
    """
    require_pycocotools()
    options = options or CocoOptions()
    truth = annotations if isinstance(annotations, CocoGroundTruth) else read_ground_truth(annotations)
    evaluation = _Evaluation(truth, images, options, on_progress)
    if isinstance(model, ModelDetector):
        return evaluation.run(model, "", published(model.spec, ""))
    spec, file = resolve_model(model, options.contract, download)
    sha256 = hashlib.sha256(file.data).hexdigest()
    # A converted model is compared with the figures of its source, at the same thresholds.
    known = published(spec, sha256) or published(spec, _source_sha256(file))
    del file  # up to half a gigabyte
    # The detector reads the file again: its content alone lacks the description in a YAML file next to it.
    with load_detector(model, detector_options(options, known), options.contract) as detector:
        detector.warm_up()  # otherwise the times of the first images include compilation
        return evaluation.run(detector, sha256, known)


def _source_sha256(file: ModelFile) -> str:
    provenance = read_provenance(model_signature(file).metadata.get(CONVERTED_KEY, ""))
    return provenance.sha256 if provenance else ""


def detector_options(options: CocoOptions, known: Published | None) -> DetectorOptions:
    """Returns the detector's options. Nothing else runs at the same time, so it gets all processors."""
    conf, iou, limit = (
        (known.conf, known.iou, known.max_detections) if known else (DEFAULT_CONF, None, DEFAULT_MAX_DETECTIONS)
    )
    return DetectorOptions(
        conf=conf if options.conf is None else options.conf,
        iou=iou if options.iou is None else options.iou,
        max_detections=limit if options.max_detections is None else options.max_detections,
        provider=options.provider,
        precision=options.precision,
        threads=options.threads or available_cpus(),
        max_batch=options.max_batch,
    )


class _Evaluation:
    """One evaluation. The constructor makes all cheap checks."""

    def __init__(self, truth: CocoGroundTruth, folder: Path, options: CocoOptions, on_progress: Progress) -> None:
        if options.max_images:
            truth = truth.only([image.id for image in truth.images[: options.max_images]])
        self._files = find_image_files(truth, folder)
        missing = [image.file_name for image in truth.images if image.id not in self._files]
        if missing and (not options.allow_missing or not self._files):
            problem = f"{len(missing)} of the {len(truth.images)} images of {truth.name} are not in {folder}"
            fix = "--allow-missing evaluates the others" if self._files else "give the folder that contains them"
            raise UsageError(f"{problem} (such as {missing[0]}): {fix}")
        self._truth = truth.only(self._files)
        if self._truth.crowd.all():
            raise UsageError(f"{truth.name} has no annotated object in the images to evaluate")
        self._missing = len(missing)
        self._options = options
        self._on_progress = on_progress

    def run(self, detector: ModelDetector, sha256: str, known: Published | None) -> CocoResult:
        """Runs the detector on all images and evaluates."""
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
            streamdet=__version__,
        )

    def _records(
        self, detector: ModelDetector, classes: ClassMap, identity: RunIdentity
    ) -> tuple[dict[int, ImageDetections], int]:
        """Returns the detections by image id, and the number of images whose detections an earlier run had stored."""
        if self._options.detections is None:
            return {record.image_id: record for record in self._detected(detector, classes, ())}, 0
        if not identity.model_sha256:
            raise UsageError("a detections file needs a model given by name or file, not a detector")
        inputs = InputFiles([Path(self._truth.name), *self._files.values()])
        with DetectionsFile(self._options.detections, identity, inputs) as file:
            known = tuple(image.id for image in self._truth.images if image.id in file.records)
            for record in self._detected(detector, classes, known):
                file.add(record)
            return file.records, len(known)

    def _detected(
        self, detector: ModelDetector, classes: ClassMap, known: tuple[int, ...]
    ) -> Iterator[ImageDetections]:
        total, done_before = len(self._truth.images), set(known)
        left = [image for image in self._truth.images if image.id not in done_before]
        self._on_progress(len(known), total)
        for done, record in enumerate(detect_images(detector, left, self._files, classes.category_ids), len(known) + 1):
            yield record
            self._on_progress(done, total)
