"""Annotated photos to learn from: a folder and a file in COCO's format."""

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
from streamdet.train.assign import LabeledObjects
from streamdet.train.samples import InputResizer


class CocoSamples:
    """Photos that are read each time they are asked for.

    Args:
        plan: whose input they are for; its labels are categories of the file.
        truth: the annotations.
        folder: of the photos.

    Raises:
        UsageError: there is no such folder, none or not all of the photos are in it, or nothing that is to be learned.
    """

    def __init__(self, plan: SmallSsdConfig, truth: CocoGroundTruth, folder: Path) -> None:
        files = find_image_files(truth, folder)
        missing = [image.file_name for image in truth.images if image.id not in files]
        if missing:
            raise UsageError(
                f"{len(missing)} of the {len(truth.images)} pictures of {truth.name} are not in {folder} "
                f"(as {missing[0]}): give the folder they are in"
            )
        class_of = {name: k for k, name in enumerate(plan.labels)}
        self._images = [(image, files[image.id]) for image in truth.images]
        self._class_of = {number: class_of[name] for number, name in truth.categories.items() if name in class_of}
        if not np.isin(truth.category_ids, list(self._class_of)).any():
            raise UsageError(f"none of the annotations of {truth.name} is of {', '.join(plan.labels[:20])}")
        self._truth = truth
        self._shape = (plan.height, plan.width, 3)
        self._own = threading.local()
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
        if not hasattr(self._own, "fit"):
            self._own.fit = InputResizer(self._shape[1], self._shape[0])
        fitted = np.empty(self._shape, np.uint8)
        self._own.fit(Picture.from_bgr(bgr), fitted)
        return fitted

    def objects(self, index: int) -> LabeledObjects:
        """Returns what is in a photo; crowds, and what is narrower than two pixels of the input, are ignored."""
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
        there = (sides_px > 0).all(axis=1)
        return LabeledObjects(boxes[there], class_ids[there], ignored[there])
