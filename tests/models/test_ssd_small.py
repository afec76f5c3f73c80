"""The small SSD as an ONNX model, without PyTorch: its file, default boxes and heads."""

import json
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest

from streamdet.detect.output_contracts import bind_decoder
from streamdet.errors import ConfigError, ModelError
from streamdet.inference.detector import DetectorOptions, load_detector
from streamdet.model_spec.default_boxes import BoxGrid, flagship_grids, flagship_grids_for, grid_boxes_cxcywh
from streamdet.model_spec.signature import Signature, TensorInfo
from streamdet.model_spec.spec import Contract, Resize
from streamdet.models.description import SPEC_KEY, metadata_text, read_description, read_metadata
from streamdet.models.onnx_file import ModelFile
from streamdet.models.openvino_ir import model_signature
from streamdet.models.recognize import recognize
from streamdet.models.ssd_small import SmallSsdConfig, build_small, small_ssd_spec, stored_weights
from streamdet.picture import Picture
from tests.models.small import PLAN, random_weights, silent_weights

GRID = {"columns": 3, "rows": 2, "shapes": [[0.5, 0.25]]}


def file_of(plan, weights=None):
    model = build_small(plan, random_weights(plan) if weights is None else weights)
    return ModelFile(model.SerializeToString(), "small.onnx")


def head(name, rows):
    return TensorInfo(name, (1, rows, 6), np.dtype(np.float32))


def recognized(file):
    return recognize(model_signature(file), "small")


@pytest.mark.parametrize("labels", [("one",), ("cat", "dog"), ("a", "b", "c"), tuple(f"class {i}" for i in range(80))])
def test_file_metadata_describes_the_model(labels):
    plan = SmallSsdConfig(labels, 96, 64)
    spec = recognized(file_of(plan))
    assert (spec.contract, spec.labels, spec.width, spec.height) == (Contract.SSD_HEADS, labels, 96, 64)
    assert spec.default_boxes == plan.grids
    assert (spec.rgb, spec.nchw, spec.uint8, spec.resize) == (True, True, False, Resize.STRETCH)
    assert replace(spec, name="ssd-small") == small_ssd_spec(plan, "ssd-small")


@pytest.mark.parametrize("size", [(64, 64), (64, 160), (416, 256), (96, 64)])
def test_outputs_have_one_row_per_default_box_at_any_size(size):
    plan = SmallSsdConfig(("a", "b"), *size)
    file = file_of(plan)
    session = onnxruntime.InferenceSession(file.data, providers=["CPUExecutionProvider"])
    loc, conf = session.run(["loc", "conf"], {"image": np.zeros((2, 3, size[1], size[0]), np.float32)})
    count = len(grid_boxes_cxcywh(plan.grids))
    assert (loc.shape, conf.shape) == ((2, 4, count), (2, 3, count))
    assert np.isfinite(loc).all()


def test_files_are_deterministic_and_weights_survive_a_round_trip():
    weights = random_weights(PLAN, 5)
    model = build_small(PLAN, weights, {"why": "because"})
    assert model.SerializeToString(deterministic=True) == build_small(
        PLAN, weights, {"why": "because"}
    ).SerializeToString(deterministic=True)
    back = stored_weights(onnx.load_model_from_string(model.SerializeToString()))
    assert set(back) == set(weights)
    for name, values in weights.items():
        np.testing.assert_array_equal(back[name], values)
    assert {entry.key: entry.value for entry in model.metadata_props}["why"] == "because"


def test_missing_weights_are_reported():
    weights = random_weights(PLAN)
    del weights["neck1.gamma"]
    with pytest.raises(KeyError, match=r"neck1\.gamma"):
        build_small(PLAN, weights)


@pytest.mark.parametrize("size", [(100, 64), (64, 33), (32, 64), (0, 0), (64, -64), (4096, 64)])
def test_invalid_sizes_are_rejected(size):
    with pytest.raises(ValueError, match=f"multiples of 32 from 64 to 2048, got {size[0]}x{size[1]}"):
        SmallSsdConfig(("a",), *size)


def test_metadata_of_extreme_sizes_can_be_read_back():
    for size in ((2048, 2048), (2048, 64), (64, 2048)):
        spec = small_ssd_spec(SmallSsdConfig(("a",), *size), "x")
        assert read_metadata({SPEC_KEY: metadata_text(spec)}, "x")["default_boxes"] == spec.default_boxes


