"""Builds small ground truths and detections, and a folder of images with annotations."""

import json

import cv2
import numpy as np

from streamdet.evaluate.coco_detections import CocoDetections
from streamdet.evaluate.ground_truth import AnnotatedImage, CocoGroundTruth
from streamdet.scenes.shapes import LABELS, ShapesOptions, ShapesScene

CAT, DOG = 1, 2
CATEGORIES = {CAT: "cat", DOG: "dog"}
ONE, TWO = 10, 20
"""Ids of the two images."""


def truth_of(*objects, images=(ONE, TWO)):
    """Returns ground truth; each object is image, category, (left, top, width, height), and "crowd" for a crowd."""
    boxes = np.array([row[2] for row in objects], np.float64).reshape(-1, 4)
    return CocoGroundTruth(
        name="built.json",
        sha256="",
        images=tuple(AnnotatedImage(number, f"{number}.jpg") for number in images),
        categories=CATEGORIES,
        image_ids=np.array([row[0] for row in objects], np.int64),
        category_ids=np.array([row[1] for row in objects], np.int64),
        boxes_xywh=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        crowd=np.array([row[3:] == ("crowd",) for row in objects], np.bool_),
    )


def found_of(*detections):
    """Returns detections; each is image, category, score, (left, top, width, height)."""
    return CocoDetections(
        np.array([row[0] for row in detections], np.int64),
        np.array([row[1] for row in detections], np.int64),
        np.array([row[2] for row in detections], np.float64),
        np.array([row[3] for row in detections], np.float64).reshape(-1, 4),
    )


def tree_of_scene(folder, count=6):
    """Writes images of the synthetic scene to a folder, and returns their annotations in COCO's format."""
    scene = ShapesScene(ShapesOptions(width=640, height=480))
    images, annotations = [], []
    for number in range(count):
        name = f"{number:03d}.png"
        cv2.imwrite(str(folder / name), scene.render(12 * number).bgr())
        images.append({"id": number + 1, "file_name": name, "width": 640, "height": 480})
        truth = scene.ground_truth(12 * number)
        for (left, top, right, bottom), class_id in zip(
            truth.boxes_xyxy.tolist(), truth.class_ids.tolist(), strict=True
        ):
            box = [left, top, right - left, bottom - top]
            annotations.append(
                {"id": len(annotations), "image_id": number + 1, "category_id": class_id + 5, "bbox": box}
            )
    categories = [{"id": i + 5, "name": name} for i, name in enumerate(LABELS)]
    return {"images": images, "categories": categories, "annotations": annotations}


def write_scene(folder, count=6):
    """Writes images and their annotations file; returns the path of the latter."""
    path = folder / "truth.json"
    path.write_text(json.dumps(tree_of_scene(folder, count)))
    return path
