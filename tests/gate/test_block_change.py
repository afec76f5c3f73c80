import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.gate.block_change import changed_blocks, changed_blocks_reference
from streamdet.tracking.pyramid import shrink


def test_sums_of_the_largest_blocks_do_not_overflow():
    assert shrink(np.full((256, 256), 255, np.uint8), 256, 256, 128, 1, 0).tolist() == [[255.0, 255.0], [255.0, 255.0]]


@given(st.integers(0, 10**6), st.floats(0, 3), st.floats(0.8, 1.2), st.floats(-15, 15), st.integers(0, 3))
def test_changed_blocks_equals_its_reference(seed, noise, gain, offset, things):
    """On eighths of gray levels, which both sum exactly."""
    random = np.random.default_rng(seed)
    before = (random.integers(20, 230, (18, 32)) + random.integers(0, 8, (18, 32)) / 8).astype(np.float32)
    now = gain * before + offset + random.normal(0, noise, before.shape)
    for _ in range(things):
        row, column = random.integers(0, 14), random.integers(0, 28)
        now[row : row + 3, column : column + 3] += random.choice([-40, 40])
    now = (np.round(8 * now) / 8).astype(np.float32)
    assert abs(changed_blocks(now, before) - changed_blocks_reference(now, before)) <= 1  # one on the very threshold


def scene(seed=1):
    """Something with dark and bright parts, as block means."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:90, :160]
    return (110 + 60 * np.sin(columns / 17) + 30 * np.cos(rows / 9) + random.normal(0, 8, (90, 160))).astype(np.float32)


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.5, 3.0])
@pytest.mark.parametrize(("gain", "offset"), [(1, 0), (0.97, 0), (1.05, 0), (1, 6), (1, -6), (0.9, 8)])
def test_noise_and_illumination_are_no_change(noise, gain, offset):
    random = np.random.default_rng(5)
    before, now = scene(), gain * scene() + offset
    for picture in (before, now):
        picture += random.normal(0, noise, picture.shape).astype(np.float32)
    assert changed_blocks(now.astype(np.float32), before) == 0


@pytest.mark.parametrize(
    ("contrast", "noise", "gain"), [(6, 0.3, 1), (-6, 0.3, 1), (20, 1.5, 1), (-20, 1.5, 0.95), (30, 3.0, 1.05)]
)
def test_a_small_object_is_found_despite_noise_and_illumination(contrast, noise, gain):
    random = np.random.default_rng(5)
    before = scene() + random.normal(0, noise, (90, 160)).astype(np.float32)
    now = gain * scene() + random.normal(0, noise, (90, 160)).astype(np.float32)
    now[40:42, 70:72] += contrast
    assert changed_blocks(now.astype(np.float32), before.astype(np.float32)) >= 2


def test_a_change_of_half_the_picture_is_found():
    now = scene()
    now[:, :70] = scene(2)[:, :70][:, ::-1]
    assert changed_blocks(now, scene()) > 100


@pytest.mark.parametrize("other", range(2, 8))
def test_a_completely_new_picture_is_not_noise(other):
    random = np.random.default_rng(other)
    new = np.repeat(np.repeat(random.uniform(20, 230, (9, 16)), 10, axis=0), 10, axis=1).astype(np.float32)
    assert changed_blocks(new, scene()) > 1000


def test_flat_and_single_blocks():
    flat = np.full((90, 160), 16, np.float32)
    assert changed_blocks(flat, flat) == 0
    assert changed_blocks(flat + 50, flat) == 0  # light
    assert changed_blocks(flat + 100, flat) == flat.size  # the light was switched on
    one = flat.copy()
    one[5, 5] = 250
    assert changed_blocks(one, flat) == 0  # a speck without a changed neighbor
    one[5, 6] = 250
    assert changed_blocks(one, flat) == 2
    assert changed_blocks(flat[:1, :1], flat[:1, :1]) == 0
