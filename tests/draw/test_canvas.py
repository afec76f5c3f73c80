"""The same drawing looks the same on I420 and on BGR, in every color space."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.color import ColorSpace, Matrix
from streamdet.draw.canvas import canvas_for
from streamdet.picture import Picture, PixelFormat

SPACES = [ColorSpace(matrix, full) for matrix in (Matrix.BT601, Matrix.BT709) for full in (False, True)]
NAMES = [f"{space.matrix.name}-{'full' if space.full_range else 'limited'}" for space in SPACES]


def gray(format, color=SPACES[0], size=(64, 48)):
    width, height = size
    return Picture.from_bgr(np.full((height, width, 3), 90, np.uint8), color).copy(format)


@pytest.mark.parametrize("color", SPACES, ids=NAMES)
@pytest.mark.parametrize("rgb", [(255, 0, 0), (20, 200, 60), (255, 255, 255), (12, 14, 18), (120, 90, 250)])
@pytest.mark.parametrize("format", [PixelFormat.I420, PixelFormat.BGR24])
def test_a_color_is_what_was_asked_for(color, rgb, format):
    picture = gray(format, color)
    canvas = canvas_for(picture)
    canvas.fill((8, 8, 24, 24), rgb)
    canvas.outline((30, 10, 60, 40), 4, rgb)
    bgr = picture.bgr().astype(int)
    for x, y in ((8, 8), (23, 23), (31, 11), (58, 38)):
        assert np.abs(bgr[y, x, ::-1] - rgb).max() <= 3, f"at {x}, {y}"
    for x, y in ((24, 24), (7, 8), (45, 25), (29, 20), (61, 41)):
        assert np.abs(bgr[y, x] - 90).max() <= 2, f"at {x}, {y}"


@given(
    st.integers(-20, 70), st.integers(-20, 60), st.integers(0, 40), st.integers(0, 40), st.sampled_from([0.3, 0.6, 1.0])
)
def test_both_formats_agree_in_luma(left, top, width, height, alpha):
    lumas = []
    for format in (PixelFormat.I420, PixelFormat.BGR24):
        picture = gray(format)
        canvas = canvas_for(picture)
        canvas.fill((left, top, left + width, top + height), (250, 40, 60), alpha)
        canvas.outline((left, top, left + width, top + height), 2, (40, 90, 240), alpha)
        path = np.array([[left, top, 2.0, 1.0], [left + width, top + height, 3.0, 0.5]], np.float64)
        canvas.stroke(path, (10, 240, 30), alpha)
        lumas.append(picture.copy(PixelFormat.I420).visible(0).astype(int))
    assert np.abs(lumas[0] - lumas[1]).max() <= 3


def test_a_bgr_view_taken_before_drawing_does_not_hide_it():
    picture = gray(PixelFormat.I420)
    picture.bgr()
    canvas_for(picture).fill((0, 0, 64, 48), (255, 255, 255))
    assert picture.bgr().min() > 250


@pytest.mark.parametrize(
    "path",
    [
        pytest.param([[np.nan, 1, 1, 1], [5, 5, 1, 1]], id="nan"),
        pytest.param([[np.inf, 1, 1, 1], [5, 5, 1, 1], [9, 9, 1, 1]], id="infinite"),
        pytest.param([[1e12, 1, 1, 1], [5, 5, 1, 1]], id="far away"),
        pytest.param([[5, 5, 1, 1]], id="one point"),
        pytest.param([], id="no point"),
        pytest.param([[-50, -40, 2, 1], [-20, -40, 2, 1]], id="outside"),
        pytest.param([[5, 5, 1, 1], [5, 5, 1, 1]], id="no length"),
    ],
)
def test_stroke_takes_any_path(path):
    canvas_for(gray(PixelFormat.I420)).stroke(np.array(path, np.float64).reshape(-1, 4), (255, 0, 0))


@pytest.mark.parametrize("kind", ["nv12", "read-only"])
def test_the_error_for_a_read_only_picture_names_the_fix(kind):
    if kind == "nv12":
        picture = Picture.allocate(16, 16, PixelFormat.NV12, SPACES[0])
    else:
        picture = gray(PixelFormat.BGR24)
        picture.planes[0].flags.writeable = False
    with pytest.raises(ValueError, match=r"draw on picture\.copy"):
        canvas_for(picture)
