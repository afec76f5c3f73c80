"""What a network is taught: scores that say how well the box will fit, and boxes that fit."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from streamdet.detect.decode_ssd import CENTER_VARIANCE, SIZE_VARIANCE
from streamdet.train.assign import BACKGROUND

_BOX_WEIGHT = 2.0
_LEAST_QUALITY = 0.1
_LARGEST_GROWTH = 6.0
"""Of raw widths and heights: e^(0.2 * 6) is 3.3 times the default box; more only makes early steps blow up."""


def ssd_loss(
    loc: Tensor, conf: Tensor, labels: Tensor, boxes_xyxy: Tensor, priors_cxcywh: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns the losses of scores and of boxes, each per object's default box.

    Scores learn from the IoU that the box reaches: the softmax's target is that share of the class and the rest of the
    background, so that a score ranks boxes as evaluation does (Li et al., "Generalized Focal Loss", NeurIPS 2020, here
    for a softmax). Background boxes count by how wrong they are, as in focal loss (Lin et al., ICCV 2017), instead of
    mining the hardest; by the first power of it, since with the second twice as many weak boxes were left, which a
    tracker takes for objects half hidden. Boxes learn by generalised IoU (Rezatofighi et al., CVPR 2019).

    Args:
        loc: (n, 4, P) raw offsets.
        conf: (n, 1 + C, P) logits.
        labels: (n, P) int64: 1 + class, `BACKGROUND` or `IGNORED`.
        boxes_xyxy: (n, P, 4) in 0..1, of the objects.
        priors_cxcywh: (P, 4) default boxes.
    """
    taught = labels > BACKGROUND
    count = taught.sum().clamp(min=1)
    found = decode(loc, priors_cxcywh)[taught]
    iou, generalised = overlaps(found, boxes_xyxy[taught])
    box_loss = (1 - generalised).sum() / count

    logs = functional.log_softmax(conf.float(), dim=1)
    background = logs[:, 0]
    with torch.no_grad():
        quality = iou.clamp(_LEAST_QUALITY, 1.0)
        wrong = (1 - background.exp()) * (labels == BACKGROUND)
    of_class = logs.gather(1, labels.clamp(min=0)[:, None])[:, 0][taught]
    positive = -(quality * of_class + (1 - quality) * background[taught])
    score_loss = (positive.sum() - (wrong * background).sum()) / count
    return score_loss, _BOX_WEIGHT * box_loss


def decode(loc: Tensor, priors_cxcywh: Tensor) -> Tensor:
    """Returns (n, P, 4) corners in 0..1 of raw offsets (n, 4, P), as `streamdet.detect.decode_ssd` decodes them."""
    offsets = loc.float().transpose(1, 2)
    centers = priors_cxcywh[:, :2] + float(CENTER_VARIANCE) * offsets[..., :2] * priors_cxcywh[:, 2:]
    growth = (float(SIZE_VARIANCE) * offsets[..., 2:]).clamp(max=float(SIZE_VARIANCE) * _LARGEST_GROWTH)
    half = priors_cxcywh[:, 2:] * growth.exp() / 2
    return torch.cat([centers - half, centers + half], dim=-1)


def overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Returns IoU and generalised IoU, (N,) each, of (N, 4) corner boxes pair by pair."""
    sides = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    hull = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    shared, around = sides.prod(dim=1), hull.prod(dim=1)
    union = (a[:, 2:] - a[:, :2]).prod(dim=1) + (b[:, 2:] - b[:, :2]).prod(dim=1) - shared
    iou = shared / union.clamp(min=1e-9)
    return iou, iou - (around - union) / around.clamp(min=1e-9)
