"""The complete COCO evaluation, from a model's file to its average precision."""

import contextlib
import hashlib
import io
import json
import shutil
import struct
from dataclasses import astuple, replace

import cv2
import numpy as np
import onnx
import pytest

from streamdet.errors import SourceError, UsageError
from streamdet.evaluate.coco import CocoOptions, evaluate_coco
from streamdet.evaluate.coco_ap import coco_ap
from streamdet.evaluate.coco_detections import CocoDetections
from streamdet.evaluate.detect_images import read_annotated
from streamdet.evaluate.ground_truth import AnnotatedImage, parse_ground_truth, read_ground_truth
from streamdet.evaluate.open_model_zoo import coco_precision
from streamdet.evaluate.published import YOLOX_NANO
from streamdet.inference.detector import DetectorOptions, load_detector
from streamdet.labels import COCO_IDS
from streamdet.models.bundled import SHAPES_MODEL
from streamdet.models.onnx_file import ModelFile, read_model
from streamdet.models.provenance import CONVERTED_KEY
from streamdet.picture import Picture
from tests.evaluate.coco_files import write_scene

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
    (tmp_path / "results.json").write_text(json.dumps(result.detections.rows()))
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


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Returns a folder of images and its annotations file for the built-in detector; needs no test data."""
    folder = tmp_path_factory.mktemp("scene")
    return folder, write_scene(folder)


def test_the_built_in_detector_on_its_own_scene(scene):
    folder, annotations = scene
    progress = []
    result = evaluate_coco(SHAPES_MODEL, folder, annotations, on_progress=lambda *counts: progress.append(counts))
    assert result.ap50 > 0.9
    assert progress == [(done, 6) for done in range(7)]
    assert (result.resumed_images, result.missing_images) == (0, 0)
    assert (result.published, result.random_weights) == (None, False)
    assert (result.classes.unmapped_classes, result.classes.unmapped_categories) == ((), ())
    assert (result.identity.conf, result.identity.max_detections) == (0.01, 200)


def test_a_detector_keeps_its_own_thresholds(scene):
    folder, annotations = scene
    with load_detector(SHAPES_MODEL, DetectorOptions(conf=0.9, iou=0.3, max_detections=2)) as detector:
        result = evaluate_coco(detector, folder, read_ground_truth(annotations), CocoOptions(conf=0.1))
    assert (result.identity.conf, result.identity.iou, result.identity.max_detections) == (0.9, 0.3, 2)
    assert len(result.detections) <= 12
    assert result.detections.scores.min() > 0.9


def test_a_stopped_evaluation_resumes(scene, tmp_path):
    folder, annotations = scene
    options = CocoOptions(detections=tmp_path / "run.jsonl")
    complete = evaluate_coco(SHAPES_MODEL, folder, annotations, options)

    def stop(done, total):
        if done == 4:
            raise KeyboardInterrupt

    (tmp_path / "run.jsonl").unlink()
    with pytest.raises(KeyboardInterrupt):
        evaluate_coco(SHAPES_MODEL, folder, annotations, options, stop)
    assert len((tmp_path / "run.jsonl").read_text().splitlines()) == 5  # the header and four images
    progress = []
    again = evaluate_coco(SHAPES_MODEL, folder, annotations, options, lambda *counts: progress.append(counts))
    assert progress == [(4, 6), (5, 6), (6, 6)]
    assert again.resumed_images == 4
    assert again.coco.numbers == complete.coco.numbers
    assert again.detections.rows() == complete.detections.rows()
    with pytest.raises(UsageError, match=r"made with conf 0\.01, this run has 0\.5"):
        evaluate_coco(SHAPES_MODEL, folder, annotations, replace(options, conf=0.5))
    with load_detector(SHAPES_MODEL) as detector, pytest.raises(UsageError, match="given by name or file"):
        evaluate_coco(detector, folder, annotations, options)


def test_a_detections_file_of_more_images_serves_fewer(scene, tmp_path):
    folder, annotations = scene
    options = CocoOptions(detections=tmp_path / "run.jsonl")
    evaluate_coco(SHAPES_MODEL, folder, annotations, options)
    fewer = evaluate_coco(SHAPES_MODEL, folder, annotations, replace(options, max_images=2))
    assert (len(fewer.ground_truth.images), fewer.resumed_images) == (2, 2)
    assert set(fewer.detections.image_ids.tolist()) == {1, 2}
    assert (
        fewer.coco.numbers == evaluate_coco(SHAPES_MODEL, folder, annotations, CocoOptions(max_images=2)).coco.numbers
    )


def test_missing_images(scene, tmp_path):
    folder, annotations = scene
    for name in ("000.png", "003.png"):
        shutil.copy(folder / name, tmp_path)
    with pytest.raises(UsageError, match=r"4 of the 6 images of .* \(such as 001\.png\): --allow-missing evaluates"):
        evaluate_coco(SHAPES_MODEL, tmp_path, annotations)
    result = evaluate_coco(SHAPES_MODEL, tmp_path, annotations, CocoOptions(allow_missing=True))
    assert (result.missing_images, [image.id for image in result.ground_truth.images]) == (4, [1, 4])
    assert result.ap50 > 0.9
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match=r"6 of the 6 images .* give the folder that contains them"):
        evaluate_coco(SHAPES_MODEL, tmp_path / "none", annotations, CocoOptions(allow_missing=True))


def test_images_without_objects(scene, tmp_path):
    tree = json.loads(scene[1].read_text())
    tree["annotations"] = [row for row in tree["annotations"] if row["image_id"] > 2]
    with pytest.raises(UsageError, match="no annotated object in the images"):
        evaluate_coco(SHAPES_MODEL, scene[0], parse_ground_truth(tree, "truth.json"), CocoOptions(max_images=2))
    result = evaluate_coco(SHAPES_MODEL, scene[0], parse_ground_truth(tree, "truth.json"))
    assert result.ap < 0.9  # detections in the two images without objects are false positives


def oriented(folder, orientation):
    """Writes a photo stored as 60x40 with an EXIF orientation; its upper left quarter is white."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20, :30] = 255
    jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0" + tiff
    path = folder / f"{orientation}.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    return path


