"""Pictures: conversion, copies, crops, and kernels against their numpy references."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.color import (
    ColorSpace,
    Matrix,
    bgr_to_i420,
    bgr_to_i420_reference,
    i420_to_bgr,
    i420_to_bgr_reference,
)
from streamdet.picture import Picture, PixelFormat, plane_shapes

colors = st.builds(ColorSpace, st.sampled_from(Matrix), st.booleans())
sizes = st.tuples(st.integers(1, 33), st.integers(1, 17))


def random_planes(seed, format, width, height, padding=0):
    rng = np.random.default_rng(seed)
    shapes = plane_shapes(format, width, height)
    return tuple(rng.integers(0, 256, (rows, line + padding), np.uint8) for rows, line in shapes)


@given(st.integers(0, 2**32), sizes, st.integers(0, 5), colors)
def test_i420_to_bgr_equals_reference(seed, size, padding, color):
    y, u, v = random_planes(seed, PixelFormat.I420, *size, padding)
    out = np.empty((size[1], 3 * size[0]), np.uint8)
    i420_to_bgr(y, u, v, *size, color.yuv_to_rgb(), out)
    expected = i420_to_bgr_reference(y, u, v, *size, color.yuv_to_rgb())
    assert np.abs(out.astype(int) - expected).max() <= 1


@given(st.integers(0, 2**32), sizes, st.integers(0, 5), colors)
def test_bgr_to_i420_equals_reference(seed, size, padding, color):
    width, height = size
    (bgr,) = random_planes(seed, PixelFormat.BGR24, width, height, padding)
    planes = tuple(np.zeros(shape, np.uint8) for shape in plane_shapes(PixelFormat.I420, width, height))
    bgr_to_i420(bgr, width, height, color.rgb_to_yuv(), *planes)
    expected = bgr_to_i420_reference(bgr, width, height, color.rgb_to_yuv())
    for plane, reference in zip(planes, expected, strict=True):
        assert np.abs(plane.astype(int) - reference).max() <= 1


@pytest.mark.parametrize("color", [ColorSpace(m, r) for m in Matrix for r in (False, True)], ids=str)
def test_uniform_colors_survive_the_round_trip(color):
    for bgr in [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (12, 200, 90)]:
        picture = Picture.from_bgr(np.full((6, 8, 3), bgr, np.uint8), color)
        back = picture.copy(PixelFormat.I420).bgr()
        assert np.abs(back.astype(int) - bgr).max() <= 3


@pytest.mark.parametrize("format", list(PixelFormat))
def test_a_copy_shares_no_memory(format):
    picture = Picture(9, 5, format, random_planes(1, format, 9, 5, 3), ColorSpace(Matrix.BT709))
    copied = picture.copy()
    for plane in range(len(picture.planes)):
        np.testing.assert_array_equal(copied.visible(plane), picture.visible(plane))
        assert not np.shares_memory(copied.planes[plane], picture.planes[plane])
    assert copied.to_av() is copied.owner
    assert copied.color == picture.color


def test_nv12_and_i420_with_the_same_samples_have_the_same_bgr():
    y, u, v = random_planes(2, PixelFormat.I420, 9, 5)
    i420 = Picture(9, 5, PixelFormat.I420, (y, u, v))
    nv12 = Picture(9, 5, PixelFormat.NV12, (y, np.stack([u, v], -1).reshape(3, 10)))
    np.testing.assert_array_equal(i420.bgr(), nv12.bgr())
    np.testing.assert_array_equal(nv12.copy(PixelFormat.I420).visible(2), v)


def test_planes_of_a_wrong_shape_are_refused():
    with pytest.raises(ValueError, match="I420 4x4 needs C-contiguous uint8 planes"):
        Picture(4, 4, PixelFormat.I420, (np.zeros((4, 3), np.uint8),) * 3)


@given(st.sampled_from(PixelFormat), st.integers(1, 40), st.integers(1, 40), st.integers(0, 9), st.data())
def test_a_crop_has_the_pixels_of_the_picture(format, width, height, padding, data):
    picture = Picture(width, height, format, random_planes(width * 100 + height, format, width, height, padding))
    left = 2 * data.draw(st.integers(0, (width - 1) // 2))
    top = 2 * data.draw(st.integers(0, (height - 1) // 2))
    right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    cropped = picture.crop(left, top, right, bottom)
    assert (cropped.width, cropped.height) == (right - left, bottom - top)
    np.testing.assert_array_equal(cropped.bgr(), picture.bgr()[top:bottom, left:right])
    copied = cropped.copy(PixelFormat.BGR24 if format is PixelFormat.BGR24 else PixelFormat.I420)
    assert (copied.width, copied.height) == (cropped.width, cropped.height)
    assert cropped.to_av().width == cropped.width  # not that of the picture


def test_a_crop_shares_memory_and_keeps_it_alive():
    picture = Picture.allocate(64, 48, PixelFormat.I420, ColorSpace())
    cropped = picture.crop(8, 8, 40, 40)
    assert all(np.shares_memory(a, b) for a, b in zip(cropped.planes, picture.planes, strict=True))
    assert cropped.owner is picture


@pytest.mark.parametrize("edges", [(1, 0, 8, 8), (0, 3, 8, 8), (0, 0, 65, 8), (8, 0, 8, 8), (-2, 0, 8, 8)])
def test_impossible_crops_are_refused(edges):
    with pytest.raises(ValueError, match="a crop must start on even pixels"):
        Picture.allocate(64, 48, PixelFormat.I420, ColorSpace()).crop(*edges)
