"""The flagship's architecture: geometry and counts to the digit, and our post-processing equal to the graph's own."""

import numpy as np
import onnx
import pytest

from streamdet.bench.postprocess import synthetic_heads, tail_runner
from streamdet.detect.output_contracts import bind_decoder
from streamdet.detect.postprocess import PostprocessRules
from streamdet.inference.detector import DetectorOptions, load_detector
from streamdet.model_spec.default_boxes import BOXES_PER_CELL, feature_sizes, flagship_boxes_cxcywh, head_grids
from streamdet.model_spec.spec import Contract
from streamdet.models.onnx_file import onnx_signature
from streamdet.models.operation_count import count_operations, count_parameters
from streamdet.models.recognize import recognize
from streamdet.models.ssd_resnet34 import SsdOutputs, build_nms_tail, build_ssd_resnet34
from streamdet.picture import Picture


@pytest.fixture(scope="module")
def flagship():
    return {form: build_ssd_resnet34(form, seed=1) for form in SsdOutputs}


def test_default_boxes_equal_the_published_ones(data_dir):
    expected = np.load(data_dir / "ssd_resnet34_default_boxes_cxcywh.npy")
    np.testing.assert_allclose(flagship_boxes_cxcywh(1200), expected, atol=1e-6, rtol=0)


def test_feature_map_sizes_and_default_box_counts():
    assert feature_sizes(1200) == (150, 75, 38, 19, 9, 7)
    cells = [grid * grid * boxes for grid, boxes in zip(head_grids(1200), BOXES_PER_CELL, strict=True)]
    assert cells == [10000, 3750, 1014, 294, 36, 36]
    assert len(flagship_boxes_cxcywh(1200)) == 15130


@pytest.mark.parametrize("form", list(SsdOutputs))
def test_parameters_and_operations_equal_the_published_counts(flagship, form):
    trainable, stored = count_parameters(flagship[form])
    assert trainable == 19_972_534
    running_statistics, of_boxes = 9_856, 60_520 + 15_130 if form is SsdOutputs.PUBLISHED else 0
    assert 0 <= stored - trainable - running_statistics - of_boxes < 100  # shapes, axes and thresholds
    counted = count_operations(flagship[form])
    assert (round(counted.gflops, 3), counted.uncounted) == (432.832, 0)
    # Open Model Zoo states 433.411 GFLOPs and 20.058 M parameters, everything in its file counted.
    assert counted.total_gflops == pytest.approx(433.411, rel=0.002)
    assert form is SsdOutputs.HEADS or round(stored / 1e6, 3) == 20.058


def test_signatures_of_both_forms(flagship):
    heads = onnx_signature(flagship[SsdOutputs.HEADS])
    assert [(t.name, t.shape) for t in heads.inputs] == [("image", ("batch", 3, 1200, 1200))]
    assert [(t.name, t.shape) for t in heads.outputs] == [("loc", ("batch", 4, 15130)), ("conf", ("batch", 81, 15130))]
    published = onnx_signature(flagship[SsdOutputs.PUBLISHED])
    assert [t.name for t in published.outputs] == ["bboxes", "labels", "scores"]
    assert published.outputs[1].dtype == np.int64


@pytest.mark.parametrize("form", list(SsdOutputs))
def test_graph_is_valid_and_marked_as_random(flagship, form):
    onnx.checker.check_model(flagship[form], full_check=False)
    spec = recognize(onnx_signature(flagship[form]), "flagship")
    assert spec.contract is (Contract.SSD_HEADS if form is SsdOutputs.HEADS else Contract.SSD_PUBLISHED)
    assert spec.random_weights
    assert "detects nothing" in spec.about
    assert (spec.rgb, spec.label_offset, len(spec.labels)) == (True, int(form is SsdOutputs.PUBLISHED), 80)


def test_same_seed_gives_the_same_weights(flagship):
    again = build_ssd_resnet34(SsdOutputs.HEADS, seed=1).graph.initializer
    assert all(
        a.raw_data == b.raw_data for a, b in zip(again, flagship[SsdOutputs.HEADS].graph.initializer, strict=True)
    )
    other = build_ssd_resnet34(SsdOutputs.HEADS, seed=2, size=448).graph.initializer
    assert other[0].raw_data != again[0].raw_data


def test_too_small_an_input_is_rejected():
    with pytest.raises(ValueError, match="at least 448"):
        build_ssd_resnet34(SsdOutputs.HEADS, size=447)


def assert_same_detections(ours, theirs, box_unit):
    """Checks that detections are equal; those whose scores differ only by rounding may be in another order."""
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4, rtol=0)
    distinct = np.ones(len(ours), np.bool_)
    close = np.abs(np.diff(theirs.scores)) < 1e-5
    distinct[1:] &= ~close
    distinct[:-1] &= ~close
    np.testing.assert_array_equal(ours.class_ids[distinct], theirs.class_ids[distinct])
    np.testing.assert_allclose(
        ours.boxes_xyxy[distinct] / box_unit, theirs.boxes_xyxy[distinct] / box_unit, atol=1e-4, rtol=0
    )
    assert distinct.mean() > 0.5


def test_heads_with_our_postprocessing_equal_the_published_graph(tmp_path):
    """A small input keeps this quick; weights, layers and post-processing are the flagship's."""
    detected = {}
    for form in SsdOutputs:
        path = tmp_path / f"{form.value}.onnx"
        path.write_bytes(build_ssd_resnet34(form, seed=3, size=448).SerializeToString())
        random = np.random.default_rng(0)
        picture = Picture.from_bgr(np.kron(random.integers(0, 256, (12, 12, 3)), np.ones((40, 40, 1))).astype(np.uint8))
        with load_detector(path, DetectorOptions(conf=0.05, provider="cpu")) as detector:
            detected[form] = detector.detect([picture])[0].detections
    assert len(detected[SsdOutputs.HEADS]) > 100
    assert_same_detections(detected[SsdOutputs.HEADS], detected[SsdOutputs.PUBLISHED], 480)


@pytest.mark.parametrize("seed", range(4))
def test_postprocessing_at_full_size_equals_the_graphs_own_tail(seed, flagship):
    loc, conf = synthetic_heads(seed, objects=60)
    if seed == 3:
        conf[0] -= 10  # tens of thousands of candidates, and cut at 200
    heads = recognize(onnx_signature(flagship[SsdOutputs.HEADS]), "heads")
    published = recognize(onnx_signature(flagship[SsdOutputs.PUBLISHED]), "published")
    rules = PostprocessRules(0.05, 0.5, np.ones(80, np.bool_))
    outputs = onnx_signature(build_nms_tail(flagship_boxes_cxcywh(1200))).outputs
    ours = bind_decoder(heads, onnx_signature(flagship[SsdOutputs.HEADS]).outputs).decode(
        {"loc": loc[None], "conf": conf[None]}, 0, rules
    )
    theirs = bind_decoder(published, outputs).decode(tail_runner()((loc, conf)), 0, rules)
    assert len(ours) > (100 if seed == 3 else 20)
    assert_same_detections(ours, theirs, 1200)
