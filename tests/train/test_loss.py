"""Training losses."""

import math

import numpy as np
import pytest

from streamdet.boxes import cxcywh_to_xyxy
from streamdet.detect.decode_ssd import ssd_candidates
from streamdet.model_spec.default_boxes import grid_boxes_cxcywh
from streamdet.models.ssd_small import SmallSsdConfig
from streamdet.train.assign import BACKGROUND, IGNORED, assign, default_boxes_of
from tests.train.sample_data import objects_of

torch = pytest.importorskip("torch", reason="training needs PyTorch")
from streamdet.train.loss import decode, overlaps, ssd_loss  # noqa: E402

CONFIG = SmallSsdConfig(("a", "b"), 160, 96)
DEFAULT_BOXES = grid_boxes_cxcywh(CONFIG.grids)
COUNT = len(DEFAULT_BOXES)
SURE = 30.0


def test_decode_equals_the_detector():
    random = np.random.default_rng(1)
    loc = random.normal(0, 2, (4, COUNT)).astype(np.float32)
    loc[2:] = loc[2:].clip(None, 6)  # larger values are clamped in training
    conf = np.zeros((2, COUNT), np.float32)
    conf[1] = SURE
    found = ssd_candidates(loc, conf, DEFAULT_BOXES, np.ones(1, np.bool_), 0.5, 160, 96)
    assert len(found.box_ids) == COUNT
    theirs = np.empty((COUNT, 4), np.float32)
    theirs[:] = found.boxes_xyxy[np.argsort(found.box_ids)]
    ours = decode(torch.from_numpy(loc)[None], torch.from_numpy(DEFAULT_BOXES))[0].numpy() * [160, 96, 160, 96]
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_decode_clamps_sizes():
    loc = torch.zeros(1, 4, 1)
    loc[0, 2:] = 1000
    box = decode(loc, torch.tensor([[0.5, 0.5, 0.1, 0.2]]))[0, 0]
    grown = math.exp(0.2 * 6)
    np.testing.assert_allclose((box[2:] - box[:2]).numpy(), [0.1 * grown, 0.2 * grown], rtol=1e-5)


