"""Runs a detector on the images of an annotations file."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdet.errors import SourceError
from streamdet.evaluate.coco_detections import ImageDetections, image_detections
from streamdet.evaluate.ground_truth import AnnotatedImage
from streamdet.inference.detector import ModelDetector
from streamdet.picture import Picture
from streamdet.sources.images import read_image
from streamdet.sources.options import SourceOptions

log = logging.getLogger(__name__)

_MAX_PIXELS = SourceOptions().max_pixels


def detect_images(
    detector: ModelDetector, images: Sequence[AnnotatedImage], files: Mapping[int, Path], categories: NDArray[np.int64]
) -> Iterator[ImageDetections]:
    """Yields the detections of each image, in the given order; runs them in batches of the detector's maximum.

    Args:
        detector: with the thresholds to evaluate.
        images: to run it on.
        files: path by image id.
        categories: (classes,) the category id of each class, -1 for none.

    Raises:
        SourceError: an image cannot be read, or is not the one that was annotated.
    """
    for start in range(0, len(images), detector.max_batch):
        batch = images[start : start + detector.max_batch]
        pictures = [Picture.from_bgr(read_annotated(files[image.id], image)) for image in batch]
        for image, found in zip(batch, detector.detect(pictures), strict=True):
            yield image_detections(image.id, found.detections, categories, found.times)


def read_annotated(path: Path, image: AnnotatedImage) -> NDArray[np.uint8]:
    """Returns an image in the orientation that its annotations refer to, (height, width, 3) uint8 BGR.

    EXIF data may ask for a rotation of the photo. Whether the annotators saw it rotated follows from the size in the
    annotations file. If that is missing, or the same either way, it is rotated, as OpenCV and so most training programs
    do.

    Raises:
        SourceError: the image cannot be read, or its size differs from the one in the annotations.
    """
    damage: list[str] = []
    bgr = read_image(path, _MAX_PIXELS, damage)
    if any("warning" not in message for message in damage):
        log.warning("%s is damaged and partly gray: copy it again", path)
    if not image.width or not image.height or bgr.shape[:2] == (image.height, image.width):
        return bgr
    if bgr.shape[:2] == (image.width, image.height):
        stored = read_image(path, _MAX_PIXELS, apply_orientation=False)
        if stored.shape[:2] == (image.height, image.width):
            return stored
    raise SourceError(
        f"{path} has {bgr.shape[1]}x{bgr.shape[0]} pixels, its annotations are for {image.width}x{image.height}: "
        "give the folder with the annotated images"
    )
