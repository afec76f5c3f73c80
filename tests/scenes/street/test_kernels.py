"""The kernels behind the street equal their numpy references."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamdet.scenes.street import camera_effects, canvas, compositing

SIZE = st.tuples(st.integers(2, 12), st.integers(2, 12))
AT = st.tuples(st.floats(-14, 14), st.floats(-14, 14)) | st.tuples(
    st.integers(-14, 14).map(float), st.integers(-14, 14).map(float)
)
SCALE = st.just(1.0) | st.floats(0.375, 2.5)
RNG = st.integers(0, 2**16).map(np.random.default_rng)


def holed(rng, shape):
    """Random values of which many are clear, as around a figure."""
    values = rng.integers(0, 256, shape, np.uint8)
    values[:, rng.random(shape[1:]) < 0.4] = 0
    return values


def spans(opacity):
    return np.array(
        [(solid[0], solid[-1] + 1) if len(solid := np.flatnonzero(row)) else (0, 0) for row in opacity], np.int32
    )


@given(SIZE, SIZE, AT, SCALE, st.integers(0, 3), st.integers(0, 1), RNG)
def test_laying_a_sprite(size, sprite_size, at, scale, padding, channel, rng):
    width, height = size
    plane = rng.integers(0, 256, (height, width + padding), np.uint8)
    sprite = holed(rng, (3, *sprite_size))
    expected = compositing.lay_plane_reference(plane, width, sprite, channel, *at, scale)
    compositing.lay_plane(plane, width, sprite, channel, spans(sprite[-1]), *at, scale)
    np.testing.assert_array_equal(plane, expected)


@given(SIZE, SIZE, AT, SCALE, RNG)
def test_owning(size, body_size, at, scale, rng):
    owners = rng.integers(-1, 3, size[::-1]).astype(np.int8)
    body = holed(rng, (1, *body_size))[0]
    expected, measured = compositing.own_reference(owners, body, *at, scale, 7)
    found = np.empty(6, np.int64)
    compositing.own(owners, body, *at, scale, 7, found)
    np.testing.assert_array_equal(owners, expected)
    np.testing.assert_array_equal(found, measured)


POINT = st.tuples(st.integers(-40, 240), st.integers(-40, 240)).map(lambda p: (p[0] / 10 + 0.05, p[1] / 10 + 0.05))


@given(
    st.lists(POINT, min_size=1, max_size=6),
    st.floats(0, 4),
    st.floats(0, 1),
    RNG,
)
def test_painting(points, radius, opacity, rng):
    rgba = rng.uniform(0, 1, (18, 20, 4)).astype(np.float32)
    corners, colors = np.array(points, np.float32), rng.uniform(0, 255, (2, 3)).astype(np.float32)
    expected = canvas.paint_reference(rgba, corners, radius, colors, opacity)
    canvas.paint(rgba, corners, radius, colors, opacity)
    np.testing.assert_allclose(rgba, expected, atol=2e-2)


@given(SIZE, st.integers(0, 3), st.integers(0, 256), st.sampled_from([16, 128]), RNG)
def test_grading(size, padding, gain, zero, rng):
    width, height = size
    plane = rng.integers(0, 256, (height, width + padding), np.uint8)
    noise, offsets = rng.integers(-127, 128, 64 + width).astype(np.int8), rng.integers(0, 64, height)
    expected = camera_effects.grade_reference(plane, width, zero, gain, noise, offsets)
    camera_effects.grade(plane, width, zero, gain, noise, offsets)
    np.testing.assert_array_equal(plane, expected)
