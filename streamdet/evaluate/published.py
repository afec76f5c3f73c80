"""Published figures of known models, and the settings they were measured with.

Two differences from those measurements change the third or fourth digit. Boxes are clipped to the image here
(YOLOX-nano on 64 photos of val2017: AP 0.3669 clipped, 0.3653 unclipped). Images are resized by another bilinear filter
than Pillow's, which averages when it shrinks an image.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamdet.evaluate.ground_truth import CocoGroundTruth
from streamdet.labels import COCO80
from streamdet.model_spec.spec import Contract, ModelSpec
from streamdet.models.catalog import find_model

AP, COCO_PRECISION, VOC_MAP = "AP", "coco_precision", "mAP"
"""Names of the three metrics."""

VAL2017_IMAGES = 5000
VAL2017_OBJECTS = 36781
"""Images and annotations, crowds included, of instances_val2017.json, which published figures are measured on."""


@dataclass(frozen=True, slots=True)
class PublishedFigure:
    """One published figure.

    Attributes:
        metric: `AP`, `COCO_PRECISION` or `VOC_MAP`.
        value: 0 to 1.
        source: publication.
    """

    metric: str
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class Published:
    """The settings and figures of a published evaluation.

    Attributes:
        name: of the model.
        conf: minimum score.
        iou: of non-maximum suppression.
        max_detections: per image.
        figures: on all of COCO val2017.
    """

    name: str
    conf: float
    iou: float
    max_detections: int
    figures: tuple[PublishedFigure, ...]

    def figure(self, metric: str) -> PublishedFigure | None:
        """Returns the published figure of a metric, None if there is none."""
        return next((figure for figure in self.figures if figure.metric == metric), None)


# Open Model Zoo: models/public/ssd-resnet34-1200-onnx, accuracy-check.yml and README.md (the page gives no options for
# its mAP: assumed to be the metric's defaults). MLPerf Inference v0.5 asks for 0.20.
FLAGSHIP = Published(
    name="ssd-resnet34-1200",
    conf=0.05,
    iou=0.5,
    max_detections=200,
    figures=(
        PublishedFigure(AP, 0.1997, "Open Model Zoo (coco_orig_precision); MLPerf 0.20"),
        PublishedFigure(COCO_PRECISION, 0.2073, "Open Model Zoo"),
        PublishedFigure(VOC_MAP, 0.392752, "Open Model Zoo"),
    ),
)

# YOLOX: exps/default/yolox_nano.py and its base set test_conf 0.01 and nmsthre 0.65; the README has 25.8.
YOLOX_NANO = Published(
    name="yolox-nano", conf=0.01, iou=0.65, max_detections=200, figures=(PublishedFigure(AP, 0.258, "YOLOX"),)
)


def published(spec: ModelSpec, sha256: str) -> Published | None:
    """Returns the published evaluation of a model; None for an unknown model.

    The flagship is recognized in all its forms by its output contract and input size: converted forms should reach the
    figures of the original.
    """
    flagship = spec.contract in (Contract.SSD_HEADS, Contract.SSD_PUBLISHED) and spec.labels == COCO80
    if flagship and (spec.width, spec.height) == (1200, 1200) and not spec.random_weights:
        return FLAGSHIP
    nano = find_model(YOLOX_NANO.name)
    return YOLOX_NANO if nano is not None and sha256 == nano.sha256 else None


def is_val2017(truth: CocoGroundTruth) -> bool:
    """Returns whether these are all images of COCO val2017, so that figures are comparable."""
    return len(truth.images) == VAL2017_IMAGES and len(truth) == VAL2017_OBJECTS
