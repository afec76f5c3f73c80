"""Cache of the figures' sprites: each is drawn when first needed."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log, pi

from streamdet.color import ColorSpace
from streamdet.scenes.street.bikes import Cyclist, draw_cyclist
from streamdet.scenes.street.canvas import PolygonCanvas, Rgb
from streamdet.scenes.street.car_bodies import BODIES
from streamdet.scenes.street.cars import SPOKES, Car, draw_car
from streamdet.scenes.street.people import Person, View, draw_person
from streamdet.scenes.street.rng import SeededRng
from streamdet.scenes.street.sprite import Shadow, StreetSprite, make_sprite
from streamdet.scenes.street.trajectories import CYCLIST, PERSON, FigureState

_GROWTH = 1.2
"""Ratio of consecutive sizes that figures are drawn at; a size in between is scaled down from the next larger one."""
_PHASES = 12
_WHEEL_PHASES = 4
_STANDING_M_S = 0.3
_MAX_BYTES = 256 << 20

Appearance = Person | Cyclist | Car


@dataclass(frozen=True, slots=True)
class Lighting:
    """Lighting of the scene.

    Attributes:
        tint: factors for red, green and blue.
        shadow: shape and strength of shadows.
        dark: lamps are on.
    """

    tint: Rgb
    shadow: Shadow
    dark: bool


@dataclass(frozen=True, slots=True)
class _SpriteKey:
    """Key of a sprite; `phase` is -1 for a figure that stands still."""

    slot: int
    trip: int
    view: View
    left: bool
    phase: int
    step: int


class SpriteCache:
    """Returns the sprite of any figure at any moment; the least recently used sprites are dropped."""

    def __init__(self, seed: int, lighting: Lighting, color: ColorSpace, max_bytes: int = _MAX_BYTES) -> None:
        self._seed = seed
        self._lighting = lighting
        self._color = color
        self._sprites: OrderedDict[_SpriteKey, StreetSprite] = OrderedDict()
        self._bytes = 0
        self._max_bytes = max_bytes

    def sprite(self, state: FigureState, scale: float) -> StreetSprite:
        """Returns the sprite of a figure, drawn at `scale` pixels per meter or larger."""
        appearance = _appearance(self._seed, state.slot, state.trip, state.class_id, self._lighting.dark)
        key = _SpriteKey(
            state.slot, state.trip, state.view, state.left, _phase(appearance, state), ceil(log(scale, _GROWTH))
        )
        sprite = self._sprites.get(key)
        if sprite is None:
            sprite = self._sprites[key] = self._draw(appearance, key)
            self._bytes += sprite.bytes
            while self._bytes > self._max_bytes and len(self._sprites) > 1:
                self._bytes -= self._sprites.popitem(last=False)[1].bytes
        self._sprites.move_to_end(key)
        return sprite

    def _draw(self, appearance: Appearance, key: _SpriteKey) -> StreetSprite:
        scale, shadow = _GROWTH**key.step, self._lighting.shadow
        half_m, top_m = _extents_m(appearance)
        half_px = ceil((half_m + abs(shadow.slant) * top_m) * scale) + 4
        up_px, down_px = ceil(top_m * scale) + 4, ceil((0.1 + shadow.length * top_m) * scale) + 4
        origin = float(half_px), float(up_px)
        canvas = PolygonCanvas.blank(
            2 * half_px, up_px + down_px + (up_px + down_px) % 2, scale, origin, key.left, self._lighting.tint
        )
        turn = 2 * pi * max(key.phase, 0) / _PHASES
        match appearance:
            case Person():
                draw_person(canvas, appearance, key.view, turn, 0.0 if key.phase < 0 else 1.0)
            case Cyclist():
                draw_cyclist(canvas, appearance, turn)
            case Car():
                draw_car(canvas, appearance, 2 * pi / SPOKES * key.phase / _WHEEL_PHASES)
        return make_sprite(canvas.rgba, origin, scale, shadow, self._color)


@lru_cache(maxsize=256)
def _appearance(seed: int, slot: int, trip: int, class_id: int, dark: bool) -> Appearance:
    rng = SeededRng(seed, "look", slot, trip)
    if class_id == PERSON:
        return Person.random(rng)
    return Cyclist.random(rng) if class_id == CYCLIST else Car.random(rng, dark)


def _phase(appearance: Appearance, state: FigureState) -> int:
    match appearance:
        case Person():
            step_m = 0.82 * appearance.height
            return -1 if state.speed_m_s < _STANDING_M_S else int(_PHASES * state.moved_m / step_m) % _PHASES
        case Cyclist():
            return int(_PHASES * state.moved_m / (4.4 * appearance.size)) % _PHASES
        case Car():
            around_m = 2 * pi * BODIES[appearance.kind].wheel * appearance.size / SPOKES
            return int(_WHEEL_PHASES * state.moved_m / around_m) % _WHEEL_PHASES


def _extents_m(appearance: Appearance) -> tuple[float, float]:
    """Returns the largest extent of a figure to either side and upwards, in meters."""
    match appearance:
        case Person():
            return 0.5 * appearance.height, 1.08 * appearance.height
        case Cyclist():
            return 1.65 * appearance.size, 2.15 * appearance.size
        case Car():
            outline = BODIES[appearance.kind].outline
            half_m = max(abs(x) for x, _ in outline) + 0.15
            top_m = 3.0 if appearance.kind == "lorry" else max(y for _, y in outline) + 0.3
            return half_m * appearance.size, top_m * appearance.size
