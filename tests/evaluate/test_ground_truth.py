"""Annotations in COCO's format: reading, errors, files, and classes."""

import copy
import json

import numpy as np
import pytest

import streamdet.evaluate.ground_truth as module
from streamdet.errors import UsageError
from streamdet.evaluate.class_map import map_classes
from streamdet.evaluate.coco_ap import coco_ap
from streamdet.evaluate.coco_detections import CocoDetections
from streamdet.evaluate.ground_truth import find_image_files, parse_ground_truth, read_ground_truth
from streamdet.labels import COCO80, COCO90, COCO_IDS

VALID = {
    "images": [{"id": 7, "file_name": "val/7.jpg", "width": 64, "height": 48}, {"id": 8, "file_name": "8.jpg"}],
    "categories": [{"id": 3, "name": "car"}, {"id": 1, "name": "person"}],
    "annotations": [
        {"id": 0, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3.5, 4], "area": 9, "iscrowd": 0},
        {"id": 0, "image_id": 7, "category_id": 1, "bbox": [0, 0, 9, 9], "iscrowd": 1, "segmentation": {"counts": "x"}},
    ],
}


def changed(where, value):
    """Returns the valid file with one value replaced; `where` is a path with dots."""
    tree = copy.deepcopy(VALID)
    *path, last = [int(part) if part.isdecimal() else part for part in where.split(".")]
    branch = tree
    for part in path:
        branch = branch[part]
    branch[last] = value
    return tree


def test_reads_annotations():
    truth = parse_ground_truth(VALID, "good.json")
    assert [(image.id, image.file_name, image.width, image.height) for image in truth.images] == [
        (7, "val/7.jpg", 64, 48),
        (8, "8.jpg", 0, 0),
    ]
    assert truth.categories == {3: "car", 1: "person"}
    assert truth.boxes_xywh.tolist() == [[1, 2, 3.5, 4], [0, 0, 9, 9]]
    assert truth.areas.tolist() == [9, 81]  # of the box, if there is no area
    assert truth.crowd.tolist() == [False, True]
    assert truth.category_ids.tolist() == [3, 1]
    assert len(truth.only([8])) == 0
    assert [image.id for image in truth.only([8]).images] == [8]


def test_ids_of_objects_may_be_0_or_equal():
    """pycocotools itself would count such objects as never matched."""
    tree = changed("annotations.1.iscrowd", 0)
    truth = parse_ground_truth(tree, "good.json")
    found = CocoDetections(truth.image_ids, truth.category_ids, np.array([0.9, 0.8]), truth.boxes_xywh)
    assert coco_ap(truth, found).numbers.ap == pytest.approx(1)