ROTATED = 6  # 90 degrees clockwise


@pytest.mark.parametrize(
    ("width", "height", "white"),
    [(60, 40, (5, 5)), (40, 60, (5, 35)), (0, 0, (5, 35))],
    ids=["annotated as stored", "annotated rotated", "no size"],
)
def test_images_are_read_in_the_annotated_orientation(tmp_path, width, height, white):
    picture = read_annotated(oriented(tmp_path, ROTATED), AnnotatedImage(1, "6.jpg", width, height))
    if width:
        assert picture.shape == (height, width, 3)
    assert picture[white].min() > 200  # row, column
    assert picture[-5, 5].max() < 50
    assert (picture[5, 5].max() < 50) == (white != (5, 5))


def test_an_image_of_another_size_is_an_error(tmp_path):
    with pytest.raises(SourceError, match=r"6\.jpg has 40x60 pixels, its annotations are for 320x240"):
        read_annotated(oriented(tmp_path, ROTATED), AnnotatedImage(1, "6.jpg", 320, 240))


def test_a_damaged_image_ends_the_evaluation(scene, tmp_path):
    for path in scene[0].glob("*.png"):
        (tmp_path / path.name).write_bytes(path.read_bytes()[:60])
    with pytest.raises(SourceError, match=r"000\.png: the image is damaged or of an unsupported format"):
        evaluate_coco(SHAPES_MODEL, tmp_path, scene[1])


def test_images_in_batches_have_the_same_detections(scene):
    folder, annotations = scene
    one, several = (evaluate_coco(SHAPES_MODEL, folder, annotations, CocoOptions(max_batch=n)) for n in (1, 4))
    assert several.coco.numbers.ap == pytest.approx(one.coco.numbers.ap, abs=1e-3)
    assert several.detections.image_ids.tolist() == one.detections.image_ids.tolist()


def test_a_model_may_be_in_memory(data_dir, result):
    """A quantizer evaluates a model that was never written to a file."""
    file = read_model(data_dir / "models" / "yolox_nano.onnx")
    options = replace(OPTIONS, max_images=5)
    again = evaluate_coco(file, data_dir / "images", read_ground_truth(data_dir / "images" / "instances.json"), options)
    ids = {image.id for image in again.ground_truth.images}
    assert again.detections.rows() == [row for row in result.detections.rows() if row["image_id"] in ids]
    assert again.identity.model_sha256 == result.identity.model_sha256


def test_a_converted_model_has_the_thresholds_of_its_source(data_dir):
    """Otherwise it would seem to lose accuracy, because of another IoU threshold."""
    source = data_dir / "models" / "yolox_nano.onnx"
    model = onnx.load(source)
    numbers = {"matched": 1, "detections": 1, "images": 1, "max_box_difference": 0, "max_score_difference": 0}
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    record = {"from": source.name, "sha256": sha256, "options": "", "verification": numbers, "notes": []}
    onnx.helper.set_model_props(model, {CONVERTED_KEY: json.dumps(record)})
    file = ModelFile(model.SerializeToString(), "converted.onnx")
    options = CocoOptions(provider="cpu", max_images=1)
    again = evaluate_coco(file, data_dir / "images", data_dir / "images" / "instances.json", options)
    assert again.published is YOLOX_NANO
    assert (again.identity.conf, again.identity.iou) == (0.01, 0.65)


def test_open_model_zoo_equals_coco_without_crowds_and_duplicates(result):
    """Without crowds, and with one detection per class and image, the two metrics are equal."""
    crowded = set(result.ground_truth.image_ids[result.ground_truth.crowd].tolist())
    truth = result.ground_truth.only([image.id for image in result.ground_truth.images if image.id not in crowded])
    keys = list(zip(result.detections.image_ids.tolist(), result.detections.category_ids.tolist(), strict=True))
    best = [i for i, key in enumerate(keys) if keys.index(key) == i and key[0] not in crowded]
    found = CocoDetections(*(column[best] for column in astuple(result.detections)[:4]))
    expected = coco_ap(truth, found).numbers.ap
    assert 0.2 < expected < 0.4
    assert coco_precision(truth, found) == pytest.approx(expected, abs=1e-6)
    assert coco_precision(truth, found, edge_px=1) > expected + 1e-4
