"""Training samples from a folder of photos with annotations in COCO format."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdet.errors import UsageError
from streamdet.evaluate.detect_images import read_annotated
from streamdet.evaluate.ground_truth import CocoGroundTruth, find_image_files
from streamdet.models.ssd_small import SmallSsdConfig
from streamdet.picture import Picture
from streamdet.train.assign import AnnotatedObjects
from streamdet.train.samples import InputResizer


class CocoSamples:
    """Annotated photos, read from disk on each access.

    Args:
        config: the network they are for; its labels are categories of the annotations.
        truth: the annotations.
        folder: folder with the photos.

    Raises:
        UsageError: the folder does not exist or lacks photos, or no annotation is of a class to learn.
    """

    def __init__(self, config: SmallSsdConfig, truth: CocoGroundTruth, folder: Path) -> None:
        files = find_image_files(truth, folder)
        missing = [image.file_name for image in truth.images if image.id not in files]
        if missing:
            raise UsageError(
                f"{len(missing)} of the {len(truth.images)} pictures of {truth.name} are missing from {folder} "
                f"(for example {missing[0]}): give the folder that contains them"
            )
        class_of = {name: k for k, name in enumerate(config.labels)}
        self._images = [(image, files[image.id]) for image in truth.images]
        self._class_of = {number: class_of[name] for number, name in truth.categories.items() if name in class_of}
        if not np.isin(truth.category_ids, list(self._class_of)).any():
            raise UsageError(f"no annotation of {truth.name} is of a class to learn: {', '.join(config.labels[:20])}")
        self._truth = truth
        self._shape = (config.height, config.width, 3)
        self._thread = threading.local()
        order = np.argsort(truth.image_ids, kind="stable")
        ids = truth.image_ids[order]
        self._rows = {
            image.id: order[np.searchsorted(ids, image.id) : np.searchsorted(ids, image.id, "right")]
            for image in truth.images
        }
        self._sizes: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._images)

    def picture(self, index: int) -> NDArray[np.uint8]:  # noqa: D102
        image, path = self._images[index]
        bgr = read_annotated(path, image)
        self._sizes[image.id] = bgr.shape[1], bgr.shape[0]
        if not hasattr(self._thread, "resize"):
            self._thread.resize = InputResizer(self._shape[1], self._shape[0])
        resized = np.empty(self._shape, np.uint8)
        self._thread.resize(Picture.from_bgr(bgr), resized)
        return resized

    def objects(self, index: int) -> AnnotatedObjects:
        """Returns the objects of a photo; crowds, and objects narrower than two pixels of the input, are ignored."""
        image, _ = self._images[index]
        if not image.width or not image.height:
            if image.id not in self._sizes:
                self.picture(index)
            width, height = self._sizes[image.id]
        else:
            width, height = image.width, image.height
        rows = [k for k in self._rows[image.id].tolist() if int(self._truth.category_ids[k]) in self._class_of]
        boxes = self._truth.boxes_xywh[rows].copy()
        boxes[:, 2:] += boxes[:, :2]
        boxes = (boxes / np.array([width, height] * 2)).clip(0, 1).astype(np.float32).reshape(-1, 4)
        sides_px = (boxes[:, 2:] - boxes[:, :2]) * np.array(self._shape[1::-1])
        class_ids = np.array([self._class_of[int(self._truth.category_ids[k])] for k in rows], np.int64)
        ignored = self._truth.crowd[rows] | (sides_px < 2).any(axis=1)
        not_empty = (sides_px > 0).all(axis=1)
        return AnnotatedObjects(boxes[not_empty], class_ids[not_empty], ignored[not_empty])
