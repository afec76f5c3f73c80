"""Model specifications: everything that binds pre- and post-processing to one set of weights."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from streamdet.model_spec.default_boxes import BoxGrid
from streamdet.model_spec.origin import Origin


class Resize(Enum):
    """How a frame is resized to the network input.

    STRETCH: each axis has its own scale. LETTERBOX_TOP_LEFT: one scale, picture at the top left. LETTERBOX_CENTER: one
    scale, picture in the center.
    """

    STRETCH = "stretch"
    LETTERBOX_TOP_LEFT = "letterbox-top-left"
    LETTERBOX_CENTER = "letterbox-center"


class Contract(Enum):
    """The output contract: what the outputs of a network mean; `streamdet.detect.output_contracts` decodes them.

    SSD_HEADS: raw heads `loc` (n, 4, P) and `conf` (n, 1 + classes, P), with default boxes; if a network gives only its
        top K, `index` (n, K) holds their default boxes.
    SSD_PUBLISHED: `bboxes` (1, N, 4), `labels` (1, N), `scores` (1, N), after NMS in the graph.
    YOLOX: (n, cells, 5 + classes), grid-relative boxes, objectness and class scores.
    FASTESTDET: (n, 5 + classes, rows, columns).
    END2END: boxes, scores, labels as separate outputs, or one (n, 6) / (1, n, 6) array of x1 y1 x2 y2 score class.
    """

    SSD_HEADS = "ssd-heads"
    SSD_PUBLISHED = "ssd-published"
    YOLOX = "yolox"
    FASTESTDET = "fastestdet"
    END2END = "end2end"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model: its input, its outputs, and its origin.

    Attributes:
        name: short name, as typed after `-m`.
        contract: output contract.
        width: network input width in pixels.
        height: network input height in pixels.
        nchw: input is (n, 3, h, w); False for (n, h, w, 3).
        rgb: channel order of the input; False for BGR.
        uint8: input takes 0..255 bytes; mean and std must then be 0 and 1.
        mean: per channel in input order, subtracted from 0..255 values.
        std: per channel in input order; values are divided by it after subtracting `mean`.
        resize: how a frame is resized to the input.
        pad_value: 0..255 value of letterbox borders.
        box_order: "xyxy" or "yxyx", for contracts that give corner boxes.
        box_normalized: boxes are in 0..1 of the input; False for input pixels. For contracts that give corner boxes.
        labels: class names; the index is `Detections.class_ids`.
        label_offset: the network's label of the first of `labels` (1 if it counts a background class).
        output_names: names of the boxes, scores and labels outputs, if they cannot be recognized; for contracts with
            separate outputs.
        default_boxes: grids of default boxes of an SSD; () for the flagship's grids of this input size.
        conf: default score threshold.
        iou: default IoU threshold of non-maximum suppression.
        urls: download addresses of the file, best first.
        size_bytes: exact size of the file, 0 if unknown.
        sha256: hex digest or "".
        sha384: hex digest or "".
        licence: SPDX identifier or a sentence.
        about: one-line description.
        random_weights: the model detects nothing, and a run must report that.
    """

    name: str
    contract: Contract
    width: int
    height: int
    nchw: bool = True
    rgb: bool = True
    uint8: bool = False
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    resize: Resize = Resize.STRETCH
    pad_value: int = 114
    box_order: str = "xyxy"
    box_normalized: bool = True
    labels: tuple[str, ...] = ()
    label_offset: int = 0
    output_names: tuple[str, ...] = ()
    default_boxes: tuple[BoxGrid, ...] = ()
    conf: float = 0.5
    iou: float = 0.5
    urls: tuple[str, ...] = ()
    size_bytes: int = 0
    sha256: str = ""
    sha384: str = ""
    licence: str = ""
    about: str = ""
    random_weights: bool = False

    @property
    def origin(self) -> Origin:
        """Download addresses, size and digests of its file."""
        return Origin(self.name, self.urls, self.size_bytes, self.sha256, self.sha384, self.licence, self.about)
