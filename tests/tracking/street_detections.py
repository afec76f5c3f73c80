"""Simulated detections of the street scene: ground truth with typical errors of detectors."""

import numpy as np

from streamdet.scenes.street.options import StreetOptions
from streamdet.scenes.street.scene import StreetScene
from streamdet.tracking.matching import iou_matrix
from streamdet.types import Detections

RATE_HZ = 10
FRAMES = 250
MIN_VISIBLE = 0.3
"""Objects of which less is visible need not be found."""


def street(seed):
    """Returns ground truth, which of its objects need not be found, and detections: 25 s at `RATE_HZ`, 12 objects."""
    scene = StreetScene(StreetOptions(seed=seed, fps=RATE_HZ))
    generator = np.random.default_rng(seed)
    truth, ignored, found = [], [], []
    errors = {}
    for index in range(FRAMES):
        exact = scene.full_ground_truth(index)
        truth.append(exact.detections(0.0))
        ignored.append(exact.visible < MIN_VISIBLE)
        found.append(_detect(exact, errors, generator))
    return truth, ignored, found


def _detect(exact, errors, generator):
    """Boxes jitter and shrink to the visible part, scores fall with it, both with errors that last for a while."""
    boxes, scores, classes = [], [], []
    for box, seen, visible, class_id, identity in zip(
        exact.boxes_xyxy, exact.visible_xyxy, exact.visible, exact.class_ids, exact.track_ids.tolist(), strict=True
    ):
        lasting = errors.setdefault(identity, np.zeros(5))
        lasting[:] = 0.75 * lasting + 0.66 * generator.normal(size=5)
        score = 0.1 + 0.8 * np.clip((visible - 0.1) / 0.5, 0, 1) + 0.1 * lasting[4] + 0.06 * generator.normal()
        if score < 0.1:
            continue
        whole = np.clip((visible - 0.15) / 0.35, 0, 1)
        size = np.tile(box[2:] - box[:2], 2)
        jitter = 0.02 * size * (lasting[:4] + generator.normal(size=4))
        boxes.append(whole * box + (1 - whole) * seen + jitter)
        scores.append(min(score, 0.99))
        classes.append(class_id)
        if generator.uniform() < 0.03:  # a duplicate of its upper part
            part = boxes[-1].copy()
            part[3] = part[1] + generator.uniform(0.4, 0.65) * (part[3] - part[1])
            boxes.append(part)
            scores.append(score * generator.uniform(0.4, 0.9))
            classes.append(class_id)
    for _ in range(generator.poisson(0.4)):  # false detections
        x, y, height = generator.uniform((0, 150, 20), (1280, 700, 120))
        boxes.append([x, y, x + height / 2, y + height])
        scores.append(generator.beta(2, 5))
        classes.append(generator.integers(3))
    return _suppressed(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores), np.array(classes, np.int32))


def _suppressed(boxes_xyxy, scores, class_ids):
    """Non-maximum suppression by class, which removes objects close behind others."""
    overlap = iou_matrix(boxes_xyxy, boxes_xyxy)
    keep = []
    for k in np.argsort(-scores).tolist():
        if all(overlap[k, other] <= 0.5 or class_ids[k] != class_ids[other] for other in keep):
            keep.append(k)
    keep.sort()
    return Detections(boxes_xyxy[keep], np.clip(scores[keep], 0, 1).astype(np.float32), class_ids[keep])
