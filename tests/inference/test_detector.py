"""The complete detector on tiny networks: inputs, outputs, and rejected models."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamdet import kernels
from streamdet.color import ColorSpace
from streamdet.detect.output_contracts import bind_decoder
from streamdet.detect.postprocess import PostprocessRules
from streamdet.errors import ModelError, UsageError
from streamdet.inference.detector import DetectorOptions, ModelDetector, load_detector
from streamdet.model_spec.signature import Signature, TensorInfo
from streamdet.models.recognize import recognize
from streamdet.picture import Picture, PixelFormat

# A network that returns these rows for any input: x1 y1 x2 y2 score class, in pixels of its 64x48 input.
ROWS = np.array(
    [
        [8, 6, 32, 24, 0.9, 0],
        [8, 6, 32, 24, 0.8, 2],
        [-40, -40, -10, -10, 0.7, 1],  # outside the picture
        [np.nan, 0, 9, 9, 0.95, 0],
        [0, 0, 9, 9, np.inf, 0],
        [0, 0, 1e30, 9, 0.9, 0],
        [10, 10, 5, 5, 0.9, 0],  # inverted
        [0, 0, 64, 48, 0.6, 99],  # no such class
        [0, 0, 64, 48, 0.6, np.nan],
        [0, 0, 64, 48, 0.4, 1],
    ],
    np.float32,
)


def constant_model(outputs, shape=(1, 3, 48, 64), dtype=TensorProto.FLOAT, opset=13):
    """Returns the bytes of a network whose outputs are constants, each plus 0 x the mean of its input."""
    nodes, values = [], []
    cast = helper.make_node("Cast", ["images"], ["as_float"], to=TensorProto.FLOAT)
    mean = helper.make_node("ReduceMean", ["as_float"], ["mean"], keepdims=0)
    zero = helper.make_node("Mul", ["mean", "nothing"], ["zero"])
    initializers = [numpy_helper.from_array(np.float32(0), "nothing")]
    nodes += [cast, mean, zero]
    for name, array in outputs.items():
        initializers.append(numpy_helper.from_array(array, f"{name}_values"))
        if array.dtype == np.float32:
            nodes.append(helper.make_node("Add", [f"{name}_values", "zero"], [name]))
        else:
            nodes.append(helper.make_node("Identity", [f"{name}_values"], [name]))
        values.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape))
    image = helper.make_tensor_value_info("images", dtype, shape)
    graph = helper.make_graph(nodes, "constant", [image], values, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return model.SerializeToString()


@pytest.fixture
def rows_model(tmp_path):
    path = tmp_path / "rows.onnx"
    path.write_bytes(constant_model({"rows": ROWS[None]}))
    (tmp_path / "rows.yaml").write_text("labels: [person, car, cat]\nresize: stretch\n")
    return path


def picture(width=128, height=96, format=PixelFormat.BGR24):
    bgr = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Picture.from_bgr(bgr, ColorSpace()).copy(format)


def load(path, **options) -> ModelDetector:
    return load_detector(path, DetectorOptions(provider="cpu", **options))


def test_boxes_are_in_frame_pixels(rows_model):
    with load(rows_model) as detector:
        found = detector.detect([picture(128, 96)])[0].detections
    np.testing.assert_allclose(found.boxes_xyxy, [[16, 12, 64, 48], [16, 12, 64, 48], [0, 0, 128, 96]])
    np.testing.assert_allclose(found.scores, [0.9, 0.8, 0.4])
    assert found.class_names == ["person", "cat", "car"]
    assert found.track_ids.tolist() == [-1, -1, -1]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        pytest.param({"conf": 0.5}, ["person", "cat"], id="threshold"),
        pytest.param({"classes": ("Car", "cat")}, ["cat", "car"], id="classes by name"),
        pytest.param({"classes": ("0",)}, ["person"], id="class by number"),
        pytest.param({"max_detections": 1}, ["person"], id="maximum of one"),
    ],
)
def test_options_filter_detections(rows_model, options, names):
    with load(rows_model, **options) as detector:
        assert detector.detect([picture()])[0].detections.class_names == names


def test_more_pictures_than_the_batch_size_are_all_detected(rows_model):
    with load(rows_model) as detector:
        assert detector.max_batch == 1
        found = detector.detect([picture(64, 48), picture(640, 480)])
    assert [float(f.detections.boxes_xyxy[0, 0]) for f in found] == [8, 80]
    assert all(f.times.preprocess_ms > 0 and f.times.infer_ms > 0 and f.times.postprocess_ms > 0 for f in found)


def test_no_pictures_give_no_results(rows_model):
    with load(rows_model) as detector:
        assert detector.detect([]) == []


@pytest.mark.parametrize(("batch", "expected_batch"), [("n", 8), (4, 4)], ids=["any batch", "batch of four"])
def test_batched_pictures_get_their_own_detections(tmp_path, batch, expected_batch):
    """A network of 1 box: score = mean brightness / 255, so each picture has a different score."""
    path = tmp_path / "bright.onnx"
    mean = helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0)
    column = helper.make_node("Reshape", ["mean", "as_column"], ["column"])
    boxes = helper.make_node("Expand", ["box", "shape"], ["boxes_n"])
    count = helper.make_node("Shape", ["mean"], ["count"])
    shape = helper.make_node("Concat", ["count", "one_five"], ["shape"], axis=0)
    score = helper.make_node("Unsqueeze", ["column"], ["score"], axes=[2])
    front = helper.make_node("Slice", ["boxes_n", "zero", "four", "last"], ["front"])
    label = helper.make_node("Slice", ["boxes_n", "four", "five", "last"], ["label"])
    rows = helper.make_node("Concat", ["front", "score", "label"], ["rows"], axis=2)
    constants = {"as_column": [-1, 1], "one_five": [1, 5], "zero": [0], "four": [4], "five": [5], "last": [2]}
    initializers = [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in constants.items()]
    initializers.append(numpy_helper.from_array(np.array([[[0, 0, 32, 24, 0]]], np.float32), "box"))
    graph = helper.make_graph(
        [mean, column, count, shape, boxes, score, front, label, rows],
        "bright",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, 48, 64])],
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [batch, 1, 6])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    path.write_bytes(model.SerializeToString())
    levels = list(range(20, 240, 20))
    grays = [Picture.from_bgr(np.full((48, 64, 3), level, np.uint8)) for level in levels]
    with load(path, conf=0.01, max_batch=8) as detector:
        assert detector.max_batch == expected_batch
        detector.warm_up()
        scores = [f.detections.scores.tolist() for f in detector.detect(grays)]
    np.testing.assert_allclose(scores, [[level / 255] for level in levels], atol=1e-5)


@pytest.mark.parametrize("format", list(PixelFormat))
def test_nothing_compiles_after_warm_up(data_dir, format):
    frame = picture(321, 241, PixelFormat.BGR24) if format is PixelFormat.BGR24 else _yuv(format)
    with load(data_dir / "models" / "yolox_nano.onnx", conf=0.01) as detector:
        detector.warm_up()
        compiled = kernels.compilations()
        assert len(detector.detect([frame, frame])) == 2
        assert kernels.compilations() == compiled


def _yuv(format):
    i420 = picture(320, 240, PixelFormat.I420)
    if format is PixelFormat.I420:
        return i420
    chroma = np.stack([i420.visible(1), i420.visible(2)], axis=2).reshape(120, 320)
    return Picture(320, 240, format, (i420.visible(0).copy(), chroma), ColorSpace())


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (("persn",), "did you mean 'person'"),
        (("dog", "spoon"), "the model knows 3 classes (person, car, cat)"),
        (("3",), "the model knows 3 classes"),
    ],
)
def test_unknown_class_is_an_error(rows_model, names, hint):
    with pytest.raises(UsageError) as error:
        load(rows_model, classes=names)
    assert hint in str(error.value)


@pytest.mark.parametrize("options", [{"conf": 1.0}, {"conf": -0.1}, {"iou": 1.5}, {"max_detections": 0}])
def test_invalid_options_are_rejected(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        DetectorOptions(**options)


BOXES = np.array([[[0.25, 0.125, 0.5, 0.5]]], np.float32)  # x first: 16, 6, 32, 24; y first: 8, 12, 32, 24
SCORES, LABELS = np.array([[0.75]], np.float32), np.array([[2]], np.int64)


@pytest.mark.parametrize(
    ("outputs", "yaml", "box", "class_id"),
    [
        pytest.param(
            {"labels": LABELS, "bboxes": BOXES, "scores": SCORES},
            "contract: ssd-published",
            [16, 6, 32, 24],
            1,
            id="published names in another order, background counted",
        ),
        pytest.param(
            {"dets": BOXES, "classes": SCORES, "what": LABELS},
            "contract: end2end\noutput_names: [dets, classes, what]\nbox_normalized: true\nresize: stretch",
            [16, 6, 32, 24],
            2,
            id="outputs named in the description",
        ),
        pytest.param(
            {"detection_boxes": BOXES, "detection_scores": SCORES, "detection_classes": LABELS.astype(np.float32)},
            "",
            [8, 12, 32, 24],
            1,
            id="TensorFlow: y first, COCO ids from 1, labels as floats",
        ),
        pytest.param(
            {"boxes": BOXES[0] * 40, "scores": SCORES[0], "labels": LABELS[0].astype(np.int32)},
            "label_offset: 1",
            [10, 5, 20, 20],
            1,
            id="pixels, without a batch axis",
        ),
        pytest.param(
            {"num_dets": np.array([[1]], np.int32), "det_boxes": BOXES, "det_scores": SCORES, "det_classes": LABELS},
            "box_normalized: true",
            [16, 6, 32, 24],
            2,
            id="with a count",
        ),
        pytest.param(
            {"rows": np.array([[16, 6, 32, 24, 0.75, 3]], np.float32)}, "", [16, 6, 32, 24], 3, id="rows without batch"
        ),
    ],
)
def test_end_to_end_outputs_are_read(tmp_path, outputs, yaml, box, class_id):
    path = tmp_path / "model.onnx"
    path.write_bytes(constant_model(outputs))
    if yaml:
        path.with_suffix(".yaml").write_text(yaml)
    with load(path) as detector:
        found = detector.detect([picture(64, 48)])[0].detections
    np.testing.assert_allclose(found.boxes_xyxy, [box], atol=1e-4)
    assert (found.class_ids.tolist(), found.scores.tolist()) == ([class_id], [0.75])


@pytest.mark.parametrize(
    ("outputs", "yaml"),
    [
        ({"rows": np.empty((1, 0, 6), np.float32)}, ""),
        (
            {"boxes": np.empty((0, 4), np.float32), "scores": np.empty(0, np.float32), "labels": np.empty(0, np.int64)},
            "",
        ),
    ],
    ids=["no rows", "no boxes"],
)
def test_empty_outputs_give_no_detections(tmp_path, outputs, yaml):
    path = tmp_path / "model.onnx"
    path.write_bytes(constant_model(outputs))
    with load(path) as detector:
        assert len(detector.detect([picture()])[0].detections) == 0


@pytest.mark.parametrize(
    ("outputs", "yaml", "message"),
    [
        ({"rows": ROWS[None]}, "contract: yolox", "looked for one output (n, 62, 5 + classes), found rows (1, 10, 6)"),
        ({"rows": ROWS[None]}, "contract: ssd-heads", "and `default_boxes` (none are known for an input of 64x48)"),
        ({"rows": ROWS[None]}, "contract: fastestdet", "(n, 5 + classes, rows, columns), found rows"),
        ({"rows": ROWS[None]}, "contract: ssd-published", "looked for outputs named bboxes, scores and labels"),
        ({"rows": ROWS[None]}, "output_names: [a, b, c]", "looked for boxes, scores and labels named a, b, c"),
        ({"rows": ROWS[None]}, "width: 65", "is described with input (n, 3, 48, 65), takes images (1, 3, 48, 64)"),
        ({"rows": ROWS[None]}, "uint8: true", "correct `uint8`"),
        ({"o": np.zeros((1, 62, 9), np.float32)}, "labels: [a]", "has 4 classes but 1 labels: correct `labels`"),
        ({"boxes": BOXES, "scores": np.zeros((1, 2), np.float32), "labels": LABELS}, "", "their shapes do not match"),
    ],
)
def test_model_that_does_not_match_its_description_is_rejected(tmp_path, outputs, yaml, message):
    path = tmp_path / "model.onnx"
    path.write_bytes(constant_model(outputs))
    path.with_suffix(".yaml").write_text(yaml or "name: net")

    def use():
        with load(path) as detector:
            detector.detect([picture()])

    with pytest.raises(ModelError) as error:
        use()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("declared", "given", "message"),
    [
        pytest.param((1, 62, 85), (1, 99, 85), "o of shape (1, 99, 85): expected (n, 62, 85)", id="more cells"),
        pytest.param((1, 62, 85), (1, 62, 7), "o of shape (1, 62, 7): expected (n, 62, 85)", id="fewer classes"),
        pytest.param((1, 62, 85), (62, 85), "o of shape (62, 85)", id="missing axis"),
        pytest.param((1, 85, 3, 4), (1, 7, 3, 4), "o of shape (1, 7, 3, 4): expected (n, 85, ?, ?)", id="channels"),
        pytest.param((1, 9, 6), (1, 9, 5), "expected rows of 6", id="short rows"),
        pytest.param((1, 9, 6), (9,), "expected 2 dimensions", id="flat rows"),
    ],
)
def test_outputs_with_undeclared_shapes_never_reach_a_kernel(declared, given, message):
    outputs = [TensorInfo("o", declared, np.dtype(np.float32))]
    spec = recognize(Signature((TensorInfo("x", (1, 3, 48, 64), np.dtype(np.float32)),), tuple(outputs)), "net")
    decoder = bind_decoder(spec, outputs)
    with pytest.raises(ModelError) as error:
        decoder.decode({"o": np.ones(given, np.float32)}, 0, PostprocessRules(0.1, 0.5, np.ones(80, np.bool_)))
    assert message in str(error.value)


def test_uint8_input_rejects_mean(tmp_path):
    path = tmp_path / "bytes.onnx"
    path.write_bytes(constant_model({"rows": ROWS[None]}, dtype=TensorProto.UINT8))
    path.with_suffix(".yaml").write_text("labels: [person, car, cat]")
    with load(path) as detector:
        assert detector.detect([picture()])[0].detections.class_names == ["person", "cat", "car"]
    path.with_suffix(".yaml").write_text("mean: 127")
    with pytest.raises(ModelError, match="remove `mean` and `std`"):
        load(path)
