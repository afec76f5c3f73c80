import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamdet.picture import Picture, PixelFormat
from streamdet.tracking.appearance import (
    APPEARANCE_SIZE,
    band_means,
    band_means_reference,
    compare_appearances,
    compare_appearances_reference,
    extract_appearances,
)

WIDTH, HEIGHT = 160, 120
boxes = arrays(np.float64, (3, 2, 2), elements=st.floats(-60, 200)).map(
    lambda corners: np.hstack([corners.min(axis=1), corners.max(axis=1)])
)


@given(
    arrays(np.uint8, (20, 48)),
    boxes,
    st.sampled_from([(40, 1, 0, 1.0), (20, 2, 1, 0.5), (16, 3, 2, 1.0)]),
)
def test_band_means_equal_reference(plane, boxes_xyxy, kind):
    width, step, first, scale = kind
    ours = band_means(plane, width, 18, step, first, boxes_xyxy, scale)
    np.testing.assert_allclose(ours, band_means_reference(plane, width, 18, step, first, boxes_xyxy, scale))


@given(
    arrays(np.float32, (4, APPEARANCE_SIZE), elements=st.floats(0, 255, width=32) | st.just(np.nan)),
    arrays(np.float32, (3, APPEARANCE_SIZE), elements=st.floats(0, 255, width=32)),
    st.integers(0, 4),
)
def test_compare_appearances_equals_reference(known, appearances, count):
    ours = compare_appearances(known, count, appearances)
    np.testing.assert_allclose(ours, compare_appearances_reference(known, count, appearances), atol=1e-6)
    assert ((ours >= 0) & (ours <= 1)).all()


def person(shirt, trousers):
    """Returns a picture of a person of 40 x 100 in front of gray, at (60, 10)."""
    bgr = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    bgr[10:60, 60:100] = shirt
    bgr[60:110, 60:100] = trousers
    return bgr


BOX = np.array([[60, 10, 100, 110]], np.float32)
RED, BLUE, GREEN = (30, 30, 200), (200, 30, 30), (40, 180, 40)


def in_format(bgr, format):
    picture = Picture.from_bgr(bgr)
    if format is PixelFormat.BGR24:
        return picture
    i420 = picture.copy(PixelFormat.I420)
    if format is PixelFormat.I420:
        return i420
    luma, u, v = (i420.visible(k) for k in range(3))
    chroma = np.stack([u, v], axis=2).reshape(len(u), -1)
    return Picture(WIDTH, HEIGHT, PixelFormat.NV12, (np.ascontiguousarray(luma), chroma), i420.color)


@pytest.mark.parametrize("format", list(PixelFormat))
def test_clothes_of_different_colors_differ_in_every_format(format):
    alike, *others = (
        compare_appearances(
            extract_appearances(in_format(person(RED, BLUE), format), BOX),
            1,
            extract_appearances(in_format(other, format), BOX),
        )[0, 0]
        for other in (person(RED, BLUE), person(BLUE, RED), person(RED, GREEN), person(GREEN, BLUE))
    )
    assert alike > 0.99
    assert max(others) < 0.2


def test_a_small_illumination_change_keeps_the_appearance():
    clothed = person((90, 110, 150), (120, 90, 80))
    dim = (clothed * 0.85).astype(np.uint8)
    appearances = [extract_appearances(in_format(bgr, PixelFormat.I420), BOX) for bgr in (clothed, dim)]
    assert compare_appearances(appearances[0], 1, appearances[1])[0, 0] > 0.7


def test_only_boxes_with_samples_in_both_halves_have_an_appearance():
    picture = in_format(person(RED, BLUE), PixelFormat.I420)
    half, out, far = extract_appearances(
        picture, np.array([[140, 60, 180, 160], [200, 0, 220, 20], [-1e6, 0, 1e6, 1e6]], np.float32)
    )
    assert np.isfinite(half).all()
    assert np.isnan(out).all()
    assert np.isnan(far).all()  # all of its samples are outside
    (legs_out,) = extract_appearances(picture, np.array([[60, 60, 100, 190]], np.float32))
    assert np.isnan(legs_out).all()
    assert extract_appearances(picture, np.empty((0, 4), np.float32)).shape == (0, APPEARANCE_SIZE)


def test_an_unknown_appearance_is_similar_to_everything():
    unknown = np.full((1, APPEARANCE_SIZE), np.nan, np.float32)
    appearance = extract_appearances(in_format(person(RED, BLUE), PixelFormat.I420), BOX)
    assert compare_appearances(unknown, 1, appearance)[0, 0] == compare_appearances(appearance, 1, unknown)[0, 0] == 1
