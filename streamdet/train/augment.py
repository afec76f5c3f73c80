"""Makes many pictures of one: mirrored, moved, in another light, worse."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdet.train.assign import LabeledObjects
from streamdet.train.street_samples import kept_share

_LEAST_KEPT = 0.25
"""Share of an object that stays in the picture, below which it is ignored."""


def augment(
    picture: NDArray[np.uint8], objects: LabeledObjects, random: np.random.Generator, moved: float = 0.5
) -> tuple[NDArray[np.uint8], LabeledObjects]:
    """Returns a changed copy of a picture (height, width, 3), and where its objects are then.

    Args:
        picture: only read.
        objects: in it.
        random: chance.
        moved: share of pictures that are scaled and shifted.
    """
    boxes, ignored = objects.boxes_xyxy, objects.ignored
    if random.random() < 0.5:
        picture = picture[:, ::-1]
        boxes = np.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], axis=1)
    if random.random() < moved:
        picture, boxes = _move(np.ascontiguousarray(picture), boxes, random)
    kept = kept_share(boxes)
    stays = kept > 0
    after = LabeledObjects(boxes.clip(0, 1)[stays], objects.class_ids[stays], (ignored | (kept < _LEAST_KEPT))[stays])
    return _worsen(_relight(picture, random), random), after


def _move(
    picture: NDArray[np.uint8], boxes: NDArray[np.float32], random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Scales and shifts; what was never seen becomes one grey."""
    height, width = picture.shape[:2]
    scale = np.exp(random.uniform(-0.45, 0.35)) * np.exp(random.uniform(-0.12, 0.12, 2) * [1, -1])
    # Where the picture is larger than before, a part of it is shown; where smaller, it lies somewhere inside.
    shift = random.uniform(np.minimum(0, 1 - scale), np.maximum(0, 1 - scale))
    matrix = np.array([[scale[0], 0, shift[0] * width], [0, scale[1], shift[1] * height]])
    matrix[:, 2] += (np.diag(matrix[:, :2]) - 1) / 2  # pixel centres lie at halves
    grey = [float(random.integers(30, 200))] * 3
    moved = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_CONSTANT, borderValue=grey)
    corners = boxes * np.tile(scale, 2) + np.tile(shift, 2)
    return np.asarray(moved, np.uint8), corners.astype(np.float32)


def _relight(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Changes brightness, contrast, colour balance and saturation."""
    levels = np.arange(256) / 255
    gamma, gain = np.exp(random.uniform(-0.35, 0.35)), np.exp(random.uniform(-0.35, 0.3))
    offset = random.uniform(-0.08, 0.08)
    balance = np.exp(random.uniform(-0.1, 0.1, 3))
    curves = (levels[:, None] ** gamma * gain * balance + offset) * 255
    lit = cv2.LUT(picture, np.clip(curves, 0, 255).astype(np.uint8)[None])
    saturation = 0.0 if random.random() < 0.03 else random.uniform(0.6, 1.4)
    grey = cv2.cvtColor(cv2.cvtColor(lit, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.addWeighted(lit, saturation, grey, 1 - saturation, 0), np.uint8)


def _worsen(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Blurs some, compresses some, adds noise to some."""
    chance = random.random()
    if chance < 0.1:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 1.2)), np.uint8)
    elif chance < 0.2:
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(30, 90))])
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    elif chance < 0.5:
        noise = random.normal(0, random.uniform(1, 8), picture.shape[:2]).astype(np.float32)
        picture = np.clip(picture + noise[..., None], 0, 255).astype(np.uint8)
    return picture
