"""The kernels of `synthetic:shapes` equal their numpy references."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamdet.scenes import shapes, shapes_art

SIZE = st.tuples(st.integers(1, 12), st.integers(1, 12))
AT = st.tuples(st.integers(-14, 14), st.integers(-14, 14))
RNG = st.integers(0, 2**16).map(np.random.default_rng)


@given(SIZE, st.integers(0, 3), RNG)
def test_add_noise_equals_reference(size, padding, rng):
    width, height = size
    y = rng.integers(0, 256, (height, width + padding), np.uint8)
    noise, offsets = rng.integers(-127, 128, 64 + width).astype(np.int8), rng.integers(0, 64, height)
    expected = shapes.add_noise_reference(y, width, noise, offsets)
    shapes.add_noise(y, width, noise, offsets)
    np.testing.assert_array_equal(y, expected)


@given(SIZE, SIZE, AT, RNG)
def test_mark_owner_equals_reference(size, body_size, at, rng):
    owners = rng.integers(-1, 3, size[::-1]).astype(np.int8)
    body = rng.random(body_size) < 0.6
    expected = shapes.mark_owner_reference(owners, body, *at, 7)
    shapes.mark_owner(owners, body, *at, 7)
    np.testing.assert_array_equal(owners, expected)


@given(SIZE, RNG)
def test_owner_extents_equals_reference(size, rng):
    owners = rng.choice(np.array([-1, -1, -1, 0, 2, 3], np.int8), size[::-1])
    extents = np.empty((5, 5), np.int64)
    shapes.owner_extents(owners, extents)
    np.testing.assert_array_equal(extents, shapes.owner_extents_reference(owners, 5))


@given(SIZE, SIZE, AT, st.integers(0, 3), RNG)
def test_blit_plane_equals_reference(size, sprite_size, at, padding, rng):
    width, height = size
    plane = rng.integers(0, 256, (height, width + padding), np.uint8)
    sprite = rng.integers(0, 256, (*sprite_size, 2), np.uint8)
    expected = shapes_art.blit_plane_reference(plane, width, height, sprite, *at)
    shapes_art.blit_plane(plane, width, height, sprite, *at)
    np.testing.assert_array_equal(plane, expected)
