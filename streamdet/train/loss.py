"""Training losses: scores learn to predict the IoU of their box, boxes learn to fit the object."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from streamdet.detect.decode_ssd import CENTER_VARIANCE, SIZE_VARIANCE
from streamdet.train.assign import BACKGROUND

_BOX_WEIGHT = 2.0
_MIN_QUALITY = 0.1
"""Lower bound of the target score of a default box with an object."""
_MAX_GROWTH = 6.0
"""Upper bound of raw widths and heights: e^(0.2 * 6) is 3.3 times the default box. Larger values only make early steps
diverge."""


def ssd_loss(
    loc: Tensor, conf: Tensor, labels: Tensor, boxes_xyxy: Tensor, default_boxes_cxcywh: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns the losses of scores and of boxes, each per default box with an object.

    Scores learn the IoU of their box: the softmax target is the IoU for the class and the rest for the background, so
    that scores rank boxes as evaluation does (Li et al., "Generalized Focal Loss", NeurIPS 2020, here for a softmax).
    Background boxes are weighted by their error, as in focal loss (Lin et al., ICCV 2017), instead of hard negative
    mining. The weight is the first power of the error: with the second, twice as many weak boxes remained, which a
    tracker takes for half-hidden objects. Boxes learn by generalized IoU (Rezatofighi et al., CVPR 2019).

    Args:
        loc: (n, 4, P) raw offsets.
        conf: (n, 1 + C, P) logits.
        labels: (n, P) int64: 1 + class, `BACKGROUND` or `IGNORED`.
        boxes_xyxy: (n, P, 4) object boxes in 0..1.
        default_boxes_cxcywh: (P, 4) default boxes.
    """
    has_object = labels > BACKGROUND
    count = has_object.sum().clamp(min=1)
    predicted = decode(loc, default_boxes_cxcywh)[has_object]
    iou, generalized = overlaps(predicted, boxes_xyxy[has_object])
    box_loss = (1 - generalized).sum() / count

    logs = functional.log_softmax(conf.float(), dim=1)
    background = logs[:, 0]
    with torch.no_grad():
        quality = iou.clamp(_MIN_QUALITY, 1.0)
        error = (1 - background.exp()) * (labels == BACKGROUND)
    of_class = logs.gather(1, labels.clamp(min=0)[:, None])[:, 0][has_object]
    positive = -(quality * of_class + (1 - quality) * background[has_object])
    score_loss = (positive.sum() - (error * background).sum()) / count
    return score_loss, _BOX_WEIGHT * box_loss


def decode(loc: Tensor, default_boxes_cxcywh: Tensor) -> Tensor:
    """Returns (n, P, 4) corners in 0..1 of raw offsets (n, 4, P), as `streamdet.detect.decode_ssd` decodes them."""
    offsets = loc.float().transpose(1, 2)
    centers = default_boxes_cxcywh[:, :2] + float(CENTER_VARIANCE) * offsets[..., :2] * default_boxes_cxcywh[:, 2:]
    growth = (float(SIZE_VARIANCE) * offsets[..., 2:]).clamp(max=float(SIZE_VARIANCE) * _MAX_GROWTH)
    half = default_boxes_cxcywh[:, 2:] * growth.exp() / 2
    return torch.cat([centers - half, centers + half], dim=-1)


def overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Returns IoU and generalized IoU, (N,) each, of (N, 4) corner boxes pair by pair."""
    sides = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    hull = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    shared, around = sides.prod(dim=1), hull.prod(dim=1)
    union = (a[:, 2:] - a[:, :2]).prod(dim=1) + (b[:, 2:] - b[:, :2]).prod(dim=1) - shared
    iou = shared / union.clamp(min=1e-9)
    return iou, iou - (around - union) / around.clamp(min=1e-9)