INVALID = {
    "results": ([{"image_id": 1}], "is a list, as in a results file: give the annotations"),
    "number": (5, "has no list of images: it is not in COCO's format"),
    "no images": ({"categories": [], "annotations": []}, "has no list of images"),
    "test set": ({"images": [], "categories": []}, "has no annotations (a test set keeps them secret)"),
    "captions": (changed("annotations", [{"image_id": 7, "caption": "a car"}]), "holds captions, not boxes"),
    "panoptic": (changed("annotations", [{"image_id": 7, "segments_info": []}]), "holds panoptic segmentation"),
    "no categories": (changed("categories", []), "has no categories"),
    "no image": (changed("images", []), "lists no image"),
    "nothing annotated": (changed("annotations", []), "has no annotation"),
    "image without id": (changed("images.0.id", None), "images[0]: id must be a whole number, got None"),
    "image by name": (changed("images.1.id", "8"), "images[1]: id must be a whole number, got '8'"),
    "image twice": (changed("images.1.id", 7), "images: id 7 is used twice"),
    "image without file": (changed("images.1.file_name", ""), "images[1] has no file_name"),
    "parent folder": (changed("images.1.file_name", "../8.jpg"), "file_name '../8.jpg' is outside the folder"),
    "other folder": (changed("images.1.file_name", "/etc/passwd"), "is outside the folder"),
    "size": (changed("images.0.width", "64"), "width and height must be whole numbers of pixels, got '64' and 48"),
    "category twice": (changed("categories.1.id", 3), "categories: id 3 is used twice"),
    "category without name": (changed("categories.1.name", " "), "categories[1] has no name"),
    "unknown image": (changed("annotations.1.image_id", 9), "annotations[1]: image_id 9 is not among"),
    "unknown category": (changed("annotations.1.category_id", 9), "annotations[1]: category_id 9 is not among"),
    "no box": (changed("annotations.0.bbox", None), "annotations[0]: bbox must be four numbers"),
    "text in a box": (changed("annotations.0.bbox", [1, 2, "3", 4]), "annotations[0]: bbox must be four numbers"),
    "corner box": (
        changed("annotations.0.bbox", [9, 9, -3, 4]),
        "has a negative size: it must be left, top, width, height",
    ),
    "nan": (changed("annotations.0.bbox", [1, 2, float("nan"), 4]), "bbox must be four numbers"),
    "too large for a float": (changed("annotations.0.bbox", [1, 2, 10**400, 4]), "bbox must be four numbers"),
    "area": (changed("annotations.0.area", "big"), "annotations[0]: area must be a number, got 'big'"),
    "not an object": (changed("annotations.0", 5), "annotations[0]: image_id must be a whole number, got None"),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_annotations(name):
    tree, message = INVALID[name]
    with pytest.raises(UsageError) as caught:
        parse_ground_truth(tree, "bad.json")
    assert str(caught.value).startswith("bad.json")
    assert message in str(caught.value)


def test_invalid_files(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    with pytest.raises(UsageError, match=r"a\.json does not exist: give COCO's"):
        read_ground_truth(path)
    with pytest.raises(UsageError, match="is a folder: give the annotations file in it"):
        read_ground_truth(tmp_path)
    path.write_text(json.dumps(VALID)[:-9])
    with pytest.raises(UsageError, match="is not valid JSON, or incomplete"):
        read_ground_truth(path)
    path.write_bytes(b"[" * 100_000)
    with pytest.raises(UsageError, match="is not valid JSON"):
        read_ground_truth(path)
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    with pytest.raises(UsageError, match="the limit for annotations is"):
        read_ground_truth(path)


def test_reads_a_file_with_its_name_and_hash(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(VALID))
    truth = read_ground_truth(path)
    assert (truth.name, len(truth), len(truth.sha256)) == (str(path), 2, 64)


def test_one_file_is_not_used_for_two_images(tmp_path):
    tree = changed("images.1.file_name", "train/7.jpg")
    (tmp_path / "7.jpg").touch()
    assert find_image_files(parse_ground_truth(tree, "two.json"), tmp_path) == {}


def test_finds_files_with_and_without_their_folders(tmp_path):
    truth = parse_ground_truth(VALID, "good.json")
    assert find_image_files(truth, tmp_path) == {}
    (tmp_path / "7.jpg").touch()
    (tmp_path / "8.jpg").touch()
    assert find_image_files(truth, tmp_path) == {7: tmp_path / "7.jpg", 8: tmp_path / "8.jpg"}
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "7.jpg").touch()
    assert find_image_files(truth, tmp_path)[7] == tmp_path / "val" / "7.jpg"
    with pytest.raises(UsageError, match="there is no folder"):
        find_image_files(truth, tmp_path / "no")


COCO_CATEGORIES = dict(zip(COCO_IDS, COCO80, strict=True))


def test_coco_classes_get_coco_ids(data_dir):
    assert map_classes(COCO80, COCO_CATEGORIES).category_ids.tolist() == list(COCO_IDS)
    published = json.loads((data_dir / "coco80_to_91.json").read_text())["contiguous_1based_to_coco_id"]
    assert [published[str(i)] for i in range(1, 81)] == list(COCO_IDS)


def test_coco_classes_get_coco_ids_by_their_old_names(data_dir):
    truth = read_ground_truth(data_dir / "images" / "instances.json")
    assert {"tvmonitor", "sofa"} <= set(truth.categories.values())
    assert map_classes(COCO80, truth.categories).category_ids.tolist() == list(COCO_IDS)


def test_classes_that_fill_gaps_are_not_reported_as_unmapped():
    classes = map_classes(COCO90, COCO_CATEGORIES)
    assert classes.unmapped_classes == classes.unmapped_categories == ()
    assert [number for number in classes.category_ids.tolist() if number >= 0] == list(COCO_IDS)


def test_unmapped_classes_and_categories_are_reported():
    classes = map_classes(("Traffic Light", "unicorn"), {5: "traffic_light", 6: "dog"})
    assert classes.category_ids.tolist() == [5, -1]
    assert (classes.unmapped_classes, classes.unmapped_categories) == (("unicorn",), ("dog",))


def test_classes_without_a_common_name_are_an_error():
    with pytest.raises(UsageError, match=r"none of the model's 1 classes \(cat\) is a category of a.json \(dog\)"):
        map_classes(("cat",), {1: "dog"}, "a.json")
    with pytest.raises(UsageError, match="the model has no class names: give `labels`"):
        map_classes((), {1: "dog"})
