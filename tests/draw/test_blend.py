"""Every kernel that writes pixels equals its numpy reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.draw import blend

BYTE = st.integers(0, 255)
INK = st.tuples(BYTE, BYTE, BYTE)
ALPHA = st.sampled_from([0, 1, 77, 128, 255, 256])
SIZE = st.tuples(st.integers(1, 13), st.integers(1, 13))
AT = st.tuples(st.integers(-16, 16), st.integers(-16, 16))
SEED = st.integers(0, 2**16)


def planes_of(size, seed, padding=0):
    """Returns I420 planes of noise, lines `padding` longer than the picture is wide."""
    width, height = size
    rng = np.random.default_rng(seed)
    shapes = [(height, width), ((height + 1) // 2, (width + 1) // 2), ((height + 1) // 2, (width + 1) // 2)]
    return tuple(rng.integers(0, 256, (rows, columns + padding), np.uint8) for rows, columns in shapes)


def cut(planes, size):
    width, _ = size
    widths = (width, (width + 1) // 2, (width + 1) // 2)
    return tuple(np.ascontiguousarray(plane[:, :columns]) for plane, columns in zip(planes, widths, strict=True))


def mask_of(size, seed):
    rng = np.random.default_rng(seed + 1)
    mask = rng.integers(0, 256, (size[1], size[0]), np.uint8)
    return np.where(rng.random(mask.shape) < 0.5, rng.choice([0, 255], mask.shape), mask).astype(np.uint8)


@given(SIZE, SIZE, AT, INK, ALPHA, SEED, st.integers(0, 3))
def test_stamp_i420_equals_its_reference(size, mask_size, at, ink, alpha, seed, padding):
    planes, mask = planes_of(size, seed, padding), mask_of(mask_size, seed)
    beyond = [plane[:, plane.shape[1] - padding :].copy() for plane in planes]
    expected = blend.stamp_i420_reference(cut(planes, size), mask, at, (*ink, alpha))
    blend.stamp_i420(planes, size, mask, blend.full_spans(*mask.shape), at, (*ink, alpha))
    for plane, wanted in zip(cut(planes, size), expected, strict=True):
        np.testing.assert_array_equal(plane, wanted)
    for plane, kept in zip(planes, beyond, strict=True):
        np.testing.assert_array_equal(plane[:, plane.shape[1] - padding :], kept)


@given(SIZE, SIZE, AT, INK, ALPHA, SEED)
def test_stamp_bgr_equals_its_reference(size, mask_size, at, ink, alpha, seed):
    width, height = size
    bgr, mask = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8), mask_of(mask_size, seed)
    expected = blend.stamp_bgr_reference(bgr, mask, at, (*ink, alpha))
    spans = blend.full_spans(*mask.shape)
    blend.stamp_bgr(bgr.reshape(height, 3 * width), size, mask, spans, at, (*ink, alpha))
    np.testing.assert_array_equal(bgr, expected)


RECT = st.tuples(st.integers(-9, 18), st.integers(-9, 18), st.integers(0, 14), st.integers(0, 14))


def border_mask(width, height, thickness):
    mask = np.full((height, width), 255, np.uint8)
    if width > 2 * thickness and height > 2 * thickness:
        mask[thickness : height - thickness, thickness : width - thickness] = 0
    return mask


@given(SIZE, RECT, INK, ALPHA, SEED)
def test_fill_equals_a_full_stamp(size, rect, ink, alpha, seed):
    left, top, width, height = rect
    planes, mask = planes_of(size, seed), np.full((height, width), 255, np.uint8)
    edges = left, top, left + width, top + height
    expected = blend.stamp_i420_reference(planes, mask, (left, top), (*ink, alpha))
    blend.fill_i420(planes, size, edges, (*ink, alpha))
    for plane, wanted in zip(planes, expected, strict=True):
        np.testing.assert_array_equal(plane, wanted)
    bgr = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    wanted = blend.stamp_bgr_reference(bgr, mask, (left, top), (*ink, alpha))
    blend.fill_bgr(bgr.reshape(size[1], 3 * size[0]), size, edges, (*ink, alpha))
    np.testing.assert_array_equal(bgr, wanted)


@given(SIZE, RECT, st.integers(1, 5), INK, ALPHA, SEED)
def test_outline_covers_the_border_once(size, rect, thickness, ink, alpha, seed):
    left, top, width, height = rect
    mask = border_mask(width, height, thickness)
    bgr = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    wanted = blend.stamp_bgr_reference(bgr, mask, (left, top), (*ink, alpha))
    edges = left, top, left + width, top + height
    blend.outline_bgr(bgr.reshape(size[1], 3 * size[0]), size, edges, thickness, (*ink, alpha))
    np.testing.assert_array_equal(bgr, wanted)
    planes = planes_of(size, seed)
    luma, _, _ = blend.stamp_i420_reference(planes, mask, (left, top), (*ink, alpha))
    blend.outline_i420(planes, size, edges, thickness, (*ink, alpha))
    np.testing.assert_array_equal(planes[0], luma)


@given(SIZE, RECT, st.integers(1, 5), INK, ALPHA, SEED)
def test_outline_equals_stamps_of_its_four_sides(size, rect, thickness, ink, alpha, seed):
    """Two sides may share a chroma sample; each blends it for its own pixels."""
    left, top, width, height = rect
    planes = planes_of(size, seed)
    high, rest = min(thickness, height), max(height - 2 * thickness, 0)
    wide, low = min(thickness, width), min(max(height - thickness, 0), thickness)
    sides = [
        (left, top, width, high),
        (left, top + max(height - thickness, thickness), width, low),
        (left, top + thickness, wide, rest),
        (left + max(width - thickness, thickness), top + thickness, min(max(width - thickness, 0), thickness), rest),
    ]
    expected = planes
    for x, y, columns, rows in sides:
        mask = np.full((rows, columns), 255, np.uint8)
        expected = blend.stamp_i420_reference(expected, mask, (x, y), (*ink, alpha))
    blend.outline_i420(planes, size, (left, top, left + width, top + height), thickness, (*ink, alpha))
    for plane, wanted in zip(planes, expected, strict=True):
        np.testing.assert_array_equal(plane, wanted)


@given(SIZE, st.tuples(*[st.integers(-4, 8)] * 2, *[st.integers(0, 7)] * 2), st.sampled_from([2, 4]), INK, SEED)
def test_outline_on_whole_chroma_samples_equals_one_stamp(size, rect, thickness, ink, seed):
    left, top, width, height = (2 * value for value in rect)
    planes = planes_of(size, seed)
    mask = border_mask(width, height, thickness)
    expected = blend.stamp_i420_reference(planes, mask, (left, top), (*ink, 256))
    blend.outline_i420(planes, size, (left, top, left + width, top + height), thickness, (*ink, 256))
    for plane, wanted in zip(planes, expected, strict=True):
        np.testing.assert_array_equal(plane, wanted)


@given(SIZE, SIZE, AT, INK, ALPHA, SEED)
def test_spans_skip_only_uncovered_columns(size, mask_size, at, ink, alpha, seed):
    rng = np.random.default_rng(seed)
    mask, spans = mask_of(mask_size, seed), np.sort(rng.integers(0, mask_size[0] + 1, (mask_size[1], 2)), axis=1)
    for row, (start, end) in enumerate(spans):
        mask[row, :start] = mask[row, end:] = 0
    planes = planes_of(size, seed)
    expected = blend.stamp_i420_reference(planes, mask, at, (*ink, alpha))
    blend.stamp_i420(planes, size, mask, spans, at, (*ink, alpha))
    for plane, wanted in zip(planes, expected, strict=True):
        np.testing.assert_array_equal(plane, wanted)


@pytest.mark.parametrize("at", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_chroma_takes_the_covered_share_of_its_pixels(at):
    y, u, v = np.zeros((4, 4), np.uint8), np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8)
    blend.fill_i420((y, u, v), (4, 4), (*at, at[0] + 1, at[1] + 1), (200, 200, 100, 256))
    assert y[at[1], at[0]] == 200
    assert y.sum() == 200
    assert u.tolist() == [[50, 0], [0, 0]]
    assert v.tolist() == [[25, 0], [0, 0]]
