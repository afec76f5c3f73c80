"""How well the whole detector finds things, judged by pycocotools on 64 photos and on frames of real video."""

import itertools
import json

import av
import cv2
import numpy as np
import pytest

from streamdet.boxes import pairwise_iou
from streamdet.color import ColorSpace
from streamdet.detect.detector import DetectorOptions, load_detector
from streamdet.labels import COCO_IDS
from streamdet.picture import Picture, PixelFormat


def pictures(data_dir):
    listed = json.loads((data_dir / "images" / "instances.json").read_text())["images"]
    for image in listed:
        yield image["id"], cv2.imread(str(data_dir / "images" / image["file_name"]))


def average_precision(data_dir, model, options):
    """Returns AP and AP50 of a model of COCO's classes over the photos."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    rows = []
    with load_detector(data_dir / "models" / model, options) as detector:
        for image_id, bgr in pictures(data_dir):
            found = detector.detect([Picture.from_bgr(bgr)])[0].detections
            for (left, top, right, bottom), score, class_id in zip(
                found.boxes_xyxy.tolist(), found.scores.tolist(), found.class_ids.tolist(), strict=True
            ):
                box = [left, top, right - left, bottom - top]
                rows.append({"image_id": image_id, "category_id": COCO_IDS[class_id], "score": score, "bbox": box})
    truth = COCO(str(data_dir / "images" / "instances.json"))
    evaluation = COCOeval(truth, truth.loadRes(rows), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats[:2]


# FastestDet's own paper states AP50 0.253 on all of val2017, YOLOX-nano AP 0.258; these photos are easier.
@pytest.mark.parametrize(
    ("model", "least_ap", "least_ap50"), [("yolox_nano.onnx", 0.355, 0.52), ("fastestdet.onnx", 0.22, 0.37)]
)
def test_finds_what_is_in_the_photos(data_dir, model, least_ap, least_ap50):
    options = DetectorOptions(conf=0.01, iou=0.65, provider="cpu")
    ap, ap50 = average_precision(data_dir, model, options)
    assert ap >= least_ap
    assert ap50 >= least_ap50


def agreement(detector, picture):
    """Returns (n, 2): IoU and score difference of each detection over 0.3 through I420 and its like through BGR."""
    ours, theirs = (found.detections for found in detector.detect([picture, Picture.from_bgr(picture.bgr())]))
    sure = ours[ours.scores > 0.3]
    iou = pairwise_iou(sure.boxes_xyxy, theirs.boxes_xyxy)
    iou[sure.class_ids[:, None] != theirs.class_ids[None]] = 0
    if not iou.size:
        return np.empty((0, 2))
    return np.stack([iou.max(axis=1), np.abs(sure.scores - theirs.scores[iou.argmax(axis=1)])], axis=1)


def photos(data_dir):
    for _, bgr in list(pictures(data_dir)):
        yield Picture.from_bgr(bgr, ColorSpace(full_range=True)).copy(PixelFormat.I420)


def video_frames(data_dir, name):
    with av.open(str(data_dir / "videos" / name)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index % 20 == 10:
                yield Picture.from_av(frame)
            if index > 300:
                return


def test_detections_agree_through_i420_and_through_bgr(data_dir):
    names = ("people-walking.mp4", "one-by-one-person-detection.mp4", "bottle-detection.mp4")
    videos = itertools.chain.from_iterable(video_frames(data_dir, name) for name in names)
    with load_detector(data_dir / "models" / "yolox_nano.onnx", DetectorOptions(conf=0.2, provider="cpu")) as detector:
        for source in (photos(data_dir), videos):
            iou, difference = np.concatenate([agreement(detector, picture) for picture in source]).T
            assert len(iou) > 150
            assert iou.min() >= 0.98
            assert difference.max() <= 0.01
