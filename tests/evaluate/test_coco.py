"""The whole evaluation, from a model's file to its average precision."""

import contextlib
import io
import json
from dataclasses import astuple

import cv2
import pytest

from streamdet.detect.detector import DetectorOptions, load_detector
from streamdet.evaluate.coco import CocoOptions, evaluate_coco
from streamdet.labels import COCO_IDS
from streamdet.picture import Picture

OPTIONS = CocoOptions(conf=0.01, iou=0.65, provider="cpu")


@pytest.fixture(scope="module")
def result(data_dir):
    model = str(data_dir / "models" / "yolox_nano.onnx")
    return evaluate_coco(model, data_dir / "images", data_dir / "images" / "instances.json", OPTIONS)


def numbers_of_pycocotools(annotations, rows):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        evaluation = COCOeval(truth, truth.loadRes(rows), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats.tolist()


def numbers_of(result):
    return list(astuple(result.coco.numbers))


def test_equals_pycocotools_on_the_same_detections(data_dir, result, tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(result.found.rows()))
    annotations = data_dir / "images" / "instances.json"
    theirs = numbers_of_pycocotools(annotations, str(tmp_path / "results.json"))
    assert numbers_of(result) == pytest.approx(theirs, abs=1e-6)
    assert result.ap == pytest.approx(0.367, abs=0.005)


def test_equals_pycocotools_from_scratch(data_dir, result):
    annotations = data_dir / "images" / "instances.json"
    rows = []
    options = DetectorOptions(conf=0.01, iou=0.65, max_detections=200, provider="cpu")
    with load_detector(data_dir / "models" / "yolox_nano.onnx", options) as detector:
        for image in json.loads(annotations.read_text())["images"]:
            bgr = cv2.imread(str(data_dir / "images" / image["file_name"]))
            found = detector.detect([Picture.from_bgr(bgr)])[0].detections
            for (left, top, right, bottom), score, class_id in zip(
                found.boxes_xyxy.tolist(), found.scores.tolist(), found.class_ids.tolist(), strict=True
            ):
                box = [left, top, right - left, bottom - top]
                category = COCO_IDS[class_id]
                rows.append({"image_id": image["id"], "category_id": category, "score": score, "bbox": box})
    assert numbers_of(result) == pytest.approx(numbers_of_pycocotools(annotations, rows), abs=1e-6)
