"""`nms` against its numpy reference, and both against ONNX Runtime's NonMaxSuppression operator."""

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto, helper

from streamdet.detect.nms import nms, nms_reference


@pytest.fixture(scope="module")
def operator():
    """ONNX Runtime's operator: (boxes (B, 4), scores (C, B), iou, max_per_class, threshold) -> (D, 2) class, box."""
    kinds = {"boxes": TensorProto.FLOAT, "scores": TensorProto.FLOAT, "limit": TensorProto.INT64}
    kinds |= {"iou": TensorProto.FLOAT, "threshold": TensorProto.FLOAT}
    inputs = [helper.make_tensor_value_info(name, kind, None) for name, kind in kinds.items()]
    node = helper.make_node("NonMaxSuppression", ["boxes", "scores", "limit", "iou", "threshold"], ["kept"])
    outputs = [helper.make_tensor_value_info("kept", TensorProto.INT64, None)]
    graph = helper.make_graph([node], "nms", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def run(boxes, scores, iou, limit, threshold):
        feed = {"boxes": boxes[None], "scores": scores[None], "limit": np.array([limit], np.int64)}
        feed |= {"iou": np.array([iou], np.float32), "threshold": np.array([threshold], np.float32)}
        return session.run(None, feed)[0][:, 1:]

    return run


def kept_by(function, boxes, scores, iou, limit, threshold):
    """Returns (D, 2) class, box in the operator's order: class by class, best first."""
    class_ids, box_ids = (part.astype(np.int32) for part in np.nonzero(scores > threshold))
    kept = function(boxes, box_ids, scores[class_ids, box_ids], class_ids, np.float32(iou), limit, 2**31 - 1)
    kept = kept[np.argsort(class_ids[kept], kind="stable")]
    return np.stack([class_ids[kept], box_ids[kept]], axis=1)


def random_scene(seed, boxes=300, classes=5):
    random = np.random.default_rng(seed)
    low = random.random((boxes, 2))
    corners = np.concatenate([low, low + random.random((boxes, 2)) * 0.3], axis=1).astype(np.float32)
    return corners, random.random((classes, boxes), dtype=np.float32)


def scenes():
    boxes, scores = random_scene(0)
    yield "random", boxes, scores
    yield "scores in four steps: mostly ties", boxes, np.round(scores * 4) / np.float32(4)
    yield "all scores equal", boxes, np.full_like(scores, 0.5)
    yield (
        "coarse grid: IoU exactly at thresholds",
        np.round(boxes * 4) / np.float32(4),
        np.round(scores * 8) / np.float32(8),
    )
    yield "corners swapped", boxes[:, [2, 1, 0, 3]], scores
    yield "one box repeated", np.repeat(boxes[:1], 300, 0), scores
    flat = boxes.copy()
    flat[::3, 2] = flat[::3, 0]
    flat[1::7] = 0.25
    yield "boxes without area", flat, scores
    broken = boxes.copy()
    broken[::5, 0] = np.nan
    broken[1::5, 3] = np.inf
    broken[2::5] = -np.inf
    yield "NaN and infinite corners", broken, scores
    holes = scores.copy()
    holes[:, ::2] = np.nan
    holes[0] = np.inf
    yield "NaN and infinite scores", boxes, holes
    yield "huge and tiny", boxes * np.float32(1e30), scores
    yield "denormal", boxes * np.float32(1e-25), scores
    yield "negative scores, -0 and 0", boxes, np.where(scores > 0.5, -scores, np.float32(-0.0)) * np.sign(scores - 0.7)
    yield "none over the threshold", boxes, np.full_like(scores, -1)
    yield "one box", boxes[:1], scores[:, :1]


@pytest.mark.parametrize("function", [nms, nms_reference])
@pytest.mark.parametrize(("boxes", "scores"), [pytest.param(b, s, id=name) for name, b, s in scenes()])
@pytest.mark.parametrize(("iou", "limit", "threshold"), [(0.5, 200, 0.05), (0.0, 3, 0.3), (1.0, 10_000, -0.75)])
def test_equals_the_onnx_operator(operator, function, boxes, scores, iou, limit, threshold):
    boxes, scores = boxes.astype(np.float32), scores.astype(np.float32)
    expected = operator(boxes, scores, iou, limit, threshold)
    np.testing.assert_array_equal(kept_by(function, boxes, scores, iou, limit, threshold), expected)


@pytest.mark.parametrize("kind", ["random", "ties", "one place"])
def test_equals_the_onnx_operator_with_all_boxes_of_the_flagship(operator, kind):
    boxes, scores = random_scene(1, 15130, 80)
    scores = scores * np.float32(0.9) + np.float32(0.06)  # all 1.2 million over the threshold
    if kind == "ties":
        scores = np.round(scores, 2)
    if kind == "one place":
        boxes[:, :2], boxes[:, 2:] = boxes[:, :2] * 0.01, 1
    expected = operator(boxes, scores, 0.5, 200, 0.05)
    np.testing.assert_array_equal(kept_by(nms, boxes, scores, 0.5, 200, 0.05), expected)


finite = st.floats(-4, 4, width=32)
anything = st.one_of(finite, st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e38, -1e38, 1e-38]))
few = st.integers(0, 12)


@given(
    data=st.data(), boxes=few, candidates=few, iou=st.sampled_from([0.0, 0.25, 0.5, 1.0]), limits=st.tuples(few, few)
)
def test_kernel_equals_reference(data, boxes, candidates, iou, limits):
    if not boxes:
        candidates = 0
    corners = data.draw(hnp.arrays(np.float32, (boxes, 4), elements=anything))
    scores = data.draw(hnp.arrays(np.float32, candidates, elements=anything))
    box_ids = data.draw(hnp.arrays(np.int32, candidates, elements=st.integers(0, max(boxes - 1, 0))))
    groups = data.draw(hnp.arrays(np.int32, candidates, elements=st.integers(0, 2)))
    arguments = corners, box_ids, scores, groups, np.float32(iou), *limits
    np.testing.assert_array_equal(nms(*arguments), nms_reference(*arguments))


def test_total_limit_keeps_the_highest_scores():
    boxes = np.array([[0, 0, 1, 1], [5, 5, 6, 6], [9, 9, 10, 10]], np.float32)
    ids = np.arange(3, dtype=np.int32)
    kept = nms(boxes, ids, np.array([0.2, 0.9, 0.5], np.float32), ids, np.float32(0.5), 200, 2)
    assert kept.tolist() == [1, 2]
