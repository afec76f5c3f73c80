"""Ground truth: annotations in COCO's format, read and checked."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdet.errors import UsageError

MAX_BYTES = 1 << 30
"""Largest file that is read. COCO's largest, instances_train2017.json, has 0.45 GB and takes ten times that memory."""

_MAX_NUMBER = 1e12  # pixels of a side or an area; JSON also allows numbers that no float can represent


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """One annotated image.

    Attributes:
        id: in the annotations file.
        file_name: relative to the folder of images.
        width: in pixels; 0 if the file does not state it.
        height: in pixels; 0 if the file does not state it.
    """

    id: int
    file_name: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class CocoGroundTruth:
    """The annotated objects of a set of images as parallel arrays.

    Attributes:
        name: of the file, for messages.
        sha256: of the file.
        images: in the file's order.
        categories: name by category id.
        image_ids: (N,) int64, of each object's image.
        category_ids: (N,) int64.
        boxes_xywh: (N, 4) float64: left, top, width, height in pixels.
        areas: (N,) float64, of the object's mask, or of its box if the file does not state it.
        crowd: (N,) bool: a group of objects in one box. A detector may miss it, or detect any number of its objects.
    """

    name: str
    sha256: str
    images: tuple[AnnotatedImage, ...]
    categories: Mapping[int, str]
    image_ids: NDArray[np.int64]
    category_ids: NDArray[np.int64]
    boxes_xywh: NDArray[np.float64]
    areas: NDArray[np.float64]
    crowd: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.image_ids)

    def only(self, image_ids: Collection[int]) -> CocoGroundTruth:
        """Returns the objects of some of the images."""
        wanted = set(image_ids)
        inside = np.isin(self.image_ids, list(wanted))
        return replace(
            self,
            images=tuple(image for image in self.images if image.id in wanted),
            image_ids=self.image_ids[inside],
            category_ids=self.category_ids[inside],
            boxes_xywh=self.boxes_xywh[inside],
            areas=self.areas[inside],
            crowd=self.crowd[inside],
        )


def read_ground_truth(path: Path) -> CocoGroundTruth:
    """Reads annotations in COCO's format (``instances_*.json``). Boxes are read, masks are not.

    Raises:
        UsageError: the file is missing, too large, in another format, or inconsistent; the message says where.
    """
    data = _read(path)
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        raise UsageError(f"{path} is not valid JSON, or incomplete: give COCO's instances_*.json") from None
    return parse_ground_truth(tree, str(path), hashlib.sha256(data).hexdigest())


def parse_ground_truth(tree: Any, name: str, sha256: str = "") -> CocoGroundTruth:
    """Returns the ground truth from a file's parsed JSON.

    Raises:
        UsageError: it is in another format, or inconsistent.
    """
    _check_format(tree, name)
    images = tuple(_image(row, f"{name}: images[{i}]") for i, row in enumerate(tree["images"]))
    _check_unique([image.id for image in images], f"{name}: images")
    categories = [_category(row, f"{name}: categories[{i}]") for i, row in enumerate(tree["categories"])]
    _check_unique([number for number, _ in categories], f"{name}: categories")
    reader = _AnnotationReader(name, {image.id for image in images}, {number for number, _ in categories})
    rows = [reader.row(row, i) for i, row in enumerate(tree["annotations"])]
    table = np.array(rows, np.float64).reshape(-1, 8)
    return CocoGroundTruth(
        name=name,
        sha256=sha256,
        images=images,
        categories=dict(categories),
        image_ids=table[:, 0].astype(np.int64),
        category_ids=table[:, 1].astype(np.int64),
        boxes_xywh=table[:, 2:6].copy(),
        areas=table[:, 6].copy(),
        crowd=table[:, 7] != 0,
    )


