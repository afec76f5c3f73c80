"""The built-in detector end to end: pre-processing from I420, session and decoding."""

import numpy as np
import pytest

from streamdet.models.shapes_detector import shapes_model
from streamdet.scenes.shapes import LABELS, ShapesOptions, ShapesScene

detector = pytest.importorskip("streamdet.inference.detector", reason="detection is not part of this tree")


def matched(truth, found):
    """Returns for each true object its best IoU with a detection of its class."""
    low = np.maximum(truth.boxes_xyxy[:, None, :2], found.boxes_xyxy[None, :, :2])
    high = np.minimum(truth.boxes_xyxy[:, None, 2:], found.boxes_xyxy[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(d.boxes_xyxy[:, 2:] - d.boxes_xyxy[:, :2]).prod(axis=1) for d in (truth, found)]
    iou = shared / (areas[0][:, None] + areas[1][None] - shared)
    return (iou * (truth.class_ids[:, None] == found.class_ids[None])).max(axis=1, initial=0)


@pytest.mark.parametrize("size", [(1280, 720), (320, 240), (1920, 1080)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_finds_the_scene(size):
    from streamdet.inference.session import Session

    spec, content = shapes_model()
    scene = ShapesScene(ShapesOptions(width=size[0], height=size[1]))
    ours = detector.ModelDetector(spec, Session(content, provider="cpu"), detector.DetectorOptions())
    found, seen, counted = 0, 0, 0
    try:
        for index in range(0, 300, 10):
            truth = scene.ground_truth(index)
            (answer,) = ours.detect([scene.render(index)])
            well = truth.scores >= 0.6
            seen += int(well.sum())
            found += int((matched(truth[well], answer.detections) >= 0.7).sum())
            counted += len(answer.detections) - len(truth)
            assert answer.detections.labels == LABELS
    finally:
        ours.close()
    assert seen > 100
    assert found >= 0.98 * seen
    assert counted <= 0.03 * seen
