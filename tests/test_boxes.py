import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from streamdet.boxes import area, clip, cxcywh_to_xyxy, pairwise_iou

corners = hnp.arrays(np.float32, st.tuples(st.integers(0, 5), st.just(4)), elements=st.floats(-50, 50, width=32))


@given(first=corners, second=corners)
def test_iou(first, second):
    iou = pairwise_iou(first, second)
    assert iou.shape == (len(first), len(second))
    assert ((iou >= 0) & (iou <= 1 + 1e-5)).all()
    np.testing.assert_allclose(iou, pairwise_iou(second, first).T, atol=1e-5)
    own = pairwise_iou(first, first).diagonal()
    np.testing.assert_allclose(own[area(first) > 1e-3], 1, atol=1e-5)


@given(boxes=corners)
def test_clip(boxes):
    inside = clip(boxes, 20, 10)
    assert ((inside >= 0) & (inside <= [20, 10, 20, 10])).all()
    np.testing.assert_array_equal(clip(inside, 20, 10), inside)


@given(boxes=corners)
def test_center_and_size(boxes):
    xyxy = cxcywh_to_xyxy(boxes)
    np.testing.assert_allclose((xyxy[:, :2] + xyxy[:, 2:]) / 2, boxes[:, :2], atol=1e-4)
    np.testing.assert_allclose(xyxy[:, 2:] - xyxy[:, :2], boxes[:, 2:], atol=1e-4)