def find_image_files(truth: CocoGroundTruth, folder: Path) -> dict[int, Path]:
    """Returns the path of each image that is in a folder, by image id.

    A file name with folders, such as ``val2017/1.jpg``, is also searched without them, unless several images have that
    name.

    Raises:
        UsageError: the folder does not exist.
    """
    if not os.path.isdir(folder):
        raise UsageError(f"there is no folder {folder}: give the one with the images of {truth.name}")
    names = {entry.name for entry in os.scandir(folder)}
    shared = Counter(PurePosixPath(file_name).name for file_name in {image.file_name for image in truth.images})
    found: dict[int, Path] = {}
    for image in truth.images:
        first, *rest = PurePosixPath(image.file_name).parts
        last = rest[-1] if rest else first
        if rest and first in names and (folder / image.file_name).is_file():
            found[image.id] = folder / image.file_name
        elif last in names and (not rest or shared[last] == 1):
            found[image.id] = folder / last
    return found


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UsageError(f"{path} has {size / 2**30:.1f} GiB, the limit for annotations is {MAX_BYTES >> 30} GiB")
        return path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist: give COCO's instances_*.json, or your own in that format") from None
    except IsADirectoryError:
        raise UsageError(
            f"{path} is a folder: give the annotations file in it, such as instances_val2017.json"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _check_format(tree: Any, name: str) -> None:
    if isinstance(tree, list):
        raise UsageError(
            f"{name} is a list, as in a results file: give the annotations, such as instances_val2017.json"
        )
    if not isinstance(tree, dict) or not isinstance(tree.get("images"), list):
        raise UsageError(f"{name} has no list of images: it is not in COCO's format")
    if not isinstance(tree.get("annotations"), list):
        raise UsageError(f"{name} has no annotations (a test set keeps them secret): give instances_val2017.json")
    kinds = {"caption": "captions", "segments_info": "panoptic segmentation"}
    for row in tree["annotations"][:1]:
        kind = next((kind for key, kind in kinds.items() if isinstance(row, dict) and key in row), "")
        if kind:
            raise UsageError(f"{name} holds {kind}, not boxes of objects: give instances_val2017.json")
    if not isinstance(tree.get("categories"), list) or not tree["categories"]:
        raise UsageError(f"{name} has no categories: it is not in COCO's format")
    if not tree["images"]:
        raise UsageError(f"{name} lists no image")
    if not tree["annotations"]:
        raise UsageError(f"{name} has no annotation: there is nothing to compare detections with")


def _image(row: Any, where: str) -> AnnotatedImage:
    number, file_name = _id(row, "id", where), row.get("file_name")
    if not isinstance(file_name, str) or not file_name:
        raise UsageError(f"{where} has no file_name")
    path = PurePosixPath(file_name)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise UsageError(f"{where}: file_name {file_name!r} is outside the folder of images")
    width, height = (row.get(key, 0) for key in ("width", "height"))
    if not all(isinstance(side, int) and side >= 0 for side in (width, height)):
        raise UsageError(f"{where}: width and height must be whole numbers of pixels, got {width!r} and {height!r}")
    return AnnotatedImage(number, file_name, width, height)


def _category(row: Any, where: str) -> tuple[int, str]:
    number, name = _id(row, "id", where), row.get("name")
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"{where} has no name")
    return number, name


def _id(row: Any, key: str, where: str) -> int:
    value = row.get(key) if isinstance(row, dict) else None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise UsageError(f"{where}: {key} must be a whole number, got {value!r}")
    return value


def _check_unique(numbers: Sequence[int], where: str) -> None:
    known: set[int] = set()
    for number in numbers:
        if number in known:
            raise UsageError(f"{where}: id {number} is used twice")
        known.add(number)


class _AnnotationReader:
    """Converts annotations to rows of numbers."""

    def __init__(self, name: str, images: set[int], categories: set[int]) -> None:
        self._name = name
        self._images = images
        self._categories = categories

    def row(self, row: Any, index: int) -> tuple[float, ...]:
        """Returns image id, category id, left, top, width, height, area, crowd."""
        where = f"{self._name}: annotations[{index}]"
        image, category = _id(row, "image_id", where), _id(row, "category_id", where)
        if image not in self._images:
            raise UsageError(f"{where}: image_id {image} is not among the images")
        if category not in self._categories:
            raise UsageError(f"{where}: category_id {category} is not among the categories")
        box = row.get("bbox")
        if not isinstance(box, list) or len(box) != 4 or not all(_is_number(value) for value in box):
            raise UsageError(f"{where}: bbox must be four numbers: left, top, width, height")
        if box[2] < 0 or box[3] < 0:
            raise UsageError(f"{where}: bbox {box} has a negative size: it must be left, top, width, height")
        area = row.get("area", box[2] * box[3])
        if not _is_number(area):
            raise UsageError(f"{where}: area must be a number, got {area!r}")
        return (image, category, *box, area, bool(row.get("iscrowd", 0)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MAX_NUMBER
