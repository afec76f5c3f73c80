"""Small sets of training samples, and folders of annotated pictures."""

import json

import cv2
import numpy as np

from streamdet.train.assign import AnnotatedObjects

COLORS = {"red": (220, 30, 30), "blue": (40, 60, 230)}
"""RGB by class."""


def objects_of(boxes, class_ids=None, ignored=None):
    """Returns objects, by default all of class 0 and none ignored."""
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    class_ids = np.zeros(len(boxes)) if class_ids is None else class_ids
    ignored = np.zeros(len(boxes)) if ignored is None else ignored
    return AnnotatedObjects(boxes, np.array(class_ids, np.int64), np.array(ignored, np.bool_))


class ListSamples:
    """Samples in memory."""

    def __init__(self, pictures, objects):
        self.pictures, self.annotated = pictures, objects

    def __len__(self):
        return len(self.pictures)

    def picture(self, index):
        return self.pictures[index]

    def objects(self, index):
        return self.annotated[index]


def rectangles(count, width, height, seed=0):
    """Yields (picture, boxes, class ids) with one or two rectangles on noise, which do not overlap.

    Pictures are (height, width, 3) uint8 RGB, boxes (n, 4) corners in pixels.
    """
    random = np.random.default_rng(seed)
    for _ in range(count):
        picture = np.repeat(random.integers(60, 180, (height, width, 1), np.uint8), 3, axis=2)
        boxes, class_ids = [], []
        halves = random.permutation(2)[: random.integers(1, 3)]
        for half in halves.tolist():
            across, down = random.integers(width // 5, width // 2 - 2), random.integers(height // 4, height // 2)
            left = half * width // 2 + random.integers(0, width // 2 - across)
            top = random.integers(0, height - down)
            class_id = int(random.integers(0, 2))
            picture[top : top + down, left : left + across] = list(COLORS.values())[class_id]
            boxes.append((left, top, left + across, top + down))
            class_ids.append(class_id)
        yield picture, np.array(boxes, np.float64), class_ids


def write_rectangles(folder, count=4, width=128, height=96, seed=0, sizes=True):
    """Writes pictures of rectangles with annotations in COCO format; returns the path of the annotations."""
    images, annotations = [], []
    for number, (picture, boxes, class_ids) in enumerate(rectangles(count, width, height, seed), 1):
        name = f"{number:03d}.png"
        cv2.imwrite(str(folder / name), picture[..., ::-1])
        images.append({"id": number, "file_name": name} | ({"width": width, "height": height} if sizes else {}))
        for (left, top, right, bottom), class_id in zip(boxes.tolist(), class_ids, strict=True):
            row = {"image_id": number, "category_id": 1 + class_id, "bbox": [left, top, right - left, bottom - top]}
            annotations.append({"id": len(annotations), **row})
    categories = [{"id": number, "name": name} for number, name in enumerate(COLORS, 1)]
    path = folder / "truth.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path
