"""Training samples from annotated photos."""

import json

import cv2
import numpy as np
import pytest

from streamdet.errors import SourceError, UsageError
from streamdet.evaluate.ground_truth import parse_ground_truth, read_ground_truth
from streamdet.models.ssd_small import SmallSsdConfig
from streamdet.train.coco import CocoSamples
from tests.train.sample_data import write_rectangles

CONFIG = SmallSsdConfig(("red", "blue"), 96, 64)


def tree_of(*annotations, width=200, height=100, sizes=True):
    """Returns annotations of one picture, p.png; each is (category id, bbox, crowd)."""
    rows = [
        {"id": k, "image_id": 7, "category_id": category, "bbox": list(box), "iscrowd": crowd}
        for k, (category, box, crowd) in enumerate(annotations)
    ]
    image = {"id": 7, "file_name": "p.png"} | ({"width": width, "height": height} if sizes else {})
    categories = [{"id": 3, "name": "red"}, {"id": 5, "name": "blue"}, {"id": 9, "name": "green"}]
    return {"images": [image], "annotations": rows, "categories": categories}


def samples_of(folder, *annotations, config=CONFIG, sizes=True):
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, 100:] = (10, 100, 200)  # BGR
    cv2.imwrite(str(folder / "p.png"), picture)
    return CocoSamples(config, parse_ground_truth(tree_of(*annotations, sizes=sizes), "made.json"), folder)


def test_pictures_have_the_network_input_size(tmp_path):
    samples = samples_of(tmp_path, (3, (10, 20, 30, 40), 0))
    assert len(samples) == 1
    picture = samples.picture(0)
    assert (picture.shape, picture.dtype) == ((64, 96, 3), np.uint8)
    np.testing.assert_array_equal(picture[:, :46], 0)
    np.testing.assert_array_equal(picture[:, 50:], np.broadcast_to(np.uint8([200, 100, 10]), (64, 46, 3)))


@pytest.mark.parametrize("sizes", [True, False], ids=["sizes in the file", "sizes missing"])
def test_boxes_are_normalized(tmp_path, sizes):
    samples = samples_of(tmp_path, (5, (20, 10, 100, 50), 0), (3, (0, 0, 200, 100), 0), sizes=sizes)
    objects = samples.objects(0)
    np.testing.assert_allclose(objects.boxes_xyxy, [[0.1, 0.1, 0.6, 0.6], [0, 0, 1, 1]], atol=1e-6)
    assert (objects.boxes_xyxy.dtype, objects.class_ids.dtype) == (np.float32, np.int64)
    assert objects.class_ids.tolist() == [1, 0]
    assert objects.ignored.tolist() == [False, False]


def test_crowds_and_tiny_objects_are_ignored(tmp_path):
    tiny = (5, (50, 50, 3, 30), 0)  # 1.4 pixels of 96
    samples = samples_of(tmp_path, (3, (0, 0, 100, 50), 1), tiny, (3, (0, 0, 50, 50), 0), (3, (9, 9, 0, 5), 0))
    objects = samples.objects(0)
    assert objects.ignored.tolist() == [True, True, False]


def test_boxes_are_clipped_and_objects_outside_are_left_out(tmp_path):
    objects = samples_of(tmp_path, (3, (-20, 50, 60, 100), 0), (3, (300, 0, 10, 10), 0)).objects(0)
    np.testing.assert_allclose(objects.boxes_xyxy, [[0, 0.5, 0.2, 1]], atol=1e-6)


def test_unwanted_classes_are_background(tmp_path):
    annotations = (9, (0, 0, 100, 50), 0), (5, (0, 0, 50, 50), 0)
    objects = samples_of(tmp_path, *annotations, config=SmallSsdConfig(("blue",), 96, 64)).objects(0)
    assert objects.class_ids.tolist() == [0]
    np.testing.assert_allclose(objects.boxes_xyxy, [[0, 0, 0.25, 0.5]])


def test_a_picture_without_objects(tmp_path):
    path = write_rectangles(tmp_path, 2)
    tree = json.loads(path.read_text())
    tree["annotations"] = [row for row in tree["annotations"] if row["image_id"] == 2]
    objects = CocoSamples(CONFIG, parse_ground_truth(tree, "made.json"), tmp_path).objects(0)
    assert (objects.boxes_xyxy.shape, len(objects.class_ids), len(objects.ignored)) == ((0, 4), 0, 0)


def test_objects_belong_to_their_picture(tmp_path):
    path = write_rectangles(tmp_path, 5, seed=3)
    samples = CocoSamples(CONFIG, read_ground_truth(path), tmp_path)
    tree = json.loads(path.read_text())
    tree["annotations"].reverse()  # the order does not matter
    reversed_samples = CocoSamples(CONFIG, parse_ground_truth(tree, "made.json"), tmp_path)
    size = np.array([128, 96] * 2)
    for index in range(5):
        wanted = [row["bbox"] for row in tree["annotations"] if row["image_id"] == index + 1]
        corners = np.array(wanted) + np.pad(np.array(wanted)[:, :2], ((0, 0), (2, 0)))
        for found in (samples.objects(index).boxes_xyxy, reversed_samples.objects(index).boxes_xyxy):
            np.testing.assert_allclose(sorted(found.tolist()), sorted((corners / size).tolist()), atol=1e-6)


def test_missing_pictures_are_reported_at_once(tmp_path):
    truth = read_ground_truth(write_rectangles(tmp_path, 3))
    (tmp_path / "002.png").unlink()
    with pytest.raises(
        UsageError, match=rf"1 of the 3 pictures of .* are missing from {tmp_path} \(for example 002\.png\)"
    ):
        CocoSamples(CONFIG, truth, tmp_path)
    with pytest.raises(UsageError, match="there is no folder"):
        CocoSamples(CONFIG, truth, tmp_path / "nowhere")


def test_no_annotation_of_a_wanted_class_is_an_error(tmp_path):
    with pytest.raises(UsageError, match=r"no annotation of made\.json is of a class to learn: green"):
        samples_of(tmp_path, (3, (0, 0, 50, 50), 0), config=SmallSsdConfig(("green",), 96, 64))


def test_a_picture_size_that_differs_from_the_annotation_is_an_error(tmp_path):
    samples = samples_of(tmp_path, (3, (0, 0, 50, 50), 0))
    cv2.imwrite(str(tmp_path / "p.png"), np.zeros((50, 60, 3), np.uint8))
    with pytest.raises(SourceError, match="has 60x50 pixels, its annotations are for 200x100"):
        samples.picture(0)
