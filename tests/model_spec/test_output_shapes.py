"""The tensors of each output contract are found by shape, and by name where shapes are ambiguous."""

import numpy as np
import pytest

from streamdet.model_spec.output_shapes import (
    find_rows_output,
    find_separate_outputs,
    find_ssd_heads,
    find_ssd_index,
    yolox_strides,
)
from streamdet.model_spec.signature import TensorInfo


def tensor(name, *shape):
    return TensorInfo(name, shape, np.dtype(np.float32))


@pytest.mark.parametrize(("cells", "strides"), [(3549, (8, 16, 32)), (3585, (8, 16, 32, 64)), (3550, ()), (0, ())])
def test_yolox_strides(cells, strides):
    assert yolox_strides(416, 416, cells) == strides


def test_ssd_heads_are_found_by_shape():
    loc, conf = tensor("a", "n", 4, 90), tensor("b", "n", 81, 90)
    assert find_ssd_heads([conf, loc], 90) == (loc, conf)
    assert find_ssd_heads([conf, loc], 91) is None
    assert find_ssd_heads([loc], 90) is None


def test_ssd_heads_with_three_classes_are_found_by_name():
    loc, conf = tensor("loc", "n", 4, 90), tensor("conf", "n", 4, 90)
    assert find_ssd_heads([conf, loc], 90) == (loc, conf)
    assert find_ssd_heads([tensor("a", "n", 4, 90), tensor("b", "n", 4, 90)], 90) is None


def test_ssd_index():
    index = tensor("index", "n", 400)
    assert find_ssd_index([tensor("loc", "n", 4, 400), index]) is index
    assert find_ssd_index([tensor("index", 400)]) is None


def test_separate_outputs_are_found_by_name():
    names = find_separate_outputs(
        [tensor("num_dets", 1), tensor("det_scores", 1, 9), tensor("det_boxes", 1, 9, 4), tensor("det_classes", 1, 9)]
    )
    assert names == ("det_boxes", "det_scores", "det_classes")
    assert find_separate_outputs([tensor("boxes", 1, 9, 4), tensor("scores", 1, 9)]) is None


@pytest.mark.parametrize(
    ("shape", "name"), [((1, 300, 6), "rows"), (("n", 6), "rows"), ((1, 300, 7), None), ((6,), None)]
)
def test_rows_output(shape, name):
    assert find_rows_output([tensor("rows", *shape)]) == name
