"""Published figures of models, and when they are comparable."""

from dataclasses import replace

import numpy as np
import pytest

from streamdet.evaluate.coco import CocoOptions, detector_options
from streamdet.evaluate.ground_truth import AnnotatedImage, CocoGroundTruth
from streamdet.evaluate.published import AP, COCO_PRECISION, FLAGSHIP, VOC_MAP, YOLOX_NANO, is_val2017, published
from streamdet.inference.detector import DetectorOptions
from streamdet.labels import COCO90
from streamdet.model_spec.spec import Contract
from streamdet.models.catalog import find_model

SPEC, NANO = find_model("ssd-resnet34-1200"), find_model("yolox-nano")


@pytest.mark.parametrize("contract", [Contract.SSD_PUBLISHED, Contract.SSD_HEADS])
def test_the_flagship_is_recognized_in_all_its_forms(contract):
    assert published(replace(SPEC, contract=contract, name="mine.onnx"), "any hash") is FLAGSHIP


@pytest.mark.parametrize(
    "change",
    [{"random_weights": True}, {"width": 600, "height": 600}, {"labels": COCO90}, {"contract": Contract.END2END}],
    ids=str,
)
def test_other_models_are_not_the_flagship(change):
    assert published(replace(SPEC, **change), "") is None


def test_yolox_nano_is_recognized_by_its_file():
    assert published(replace(NANO, name="renamed.onnx"), NANO.sha256) is YOLOX_NANO
    assert published(NANO, "") is None


def test_figures_by_metric():
    values = [FLAGSHIP.figure(metric).value for metric in (AP, COCO_PRECISION, VOC_MAP)]
    assert values == [0.1997, 0.2073, 0.392752]
    assert YOLOX_NANO.figure(COCO_PRECISION) is None


def test_default_thresholds_are_those_of_the_published_figures():
    def of(options, model):
        chosen = detector_options(options, model)
        return chosen.conf, chosen.iou, chosen.max_detections

    assert of(CocoOptions(), FLAGSHIP) == (0.05, 0.5, 200)
    assert of(CocoOptions(), YOLOX_NANO) == (0.01, 0.65, 200)
    assert of(CocoOptions(), None) == (0.01, None, 200)
    assert of(CocoOptions(conf=0.2, iou=0.3, max_detections=9), FLAGSHIP) == (0.2, 0.3, 9)
    assert isinstance(detector_options(CocoOptions(), None), DetectorOptions)


def test_only_the_complete_val2017_is_comparable():
    def of(images, objects):
        zeros = np.zeros(objects)
        ids = zeros.astype(np.int64)
        pictures = tuple(AnnotatedImage(i, "a.jpg") for i in range(images))
        return CocoGroundTruth("", "", pictures, {0: "a"}, ids, ids, np.zeros((objects, 4)), zeros, zeros > 0)

    assert is_val2017(of(5000, 36781))
    assert not is_val2017(of(4952, 36781))
    assert not is_val2017(of(5000, 36335))