@pytest.mark.parametrize(
    ("a", "b", "iou", "generalized"),
    [
        pytest.param((0, 0, 2, 2), (0, 0, 2, 2), 1, 1, id="equal"),
        pytest.param((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3, 1 / 3, id="half shifted, hull equals union"),
        pytest.param((0, 0, 2, 2), (1, 1, 3, 3), 1 / 7, 1 / 7 - 2 / 9, id="overlapping corners"),
        pytest.param((0, 0, 1, 1), (2, 0, 3, 1), 0, -1 / 3, id="disjoint"),
        pytest.param((0, 0, 1, 1), (9, 9, 10, 10), 0, -0.98, id="far apart"),
        pytest.param((0, 0, 4, 4), (1, 1, 2, 3), 1 / 8, 1 / 8, id="nested"),
        pytest.param((1, 1, 1, 1), (1, 1, 1, 1), 0, 0, id="empty"),
    ],
)
def test_overlaps(a, b, iou, generalized):
    for one, other in ((a, b), (b, a)):
        found = overlaps(torch.tensor([one], dtype=torch.float32), torch.tensor([other], dtype=torch.float32))
        assert [float(value) for value in found] == pytest.approx([iou, generalized], abs=1e-6)


def offsets_to(targets, default_boxes):
    """Returns the raw loc (4, P) that decodes to corner boxes."""
    centers, sides = (targets[:, :2] + targets[:, 2:]) / 2, targets[:, 2:] - targets[:, :2]
    moves = (centers - default_boxes[:, :2]) / default_boxes[:, 2:] / 0.1
    growths = np.log(np.maximum(sides, 1e-9) / default_boxes[:, 2:]) / 0.2
    return np.concatenate([moves, growths], axis=1).T.astype(np.float32)


class Example:
    """A picture with objects, and the outputs of a perfect network."""

    def __init__(self, objects):
        labels, targets = assign(default_boxes_of(CONFIG.grids), objects)
        self.labels, self.targets = labels, targets
        self.has_object = labels > BACKGROUND
        self.loc = np.zeros((4, COUNT), np.float32)
        self.loc[:, self.has_object] = offsets_to(targets[self.has_object], DEFAULT_BOXES[self.has_object])
        self.conf = np.zeros((3, COUNT), np.float32)
        self.conf[labels.clip(0), np.arange(COUNT)] = SURE

    def losses(self, loc=None, conf=None):
        parts = (self.loc if loc is None else loc, self.conf if conf is None else conf, self.labels, self.targets)
        scores, boxes = ssd_loss(*(torch.from_numpy(part)[None] for part in parts), torch.from_numpy(DEFAULT_BOXES))
        return float(scores), float(boxes)


BOXES = [(0.1, 0.2, 0.3, 0.8), (0.5, 0.4, 0.9, 0.7), (0.05, 0.05, 0.12, 0.12)]


def test_perfect_outputs_have_almost_no_loss():
    example = Example(objects_of(BOXES, [0, 1, 0]))
    assert example.has_object.sum() > 3
    scores, boxes = example.losses()
    assert 0 <= scores < 1e-3
    assert abs(boxes) < 1e-3


@pytest.mark.parametrize("mistake", ["another class", "background", "moved", "too large", "false positive"])
def test_mistakes_increase_the_loss(mistake):
    example = Example(objects_of(BOXES, [0, 1, 0]))
    loc, conf = example.loc.copy(), example.conf.copy()
    k = int(np.flatnonzero(example.has_object)[0])
    if mistake == "another class":
        conf[[1, 2], k] = conf[[2, 1], k]
    elif mistake == "background":
        conf[:, k] = [SURE, 0, 0]
    elif mistake == "moved":
        loc[0, k] += 4
    elif mistake == "too large":
        loc[2:, k] += 2
    else:
        conf[:, int(np.flatnonzero(~example.has_object)[5])] = [0, SURE, 0]
    best, worse = example.losses(), example.losses(loc, conf)
    assert sum(worse) > sum(best) + 0.01
    boxes_differ = mistake in ("moved", "too large")
    assert (worse[1] > best[1] + 0.001) is boxes_differ


def test_the_best_score_of_a_misplaced_box_is_neither_0_nor_1():
    """The score with the lowest loss is the IoU of the box."""
    example = Example(objects_of(BOXES[:1]))
    loc = example.loc.copy()
    loc[0, example.has_object] += 5
    losses = {}
    for score in (0.02, 0.2, 0.4, 0.6, 0.8, 0.98):
        conf = example.conf.copy()
        conf[:, example.has_object] = np.array([math.log((1 - score) / score), 0, -SURE])[:, None]
        losses[score] = example.losses(loc, conf)[0]
    best = min(losses, key=losses.get)
    assert best not in (0.02, 0.98)


def test_ignored_boxes_do_not_affect_the_loss():
    example = Example(objects_of([(0.5, 0.1, 1, 0.9), BOXES[0]], [1, 0], [True, False]))
    ignored = example.labels == IGNORED
    assert ignored.any()
    assert example.has_object.any()
    random = np.random.default_rng(2)
    loc, conf = example.loc.copy(), example.conf.copy()
    loc[:, ignored] = random.normal(0, 5, (4, ignored.sum()))
    conf[:, ignored] = random.normal(0, 9, (3, ignored.sum()))
    assert example.losses(loc, conf) == pytest.approx(example.losses(), abs=1e-7)
    tensors = [torch.from_numpy(part)[None].requires_grad_() for part in (loc, conf)]
    sum(
        ssd_loss(
            *tensors,
            *(torch.from_numpy(p)[None] for p in (example.labels, example.targets)),
            torch.from_numpy(DEFAULT_BOXES),
        )
    ).backward()
    assert all(not tensor.grad[0][:, torch.from_numpy(ignored)].any() for tensor in tensors)


def test_a_picture_without_objects():
    example = Example(objects_of([]))
    assert example.losses() == pytest.approx((0, 0), abs=1e-3)
    conf = example.conf.copy()
    conf[:, 3] = [0, SURE, 0]
    assert example.losses(conf=conf)[0] > 1


def test_zero_offsets_decode_to_the_default_boxes():
    found = decode(torch.zeros(1, 4, COUNT), torch.from_numpy(DEFAULT_BOXES))[0].numpy()
    np.testing.assert_allclose(found, cxcywh_to_xyxy(DEFAULT_BOXES), atol=1e-6)
