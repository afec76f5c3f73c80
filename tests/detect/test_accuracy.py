"""Accuracy of the complete detector, measured by pycocotools on 64 photos and on frames of real video."""

import itertools

import av
import cv2
import numpy as np
import pytest

from streamdet.boxes import pairwise_iou
from streamdet.color import ColorSpace
from streamdet.evaluate.coco import CocoOptions, evaluate_coco
from streamdet.inference.detector import DetectorOptions, load_detector
from streamdet.picture import Picture, PixelFormat


# FastestDet's own paper states AP50 0.253 on all of val2017, YOLOX-nano AP 0.258; these photos are easier.
@pytest.mark.parametrize(
    ("model", "least_ap", "least_ap50"), [("yolox_nano.onnx", 0.355, 0.52), ("fastestdet.onnx", 0.22, 0.37)]
)
def test_average_precision_on_photos(data_dir, model, least_ap, least_ap50):
    options = CocoOptions(conf=0.01, iou=0.65, provider="cpu")
    images = data_dir / "images"
    result = evaluate_coco(data_dir / "models" / model, images, images / "instances.json", options)
    assert result.ap >= least_ap
    assert result.ap50 >= least_ap50


def agreement(detector, picture):
    """Returns (n, 2): IoU and score difference of each detection over 0.3 through I420 and its match through BGR."""
    ours, theirs = (found.detections for found in detector.detect([picture, Picture.from_bgr(picture.bgr())]))
    sure = ours[ours.scores > 0.3]
    iou = pairwise_iou(sure.boxes_xyxy, theirs.boxes_xyxy)
    iou[sure.class_ids[:, None] != theirs.class_ids[None]] = 0
    if not iou.size:
        return np.empty((0, 2))
    return np.stack([iou.max(axis=1), np.abs(sure.scores - theirs.scores[iou.argmax(axis=1)])], axis=1)


def photos(data_dir):
    for path in sorted((data_dir / "images").glob("*.jpg")):
        yield Picture.from_bgr(cv2.imread(str(path)), ColorSpace(full_range=True)).copy(PixelFormat.I420)


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
