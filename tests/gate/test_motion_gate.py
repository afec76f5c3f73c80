import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdet.color import ColorSpace
from streamdet.gate.motion_gate import MotionGate
from streamdet.picture import Picture, PixelFormat

WIDTH, HEIGHT = 640, 360


class Camera:
    """A still camera: noise, illumination that may drift, and an object that is placed in the picture."""

    def __init__(self, noise=3.0, format=PixelFormat.I420):
        self.random = np.random.default_rng(3)
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        self.scene = 110 + 50 * np.sin(columns / 60) + 35 * np.cos(rows / 40)
        self.noise, self.format = noise, format

    def shoot(self, light=1.0, thing=None):
        luma = light * self.scene + self.random.normal(0, self.noise, self.scene.shape)
        if thing is not None:
            x, y, contrast = thing
            luma[y : y + 24, x : x + 12] += contrast
        luma = luma.round().clip(0, 255).astype(np.uint8)
        if self.format is PixelFormat.BGR24:
            return Picture.from_bgr(np.repeat(luma[:, :, None], 3, axis=2))
        picture = Picture.allocate(WIDTH, HEIGHT, self.format, ColorSpace())
        picture.visible(0)[:] = luma
        return picture


@pytest.mark.parametrize("format", PixelFormat)
@pytest.mark.parametrize("noise", [0.0, 3.0, 10.0])
def test_a_still_scene_is_inferred_at_the_stated_rate(format, noise):
    gate, camera = MotionGate(redetect_s=2.0), Camera(noise, format)
    inferred = [n / 15 for n in range(150) if gate.admit(camera.shoot(), n / 15)]
    assert len(inferred) <= 3 + 150 / 15 / 2
    assert max(np.diff([*inferred, 150 / 15])) <= 2.0 + 1 / 15


def test_slow_illumination_change_does_not_open_the_gate():
    """A cloud: a third darker within ten seconds."""
    gate, camera = MotionGate(redetect_s=2.0), Camera()
    inferred = sum(gate.admit(camera.shoot(light=1 - n / 450), n / 15) for n in range(150))
    assert inferred <= 3 + 150 / 15 / 2 + 2


def test_a_moving_object_is_inferred_in_every_frame():
    gate, camera = MotionGate(redetect_s=2.0), Camera()
    assert all(gate.admit(camera.shoot(thing=(4 * n, 100, 40)), n / 15) for n in range(100))


def test_a_new_still_object_is_inferred_until_it_has_settled():
    gate, camera = MotionGate(redetect_s=60.0), Camera()
    for n in range(20):
        gate.admit(camera.shoot(), n / 15)
    assert [gate.admit(camera.shoot(thing=(300, 100, 40)), n / 15) for n in range(20, 25)] == 3 * [True] + 2 * [False]
    assert gate.admit(camera.shoot(), 30 / 15)  # and when it leaves


@given(st.integers(0, 600), st.integers(0, 330), st.floats(-60, 60), st.floats(0.3, 5), st.integers(0, 60))
def test_nothing_is_missed_for_longer_than_redetect_s(x, y, contrast, redetect_s, comes):
    """Even with very low contrast."""
    gate, camera = MotionGate(redetect_s), Camera()
    since_s = None
    for n in range(comes, comes + int(15 * redetect_s) + 2):
        if gate.admit(camera.shoot(thing=(x, y, contrast)) if n > comes else camera.shoot(), n / 15):
            since_s = n / 15
        assert since_s is not None
        assert n / 15 - since_s < redetect_s


def test_a_new_picture_size_or_earlier_time_opens_the_gate():
    gate, camera = MotionGate(60.0), Camera()
    for n in range(10):
        gate.admit(camera.shoot(), n)
    assert not gate.admit(camera.shoot(), 10)
    assert gate.admit(camera.shoot().crop(0, 0, 320, 180), 11)
    assert gate.admit(camera.shoot(), 12)
    assert gate.admit(camera.shoot(), 5)
