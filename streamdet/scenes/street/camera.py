"""Camera motion (pan and shake) and scene brightness at any time."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, pi, sin

from streamdet.scenes.street.options import StreetOptions
from streamdet.scenes.street.rng import SeededRng


@dataclass(frozen=True, slots=True)
class _Wave:
    """A sum of sines in -1..1; each is (amplitude, frequency in Hz, phase in turns)."""

    parts: tuple[tuple[float, float, float], ...]

    def at(self, time_s: float) -> float:
        return sum(amplitude * sin(2 * pi * (hertz * time_s + turns)) for amplitude, hertz, turns in self.parts)


def _wave(rng: SeededRng, amplitudes: tuple[float, ...], slow_hz: float, fast_hz: float) -> _Wave:
    return _Wave(tuple((amplitude, rng.uniform(slow_hz, fast_hz), rng.uniform(0, 1)) for amplitude in amplitudes))


class SceneCamera:
    """A camera that moves in whole pixels, so that static things stay sharp.

    Attributes:
        margin_x: largest movement to either side, in pixels; even.
        margin_y: largest movement up or down, in pixels; even.
    """

    def __init__(self, options: StreetOptions) -> None:
        rng = SeededRng(options.seed, "camera")
        self._pan_px = options.pan / 100 * options.width
        self._shake_px = options.shake / 1000 * options.height
        self._dimming = options.light / 100
        self._pan = _wave(rng, (0.8, 0.2), 1 / 40, 1 / 18)
        self._shake_x = _wave(rng, (0.5, 0.3, 0.2), 0.9, 6.0)
        self._shake_y = _wave(rng, (0.5, 0.3, 0.2), 0.9, 6.0)
        self._light = _wave(rng, (0.7, 0.3), 1 / 25, 1 / 9)
        self.margin_x = 2 * ceil((self._pan_px + self._shake_px) / 2)
        self.margin_y = 2 * ceil(self._shake_px / 2)

    def offset(self, time_s: float) -> tuple[int, int]:
        """Returns left and top of the picture within the whole backdrop in pixels, 0 to twice the margins."""
        x = self._pan_px * self._pan.at(time_s) + self._shake_px * self._shake_x.at(time_s)
        return self.margin_x + round(x), self.margin_y + round(self._shake_px * self._shake_y.at(time_s))

    def brightness(self, time_s: float) -> float:
        """Returns the factor for luma, at most 1."""
        return 1 - self._dimming * (0.5 + 0.5 * self._light.at(time_s))
