"""Recognizing the output contract of a network from its signature."""

import pytest
from onnx import TensorProto

from streamdet.errors import ModelError
from streamdet.model_spec.spec import Contract, Resize
from streamdet.models.onnx_file import onnx_signature
from streamdet.models.recognize import recognize

from .nets import model_with

SQUARE = [1, 3, 640, 640]


def spec_of(inputs, outputs, given=None, **options):
    return recognize(onnx_signature(model_with(inputs, outputs, **options)), "net", given)


@pytest.mark.parametrize(
    ("inputs", "outputs", "contract", "classes"),
    [
        pytest.param({"images": SQUARE}, {"output": [1, 8400, 85]}, Contract.YOLOX, 80, id="yolox"),
        pytest.param({"x": ["n", 3, 416, 416]}, {"y": ["n", 3549, 8]}, Contract.YOLOX, 0, id="yolox, 3 classes"),
        pytest.param({"x": [1, 3, 1280, 1280]}, {"y": [1, 34000, 85]}, Contract.YOLOX, 80, id="yolox with stride 64"),
        pytest.param({"i": [1, 3, 352, 352]}, {"758": [1, 85, 22, 22]}, Contract.FASTESTDET, 80, id="fastestdet"),
        pytest.param(
            {"image": ["n", 3, 1200, 1200]},
            {"a": ["n", 81, 15130], "b": ["n", 4, 15130]},
            Contract.SSD_HEADS,
            80,
            id="heads",
        ),
        pytest.param(
            {"image": [1, 3, 1200, 1200]},
            {"labels": [1, "n"], "bboxes": [1, "n", 4], "scores": [1, "n"]},
            Contract.SSD_PUBLISHED,
            80,
            id="published",
        ),
        pytest.param({"images": SQUARE}, {"output0": [1, 300, 6]}, Contract.END2END, 80, id="rows"),
        pytest.param({"images": SQUARE}, {"output0": ["n", 6]}, Contract.END2END, 80, id="rows of any number"),
        pytest.param(
            {"i": SQUARE},
            {"det_boxes": [1, 9, 4], "det_scores": [1, 9], "det_classes": [1, 9]},
            Contract.END2END,
            80,
            id="separate",
        ),
    ],
)
def test_contract_is_recognized(inputs, outputs, contract, classes):
    spec = spec_of(inputs, outputs)
    assert (spec.contract, len(spec.labels)) == (contract, classes)
    assert not spec.random_weights


def test_each_contract_has_its_usual_input():
    yolox = spec_of({"images": SQUARE}, {"output": [1, 8400, 85]})
    assert (yolox.rgb, yolox.resize, yolox.std) == (False, Resize.LETTERBOX_TOP_LEFT, (1, 1, 1))
    heads = spec_of({"image": [1, 3, 1200, 1200]}, {"a": [1, 81, 15130], "b": [1, 4, 15130]})
    assert (heads.rgb, heads.resize, heads.mean) == (True, Resize.STRETCH, (123.675, 116.28, 103.53))
    rows = spec_of({"images": SQUARE}, {"output0": [1, 300, 6]})
    assert (rows.resize, rows.box_normalized, rows.std) == (Resize.LETTERBOX_CENTER, False, (255, 255, 255))


@pytest.mark.parametrize("dtype", [TensorProto.UINT8, TensorProto.FLOAT])
def test_tensorflow_export_is_recognized(dtype):
    names = ("detection_bboxes:0", "detection_classes:0", "detection_scores:0")
    shapes = ([None, None, 4], [None, None], [None, None])
    spec = spec_of({"image:0": [1, 1200, 1200, 3]}, dict(zip(names, shapes, strict=True)), dtype=dtype)
    assert (spec.nchw, spec.box_order, spec.box_normalized, spec.label_offset) == (False, "yxyx", True, 1)
    assert (spec.labels[0], spec.labels[61 - 1], spec.labels[89]) == ("person", "cake", "toothbrush")
    assert spec.uint8 is (dtype == TensorProto.UINT8)
    assert any(spec.mean) is not spec.uint8


def test_given_fields_override_the_signature():
    given = {"labels": ("a", "b"), "rgb": True, "name": "mine", "conf": 0.1}
    spec = spec_of({"images": SQUARE}, {"output": [1, 8400, 7]}, given)
    assert (spec.name, spec.labels, spec.rgb, spec.conf, spec.contract) == (
        "mine",
        ("a", "b"),
        True,
        0.1,
        Contract.YOLOX,
    )


def test_given_size_is_used_for_a_network_of_any_size():
    spec = spec_of({"x": ["n", 3, "h", "w"]}, {"rows": ["m", 6]}, {"width": 320, "height": 192})
    assert (spec.width, spec.height) == (320, 192)


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        pytest.param(
            {"x": ["n", 3, "h", "w"]}, {"rows": ["m", 6]}, ["any size", "`width` and `height`"], id="any size"
        ),
        pytest.param({"x": [1, 1000]}, {"y": [1, 10]}, ["one image input", "found x (1, 1000)"], id="no image"),
        pytest.param(
            {"x": SQUARE, "size": [1, 2]}, {"rows": [1, 6]}, ["one image input", "size (1, 2)"], id="two inputs"
        ),
        pytest.param({"x": [1, 1, 32, 32]}, {"rows": [1, 6]}, ["3 color channels"], id="gray"),
        pytest.param(
            {"x": SQUARE}, {"y": [1, 84, 8400]}, ["y (1, 84, 8400)", "NMS included"], id="raw anchor-free boxes"
        ),
        pytest.param({"x": SQUARE}, {"y": [1, 25200, 85]}, ["y (1, 25200, 85)", "anchor-based"], id="raw anchors"),
        pytest.param({"x": SQUARE}, {"y": [1, 1000]}, ["ssd-heads", "y (1, 1000)", "`contract`"], id="a classifier"),
        pytest.param({"x": SQUARE}, {"masks": [1, 3, 9, 9]}, ["no known output contract"], id="four axes, wrong grid"),
    ],
)
def test_unknown_signatures_are_rejected(inputs, outputs, words):
    with pytest.raises(ModelError) as error:
        spec_of(inputs, outputs)
    assert all(word in str(error.value) for word in words), str(error.value)
