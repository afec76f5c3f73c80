"""The kernels of the street scene equal their numpy references."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamdet.scenes.street import camera_effects, canvas, compositing
from streamdet.scenes.street.compositing import Placement, SpriteLayers

SIZE = st.tuples(st.integers(2, 12), st.integers(2, 12))
AT = st.tuples(st.floats(-14, 14), st.floats(-14, 14)) | st.tuples(
    st.integers(-14, 14).map(float), st.integers(-14, 14).map(float)
)
SCALE = st.just(1.0) | st.floats(0.375, 2.5)
RNG = st.integers(0, 2**16).map(np.random.default_rng)


def with_holes(rng, shape):
    """Returns random values, many of them transparent, as around a figure; premultiplied: 0 where the opacity is 0."""
    values = rng.integers(0, 256, shape, np.uint8)
    values[:, (rng.random(shape[1:]) < 0.4) | (values[-1] == 0)] = 0
    return values


def layers(rng, shape):
    values = with_holes(rng, shape)
    return SpriteLayers(values, spans(values[-1]))


def spans(opacity):
    return np.array(
        [(solid[0], solid[-1] + 1) if len(solid := np.flatnonzero(row)) else (0, 0) for row in opacity], np.int32
    )


@given(SIZE, SIZE, AT, SCALE, st.integers(0, 3), st.integers(0, 1), RNG)
def test_composite_plane_equals_reference(size, sprite_size, at, scale, padding, channel, rng):
    width, height = size
    plane = rng.integers(0, 256, (height, width + padding), np.uint8)
    sprite, placement = layers(rng, (3, *sprite_size)), Placement(*at, scale)
    expected = compositing.composite_plane_reference(plane, width, sprite, channel, placement)
    compositing.composite_plane(plane, width, sprite, channel, placement)
    np.testing.assert_array_equal(plane, expected)


@given(SIZE, SIZE, AT, SCALE, st.integers(0, 3), RNG)
def test_composite_i420_equals_reference(size, sprite_size, at, scale, padding, rng):
    width, height = size
    half = (height + 1) // 2, (width + 1) // 2 + padding
    planes = [rng.integers(0, 256, shape, np.uint8) for shape in ((height, width + padding), half, half)]
    rows, columns = sprite_size
    luma, chroma = layers(rng, (2, 2 * rows, 2 * columns)), layers(rng, (3, rows, columns))
    placement = Placement(*at, scale)
    expected = compositing.composite_i420_reference(*planes, width, luma, chroma, placement)
    compositing.composite_i420(*planes, width, luma, chroma, placement)
    for plane, other in zip(planes, expected, strict=True):
        np.testing.assert_array_equal(plane, other)


@given(SIZE, SIZE, AT, SCALE, RNG)
def test_mark_figure_equals_reference(size, body_size, at, scale, rng):
    owners = rng.integers(-1, 3, size[::-1]).astype(np.int8)
    body, placement = with_holes(rng, (1, *body_size))[0], Placement(*at, scale)
    expected, expected_measures = compositing.mark_figure_reference(owners, body, placement, 7)
    measured = np.empty(6, np.int64)
    compositing.mark_figure(owners, body, placement, 7, measured)
    np.testing.assert_array_equal(owners, expected)
    np.testing.assert_array_equal(measured, expected_measures)


POINT = st.tuples(st.integers(-40, 240), st.integers(-40, 240)).map(lambda p: (p[0] / 10 + 0.05, p[1] / 10 + 0.05))


@given(
    st.lists(POINT, min_size=1, max_size=6),
    st.floats(0, 4),
    st.floats(0, 1),
    RNG,
)
def test_paint_equals_reference(points, radius, opacity, rng):
    rgba = rng.uniform(0, 1, (18, 20, 4)).astype(np.float32)
    corners, colors = np.array(points, np.float32), rng.uniform(0, 255, (2, 3)).astype(np.float32)
    expected = canvas.paint_reference(rgba, corners, radius, colors, opacity)
    canvas.paint(rgba, corners, radius, colors, opacity)
    np.testing.assert_allclose(rgba, expected, atol=2e-2)


@given(SIZE, st.integers(0, 3), st.integers(0, 256), st.sampled_from([16, 128]), RNG)
def test_apply_gain_and_noise_equals_reference(size, padding, gain, zero, rng):
    width, height = size
    plane = rng.integers(0, 256, (height, width + padding), np.uint8)
    noise, offsets = rng.integers(-127, 128, 64 + width).astype(np.int8), rng.integers(0, 64, height)
    expected = camera_effects.apply_gain_and_noise_reference(plane, width, zero, gain, noise, offsets)
    camera_effects.apply_gain_and_noise(plane, width, zero, gain, noise, offsets)
    np.testing.assert_array_equal(plane, expected)
