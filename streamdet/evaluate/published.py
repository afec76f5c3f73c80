"""What others measured with the models that are known here, and how.

Two things differ from theirs in a way that shows in the third or fourth digit: boxes are cut to the picture here
(YOLOX-nano on 64 photos of val2017: AP 0.3669 cut, 0.3653 as the network gives them), and pictures are resized by
another bilinear filter than Pillow's, which averages where it shrinks.
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
"""Pictures and annotations, crowds included, of instances_val2017.json: what published figures are about."""


@dataclass(frozen=True, slots=True)
class PublishedFigure:
    """One published figure.

    Attributes:
        metric: `AP`, `COCO_PRECISION` or `VOC_MAP`.
        value: 0 to 1.
        source: who says so.
    """

    metric: str
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class Published:
    """How a model is evaluated by those who publish figures of it.

    Attributes:
        name: of the model.
        conf: least score.
        iou: of non-maximum suppression.
        max_detections: of a picture.
        figures: on all of COCO val2017.
    """

    name: str
    conf: float
    iou: float
    max_detections: int
    figures: tuple[PublishedFigure, ...]

    def figure(self, metric: str) -> PublishedFigure | None:
        """Returns the figure of that metric to compare with, None where none was published."""
        return next((figure for figure in self.figures if figure.metric == metric), None)


# Open Model Zoo: models/public/ssd-resnet34-1200-onnx, accuracy-check.yml and README.md (the page gives no options for
# its mAP: taken as the metric's defaults). MLPerf Inference v0.5 asks for 0.20.
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
    """Returns what was published of a model; None for one that is not known.

    The flagship is known in all its forms by what its outputs mean and the size of its input; converted ones are to
    reach the figures of the original.
    """
    flagship = spec.contract in (Contract.SSD_HEADS, Contract.SSD_PUBLISHED) and spec.labels == COCO80
    if flagship and (spec.width, spec.height) == (1200, 1200) and not spec.random_weights:
        return FLAGSHIP
    nano = find_model(YOLOX_NANO.name)
    return YOLOX_NANO if nano is not None and sha256 == nano.sha256 else None


def is_val2017(truth: CocoGroundTruth) -> bool:
    """Returns whether these are all pictures of COCO val2017, so that figures can be compared."""
    return len(truth.images) == VAL2017_IMAGES and len(truth) == VAL2017_OBJECTS