def test_default_boxes_lie_in_the_picture_and_have_their_aspect_ratio_in_pixels():
    plan = SmallSsdConfig(("a",), 416, 256)
    boxes = grid_boxes_cxcywh(plan.grids)
    assert ((boxes >= 0) & (boxes <= 1)).all()
    first = boxes.reshape(-1, 4)[: 52 * 32 * 5].reshape(5, 32, 52, 4)  # shape, row, column
    np.testing.assert_allclose(first[:, 3, 7, :2], [[7.5 / 52, 3.5 / 32]] * 5, rtol=1e-6)
    sides_px = first[:, 0, 0, 2:] * [416, 256]
    np.testing.assert_allclose(sides_px[:, 0] / sides_px[:, 1], [0.4, 1, 2.2, 0.4, 2.2], rtol=0.01)
    np.testing.assert_allclose(np.sqrt(sides_px.prod(axis=1)), [32, 32, 32, 48, 48], rtol=0.01)


@pytest.mark.parametrize("labels", [("cat", "dog"), ("a", "b", "c")], ids=["2 classes", "3 classes: equal heads"])
@pytest.mark.parametrize("index", range(4))
def test_a_positive_head_gives_its_own_default_boxes(tmp_path, labels, index):
    """One shape of one map detects an object everywhere; each cell of it must give its default box."""
    plan = SmallSsdConfig(labels, 192, 128)
    grid, shape, class_id = plan.grids[index], 3, len(labels) - 1
    weights = silent_weights(plan)
    # Channels of a head: class by class, background first, each with one channel per box of a cell.
    weights[f"conf{index}.bias"][(1 + class_id) * len(grid.shapes) + shape] = 15
    path = tmp_path / "small.onnx"
    path.write_bytes(file_of(plan, weights).data)
    picture = Picture.from_bgr(np.full((256, 384, 3), 90, np.uint8))
    options = DetectorOptions(conf=0.5, iou=1.0, max_detections=10_000)
    with load_detector(path, options) as detector:
        (found,) = detector.detect([picture])
    cells = grid.columns * grid.rows
    first = sum(g.count for g in plan.grids[:index]) + shape * cells
    boxes = grid_boxes_cxcywh(plan.grids)[first : first + cells].astype(np.float64)
    corners = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)
    wanted = (corners * [384, 256, 384, 256]).clip(0, [384, 256, 384, 256])
    assert len(found.detections) == cells
    assert set(found.detections.class_ids.tolist()) == {class_id}
    theirs = found.detections.boxes_xyxy
    rows = np.lexsort(theirs.round(1).T), np.lexsort(wanted.round(1).T)
    np.testing.assert_allclose(theirs[rows[0]], wanted[rows[1]], atol=0.05)


