"""What a network is taught."""

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

PLAN = SmallSsdConfig(("a", "b"), 160, 96)
PRIORS = grid_boxes_cxcywh(PLAN.grids)
COUNT = len(PRIORS)
SURE = 30.0


def test_decodes_as_the_detector_does():
    random = np.random.default_rng(1)
    loc = random.normal(0, 2, (4, COUNT)).astype(np.float32)
    loc[2:] = loc[2:].clip(None, 6)  # what is larger is held back while learning
    conf = np.zeros((2, COUNT), np.float32)
    conf[1] = SURE
    found = ssd_candidates(loc, conf, PRIORS, np.ones(1, np.bool_), 0.5, 160, 96)
    assert len(found.box_ids) == COUNT
    theirs = np.empty((COUNT, 4), np.float32)
    theirs[:] = found.boxes_xyxy[np.argsort(found.box_ids)]
    ours = decode(torch.from_numpy(loc)[None], torch.from_numpy(PRIORS))[0].numpy() * [160, 96, 160, 96]
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_sizes_are_held_back_where_learning_would_blow_up():
    loc = torch.zeros(1, 4, 1)
    loc[0, 2:] = 1000
    box = decode(loc, torch.tensor([[0.5, 0.5, 0.1, 0.2]]))[0, 0]
    grown = math.exp(0.2 * 6)
    np.testing.assert_allclose((box[2:] - box[:2]).numpy(), [0.1 * grown, 0.2 * grown], rtol=1e-5)


