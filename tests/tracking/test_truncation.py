import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.tracking.live_mover import LiveMover
from streamdet.tracking.truncation import MAX_WIDENING, AspectRatios, touched_borders

from .moving_pictures import SIZE, Thing, iou, picture, tracks

WIDTH, HEIGHT = SIZE
FPS = 15.0


def boxes(*rows):
    return np.array(rows, np.float64).reshape(-1, 4)


def classes(*ids):
    return np.array(ids, np.int32)


def shapes_of(shape, class_id=0):
    shapes = AspectRatios()
    shapes.learn(boxes((100, 100, 100 + 100 * shape, 200)), classes(class_id), WIDTH, HEIGHT)
    return shapes


def seen(thing, k):
    return np.clip(thing.at(k), 0, [*SIZE, *SIZE])


@pytest.mark.parametrize(
    ("thing", "side"),
    [(Thing((590, 80, 690, 280), (-6.0, 0.0)), "right"), (Thing((-50, 80, 50, 280), (6.0, 0.0)), "left")],
    ids=["from the right", "from the left"],
)
def test_an_object_that_enters_keeps_its_edge_at_the_border_until_it_is_inside(thing, side):
    other = Thing((300, 60, 380, 220), seed=2)
    mover = LiveMover()
    for k in range(15):
        mover.observe(picture(k, [other, thing], noise=1.0), k / FPS)
    mover.update(tracks([seen(other, 0), seen(thing, 0)]), 0.0)
    shown = mover.show(14 / FPS)
    box = shown.boxes_xyxy[shown.track_ids == 2][0]
    assert iou(box, seen(thing, 14)) > 0.8
    assert box[2] - box[0] > 1.5 * (seen(thing, 0)[2] - seen(thing, 0)[0])


def test_a_truncated_box_is_shown_as_detected_on_its_own_frame():
    thing, other = Thing((600, 80, 700, 280)), Thing((300, 60, 380, 220), seed=2)
    mover = LiveMover()
    mover.observe(picture(0, [other, thing]), 0.0)
    mover.update(tracks([seen(other, 0), seen(thing, 0)]), 0.0)
    np.testing.assert_allclose(mover.show(0.0).boxes_xyxy[1], seen(thing, 0))


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((600, 100, 640, 200), (600, 100, 650, 200)),
        ((0, 100, 40, 200), (-10, 100, 40, 200)),
        ((639, 100, 640, 200), (639, 100, 639 + MAX_WIDENING, 200)),
        ((560, 100, 640, 200), (560, 100, 640, 200)),
        ((0, 100, 640, 360), (0, 100, 640, 360)),
        ((100, 0, 120, 200), (100, 0, 120, 200)),
    ],
    ids=["right", "left", "barely visible", "wide enough", "both sides", "only the top"],
)
def test_a_truncated_box_gets_the_width_of_its_class(box, expected):
    whole = shapes_of(0.5).completed(boxes(box), classes(0), WIDTH, HEIGHT)
    np.testing.assert_allclose(whole[0], expected)


def test_a_class_without_complete_boxes_is_not_widened():
    shapes = shapes_of(0.5)
    cut = boxes((620, 100, 640, 200))
    shapes.learn(cut, classes(7), WIDTH, HEIGHT)
    np.testing.assert_array_equal(shapes.completed(cut, classes(7), WIDTH, HEIGHT), cut)


def test_aspect_ratios_adapt_slowly():
    shapes = shapes_of(0.5)
    wide = boxes((100, 100, 200, 200))
    cut = boxes((620, 100, 640, 200))
    widths = []
    for _ in range(100):
        shapes.learn(wide, classes(0), WIDTH, HEIGHT)
        left, _, right, _ = shapes.completed(cut, classes(0), WIDTH, HEIGHT)[0]
        widths.append(right - left)
    assert widths[0] < 55
    assert widths == sorted(widths)
    assert widths[-1] == pytest.approx(MAX_WIDENING * 20)


@given(
    st.lists(st.tuples(*[st.floats(-50, 700)] * 4), max_size=6),
    st.floats(0.1, 3.0),
    st.lists(st.integers(0, 2), min_size=6, max_size=6),
)
def test_completion_only_adds_beyond_the_border(rows, shape, ids):
    given_boxes = boxes(*[(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in rows])
    whole = shapes_of(shape).completed(given_boxes, classes(*ids[: len(rows)]), WIDTH, HEIGHT)
    left, _, right, _ = touched_borders(given_boxes, WIDTH, HEIGHT)
    np.testing.assert_array_equal(whole[:, [1, 3]], given_boxes[:, [1, 3]])
    np.testing.assert_array_equal(whole[~left, 0], given_boxes[~left, 0])
    np.testing.assert_array_equal(whole[~right, 2], given_boxes[~right, 2])
    assert (whole[:, 0] <= given_boxes[:, 0]).all()
    assert (whole[:, 2] >= given_boxes[:, 2]).all()
    grown = whole[:, 2] - whole[:, 0]
    assert (grown <= MAX_WIDENING * (given_boxes[:, 2] - given_boxes[:, 0]) + 1e-6).all()