def test_a_bright_spot_gives_the_default_box_of_its_cell(tmp_path):
    """Columns and rows are not swapped: the cell with the highest score is where the picture is bright."""
    plan = SmallSsdConfig(("light",), 192, 128)
    weights = silent_weights(plan)
    for name, values in weights.items():
        if name.endswith((".beta", ".mean")):
            values[:] = 0
        elif name.endswith((".gamma", ".variance")):
            values[:] = 1
        elif name.endswith(".weight") and not name.startswith(("loc", "conf")):
            values[:] = 0
            side = values.shape[-1] // 2
            values[0, 0, side, side] = 1  # the first channel is the first color, subsampled
    weights["conf0.weight"][5, 0, 1, 1] = 40  # first shape, class 0
    file = file_of(plan, weights)
    session = onnxruntime.InferenceSession(file.data, providers=["CPUExecutionProvider"])
    image = np.zeros((1, 3, 128, 192), np.float32)
    row, column = 5, 17
    image[0, 0, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 1
    (conf,) = session.run(["conf"], {"image": image})
    best = int((conf[0, 1] - conf[0, 0]).argmax())
    assert conf[0, 1, best] > conf[0, 0, best]
    x, y = grid_boxes_cxcywh(plan.grids)[best, :2]
    assert (x, y) == pytest.approx(((column + 0.5) / 24, (row + 0.5) / 16))


def test_heads_of_equal_shape_are_distinguished_by_name():
    outputs = (head("conf", 4), head("loc", 4))
    spec = replace(small_ssd_spec(PLAN, "x"), labels=("a", "b", "c"), default_boxes=(BoxGrid(3, 2, ((0.5, 0.5),)),))
    assert bind_decoder(spec, outputs).classes == 3
    nameless = (head("a", 4), head("b", 4))
    with pytest.raises(ModelError, match=r"loc \(n, 4, 6\)"):
        bind_decoder(spec, nameless)


def test_missing_default_boxes_are_an_error_that_asks_for_them():
    outputs = (head("conf", 3), head("loc", 4))
    with pytest.raises(
        ModelError, match=r"looked for .* and `default_boxes` \(none are known for an input of 96x64\), found conf"
    ):
        bind_decoder(replace(small_ssd_spec(PLAN, "x"), default_boxes=()), outputs)


def test_grids_of_another_size_are_rejected():
    plan = replace(PLAN, width=128)
    signature = model_signature(file_of(PLAN))
    other = Signature(signature.inputs, signature.outputs, {SPEC_KEY: metadata_text(small_ssd_spec(plan, "ssd-small"))})
    count = sum(grid.count for grid in plan.grids)
    with pytest.raises(ModelError, match=rf"looked for loc \(n, 4, {count}\)"):
        bind_decoder(recognize(other, "small"), other.outputs)


BAD = [
    pytest.param("all", "give a list of grids", id="text"),
    pytest.param([], "give a list of grids", id="empty list"),
    pytest.param([GRID] * 33, "give a list of grids", id="too many"),
    pytest.param([3], "give a list of grids", id="number instead of a grid"),
    pytest.param([{**GRID, "stride": 8}], "give a list of grids", id="unknown key"),
    pytest.param([{"columns": 3, "rows": 2}], "give a list of grids", id="no shapes"),
    pytest.param([{**GRID, "columns": 0}], "give a list of grids", id="no columns"),
    pytest.param([{**GRID, "columns": True}], "give a list of grids", id="boolean columns"),
    pytest.param([{**GRID, "rows": 1025}], "give a list of grids", id="too many rows"),
    pytest.param([{**GRID, "rows": 2.0}], "give a list of grids", id="rows as a float"),
    pytest.param([{**GRID, "shapes": []}], "give a list of grids", id="empty shapes"),
    pytest.param([{**GRID, "shapes": [[0.5]]}], "give a list of grids", id="shape of one number"),
    pytest.param([{**GRID, "shapes": [[0.5, 0]]}], "give a list of grids", id="height 0"),
    pytest.param([{**GRID, "shapes": [[0.5, 17]]}], "give a list of grids", id="height too large"),
    pytest.param([{**GRID, "shapes": [[0.5, "x"]]}], "give a list of grids", id="text in a shape"),
    pytest.param([{**GRID, "shapes": [[0.5, float("nan")]]}], "give a list of grids", id="NaN"),
    pytest.param([{**GRID, "columns": 1024, "rows": 1024}] * 2, "more than 1048576 default boxes", id="too many boxes"),
]


@pytest.mark.parametrize(("value", "words"), BAD)
def test_invalid_default_boxes_in_a_description_are_rejected(tmp_path, value, words):
    path = tmp_path / "net.yaml"
    path.write_text(json.dumps({"file": "net.onnx", "default_boxes": value}).replace("NaN", ".nan"))
    with pytest.raises(ConfigError) as error:
        read_description(path)
    assert f"{path}: `default_boxes: " in str(error.value)
    assert words in str(error.value)


@pytest.mark.parametrize(("value", "words"), BAD)
def test_invalid_default_boxes_in_metadata_are_rejected(value, words):
    with pytest.raises(ModelError) as error:
        read_metadata({SPEC_KEY: json.dumps({"default_boxes": value})}, "net.onnx")
    assert str(error.value).startswith(f"net.onnx: its metadata {SPEC_KEY} cannot be used: `default_boxes: ")
    assert words in str(error.value)


def test_default_boxes_in_a_description_are_read(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text("default_boxes:\n  - {columns: 3, rows: 2, shapes: [[0.5, 0.25], [1, 1.5]]}\n")
    assert read_description(path).fields["default_boxes"] == (BoxGrid(3, 2, ((0.5, 0.25), (1.0, 1.5))),)


def test_flagship_grids_are_known_only_for_its_input_sizes():
    assert flagship_grids_for(1200, 1200) == flagship_grids(1200)
    assert flagship_grids_for(448, 448) == flagship_grids(448)
    assert flagship_grids_for(447, 447) == flagship_grids_for(1200, 1199) == flagship_grids_for(416, 256) == ()
