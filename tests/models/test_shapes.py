"""The built-in detector of the synthetic scene, judged on its ground truth."""

import numpy as np
import onnx
import onnxruntime
import pytest

from streamdet.model_spec.spec import Contract
from streamdet.models.shapes_detector import shapes_model
from streamdet.scenes.shapes import LABELS, ShapesOptions, ShapesScene
from streamdet.scenes.shapes_art import CLASS_COLORS

cv2 = pytest.importorskip("cv2")


@pytest.fixture(scope="module")
def session():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(shapes_model()[1], options, providers=["CPUExecutionProvider"])


def detect(session, picture, conf):
    """Returns boxes in pixels of the picture, scores and class ids, by OpenCV's resize and plain numpy."""
    spec, _ = shapes_model()
    small = cv2.resize(picture.bgr(), (spec.width, spec.height), interpolation=cv2.INTER_LINEAR)
    tensor = small[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32)
    boxes, scores, labels = session.run(["boxes", "scores", "labels"], {"images": tensor})
    kept = scores[0] >= conf
    return boxes[0][kept] * np.array([picture.width, picture.height] * 2), scores[0][kept], labels[0][kept]


def iou(ours, theirs):
    low = np.maximum(ours[:, None, :2], theirs[None, :, :2])
    high = np.minimum(ours[:, None, 2:], theirs[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (ours, theirs)]
    return shared / (areas[0][:, None] + areas[1][None] - shared)


def share_inside(boxes, regions):
    """Returns (regions, boxes): how much of each box lies in each region."""
    low = np.maximum(regions[:, None, :2], boxes[None, :, :2])
    high = np.minimum(regions[:, None, 2:], boxes[None, :, 2:])
    return np.clip(high - low, 0, None).prod(axis=2) / (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)


def recall_and_precision(session, options, frames):
    """Returns recall and precision at IoU 0.7; objects less than 60 % visible, and detections of them, are ignored."""
    spec, _ = shapes_model()
    scene = ShapesScene(options)
    found = missed = wrong = 0
    for index in frames:
        truth = scene.ground_truth(index)
        boxes, _, labels = detect(session, scene.render(index), spec.conf)
        same = truth.class_ids[:, None] == labels[None]
        overlap = iou(truth.boxes_xyxy, boxes) * same
        well = truth.scores >= 0.6
        hit = overlap.max(axis=1, initial=0) >= 0.7
        found += int((hit & well).sum())
        missed += int((~hit & well).sum())
        on_hidden = (share_inside(boxes, truth.boxes_xyxy) * same)[~well].max(axis=0, initial=0) > 0.5
        wrong += int(((overlap.max(axis=0, initial=0) < 0.7) & ~on_hidden).sum())
    return found / (found + missed), found / (found + wrong)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(ShapesOptions(), id="default"),
        pytest.param(ShapesOptions(seed=1, objects=12), id="12 objects"),
        pytest.param(ShapesOptions(seed=3, objects=24, width=640, height=360), id="24 objects"),
        pytest.param(ShapesOptions(seed=5, width=320, height=240, noise=6), id="small and noisy"),
        pytest.param(ShapesOptions(seed=9, width=720, height=1280), id="portrait"),
    ],
)
def test_visible_objects_are_found(session, options):
    recall, precision = recall_and_precision(session, options, range(0, 300, 7))
    assert recall >= 0.97
    assert precision >= 0.96


def test_an_empty_scene_has_no_detections(session):
    scene = ShapesScene(ShapesOptions(objects=1, width=640, height=360))
    empty = next(index for index in range(2000) if len(scene.ground_truth(index)) == 0)
    _, scores, _ = detect(session, scene.render(empty), 0.01)
    assert len(scores) <= 1  # the edge of an object that is about to enter


@pytest.mark.parametrize("class_id", range(3))
def test_each_class_is_found_by_its_color_where_it_is(session, class_id):
    picture = np.full((180, 320, 3), 225, np.float32)
    picture[40:81, 100:160] = CLASS_COLORS[class_id]
    boxes, scores, labels = session.run(None, {"images": picture.transpose(2, 0, 1)[None]})
    assert (scores[0] > 0).sum() == 1
    assert labels[0, 0] == class_id
    np.testing.assert_allclose(boxes[0, 0] * [320, 180, 320, 180], [100, 40, 160, 81], atol=1e-3)


def test_spec_and_file_agree(session):
    spec, content = shapes_model()
    model = onnx.load_from_string(content)
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [1, 3, spec.height, spec.width]
    assert spec.contract is Contract.END2END
    assert spec.labels == LABELS
    assert [o.name for o in session.get_outputs()] == ["boxes", "scores", "labels"]
    assert "by hand" in spec.about
    assert shapes_model()[1] == content, "the same bytes each time"
    assert len(content) < 200_000
