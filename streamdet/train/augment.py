"""Augmentation: random mirroring, scaling and shifting, changes of light, and degradation of a picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdet.train.assign import AnnotatedObjects
from streamdet.train.street_samples import kept_share

_MIN_KEPT = 0.25
"""An object of which a smaller share stays in the picture is ignored."""


def augment(
    picture: NDArray[np.uint8], objects: AnnotatedObjects, random: np.random.Generator, moved: float = 0.5
) -> tuple[NDArray[np.uint8], AnnotatedObjects]:
    """Returns an augmented copy of a picture (height, width, 3), and its objects at their new places.

    Args:
        picture: not modified.
        objects: the objects in it.
        random: source of random numbers.
        moved: probability of scaling and shifting.
    """
    boxes, ignored = objects.boxes_xyxy, objects.ignored
    if random.random() < 0.5:
        picture = picture[:, ::-1]
        boxes = np.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], axis=1)
    if random.random() < moved:
        picture, boxes = _move(np.ascontiguousarray(picture), boxes, random)
    kept = kept_share(boxes)
    inside = kept > 0
    after = AnnotatedObjects(
        boxes.clip(0, 1)[inside], objects.class_ids[inside], (ignored | (kept < _MIN_KEPT))[inside]
    )
    return _degrade(_change_light(picture, random), random), after


def _move(
    picture: NDArray[np.uint8], boxes: NDArray[np.float32], random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Scales and shifts; areas outside the original become one shade of gray."""
    height, width = picture.shape[:2]
    scale = np.exp(random.uniform(-0.45, 0.35)) * np.exp(random.uniform(-0.12, 0.12, 2) * [1, -1])
    # An enlarged picture is cropped at a random place; a reduced one is placed at random within the original size.
    shift = random.uniform(np.minimum(0, 1 - scale), np.maximum(0, 1 - scale))
    matrix = np.array([[scale[0], 0, shift[0] * width], [0, scale[1], shift[1] * height]])
    matrix[:, 2] += (np.diag(matrix[:, :2]) - 1) / 2  # pixel centers are at half-integer coordinates
    gray = [float(random.integers(30, 200))] * 3
    moved = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_CONSTANT, borderValue=gray)
    corners = boxes * np.tile(scale, 2) + np.tile(shift, 2)
    return np.asarray(moved, np.uint8), corners.astype(np.float32)


def _change_light(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Changes brightness, contrast, color balance and saturation."""
    levels = np.arange(256) / 255
    gamma, gain = np.exp(random.uniform(-0.35, 0.35)), np.exp(random.uniform(-0.35, 0.3))
    offset = random.uniform(-0.08, 0.08)
    balance = np.exp(random.uniform(-0.1, 0.1, 3))
    curves = (levels[:, None] ** gamma * gain * balance + offset) * 255
    lit = cv2.LUT(picture, np.clip(curves, 0, 255).astype(np.uint8)[None])
    saturation = 0.0 if random.random() < 0.03 else random.uniform(0.6, 1.4)
    gray = cv2.cvtColor(cv2.cvtColor(lit, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.addWeighted(lit, saturation, gray, 1 - saturation, 0), np.uint8)


def _degrade(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Blurs, compresses or adds noise, with a probability of 0.1, 0.1 and 0.3."""
    draw = random.random()
    if draw < 0.1:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 1.2)), np.uint8)
    elif draw < 0.2:
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(30, 90))])
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    elif draw < 0.5:
        noise = random.normal(0, random.uniform(1, 8), picture.shape[:2]).astype(np.float32)
        picture = np.clip(picture + noise[..., None], 0, 255).astype(np.uint8)
    return picture