@pytest.mark.parametrize(
    ("a", "b", "iou", "generalised"),
    [
        pytest.param((0, 0, 2, 2), (0, 0, 2, 2), 1, 1, id="the same"),
        pytest.param((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3, 1 / 3, id="half aside: the hull is the union"),
        pytest.param((0, 0, 2, 2), (1, 1, 3, 3), 1 / 7, 1 / 7 - 2 / 9, id="by a corner"),
        pytest.param((0, 0, 1, 1), (2, 0, 3, 1), 0, -1 / 3, id="apart"),
        pytest.param((0, 0, 1, 1), (9, 9, 10, 10), 0, -0.98, id="far apart"),
        pytest.param((0, 0, 4, 4), (1, 1, 2, 3), 1 / 8, 1 / 8, id="one in the other"),
        pytest.param((1, 1, 1, 1), (1, 1, 1, 1), 0, 0, id="nothing"),
    ],
)
def test_overlaps_by_hand(a, b, iou, generalised):
    for one, other in ((a, b), (b, a)):
        found = overlaps(torch.tensor([one], dtype=torch.float32), torch.tensor([other], dtype=torch.float32))
        assert [float(value) for value in found] == pytest.approx([iou, generalised], abs=1e-6)


def offsets_to(targets, priors):
    """The raw loc (4, P) that decodes to corner boxes."""
    centers, sides = (targets[:, :2] + targets[:, 2:]) / 2, targets[:, 2:] - targets[:, :2]
    moves = (centers - priors[:, :2]) / priors[:, 2:] / 0.1
    growths = np.log(np.maximum(sides, 1e-9) / priors[:, 2:]) / 0.2
    return np.concatenate([moves, growths], axis=1).T.astype(np.float32)


class Lesson:
    """A picture with objects, and what a network that knows everything would say of it."""

    def __init__(self, objects):
        labels, targets = assign(default_boxes_of(PLAN.grids), objects)
        self.labels, self.targets = labels, targets
        self.taught = labels > BACKGROUND
        self.loc = np.zeros((4, COUNT), np.float32)
        self.loc[:, self.taught] = offsets_to(targets[self.taught], PRIORS[self.taught])
        self.conf = np.zeros((3, COUNT), np.float32)
        self.conf[labels.clip(0), np.arange(COUNT)] = SURE

    def losses(self, loc=None, conf=None):
        parts = (self.loc if loc is None else loc, self.conf if conf is None else conf, self.labels, self.targets)
        scores, boxes = ssd_loss(*(torch.from_numpy(part)[None] for part in parts), torch.from_numpy(PRIORS))
        return float(scores), float(boxes)


BOXES = [(0.1, 0.2, 0.3, 0.8), (0.5, 0.4, 0.9, 0.7), (0.05, 0.05, 0.12, 0.12)]


def test_a_perfect_answer_costs_nearly_nothing():
    lesson = Lesson(objects_of(BOXES, [0, 1, 0]))
    assert lesson.taught.sum() > 3
    scores, boxes = lesson.losses()
    assert 0 <= scores < 1e-3
    assert abs(boxes) < 1e-3


@pytest.mark.parametrize("what", ["another class", "background", "moved", "too large", "a box too many"])
def test_whatever_is_worse_costs_more(what):
    lesson = Lesson(objects_of(BOXES, [0, 1, 0]))
    loc, conf = lesson.loc.copy(), lesson.conf.copy()
    k = int(np.flatnonzero(lesson.taught)[0])
    if what == "another class":
        conf[[1, 2], k] = conf[[2, 1], k]
    elif what == "background":
        conf[:, k] = [SURE, 0, 0]
    elif what == "moved":
        loc[0, k] += 4
    elif what == "too large":
        loc[2:, k] += 2
    else:
        conf[:, int(np.flatnonzero(~lesson.taught)[5])] = [0, SURE, 0]
    best, worse = lesson.losses(), lesson.losses(loc, conf)
    assert sum(worse) > sum(best) + 0.01
    boxes_differ = what in ("moved", "too large")
    assert (worse[1] > best[1] + 0.001) is boxes_differ


def test_a_score_should_say_how_well_the_box_fits():
    """With a box that is half right, the cheapest score is its IoU: neither certainty nor silence."""
    lesson = Lesson(objects_of(BOXES[:1]))
    loc = lesson.loc.copy()
    loc[0, lesson.taught] += 5
    losses = {}
    for score in (0.02, 0.2, 0.4, 0.6, 0.8, 0.98):
        conf = lesson.conf.copy()
        conf[:, lesson.taught] = np.array([math.log((1 - score) / score), 0, -SURE])[:, None]
        losses[score] = lesson.losses(loc, conf)[0]
    best = min(losses, key=losses.get)
    assert best not in (0.02, 0.98)


def test_what_is_ignored_does_not_matter():
    lesson = Lesson(objects_of([(0.5, 0.1, 1, 0.9), BOXES[0]], [1, 0], [True, False]))
    ignored = lesson.labels == IGNORED
    assert ignored.any()
    assert lesson.taught.any()
    random = np.random.default_rng(2)
    loc, conf = lesson.loc.copy(), lesson.conf.copy()
    loc[:, ignored] = random.normal(0, 5, (4, ignored.sum()))
    conf[:, ignored] = random.normal(0, 9, (3, ignored.sum()))
    assert lesson.losses(loc, conf) == pytest.approx(lesson.losses(), abs=1e-7)
    tensors = [torch.from_numpy(part)[None].requires_grad_() for part in (loc, conf)]
    sum(
        ssd_loss(
            *tensors, *(torch.from_numpy(p)[None] for p in (lesson.labels, lesson.targets)), torch.from_numpy(PRIORS)
        )
    ).backward()
    assert all(not tensor.grad[0][:, torch.from_numpy(ignored)].any() for tensor in tensors)


def test_a_picture_with_nothing_in_it():
    lesson = Lesson(objects_of([]))
    assert lesson.losses() == pytest.approx((0, 0), abs=1e-3)
    conf = lesson.conf.copy()
    conf[:, 3] = [0, SURE, 0]
    assert lesson.losses(conf=conf)[0] > 1


def test_the_corners_of_default_boxes_are_what_no_offset_decodes_to():
    found = decode(torch.zeros(1, 4, COUNT), torch.from_numpy(PRIORS))[0].numpy()
    np.testing.assert_allclose(found, cxcywh_to_xyxy(PRIORS), atol=1e-6)
