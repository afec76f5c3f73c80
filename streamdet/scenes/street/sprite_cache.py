"""Everybody who appears, drawn when first needed and kept for a while."""

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
"""Sizes that figures are drawn at, each so many times the one before; those between are made smaller from the next."""
_PHASES = 12
_WHEEL_PHASES = 4
_STANDS_M_S = 0.3
_MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Lighting:
    """What time of day makes of everything.

    Attributes:
        tint: of red, green and blue.
        shadow: how it falls.
        dark: lamps are on.
    """

    tint: Rgb
    shadow: Shadow
    dark: bool


@dataclass(frozen=True, slots=True)
class _Pose:
    """What a sprite shows: `phase` -1 is standing still."""

    slot: int
    trip: int
    view: View
    left: bool
    phase: int
    step: int


class SpriteCache:
    """Gives the sprite of any figure at any moment."""

    def __init__(self, seed: int, light: Lighting, color: ColorSpace, most_bytes: int = _MOST_BYTES) -> None:
        self._seed = seed
        self._light = light
        self._color = color
        self._sprites: OrderedDict[_Pose, StreetSprite] = OrderedDict()
        self._bytes = 0
        self._most_bytes = most_bytes

    def sprite(self, spot: FigureState, scale: float) -> StreetSprite:
        """Returns what stands there, drawn at least `scale` pixels per metre large."""
        look = _look(self._seed, spot.slot, spot.trip, spot.class_id, self._light.dark)
        pose = _Pose(spot.slot, spot.trip, spot.view, spot.left, _phase(look, spot), ceil(log(scale, _GROWTH)))
        found = self._sprites.get(pose)
        if found is None:
            found = self._sprites[pose] = self._draw(look, pose)
            self._bytes += found.bytes
            while self._bytes > self._most_bytes and len(self._sprites) > 1:
                self._bytes -= self._sprites.popitem(last=False)[1].bytes
        self._sprites.move_to_end(pose)
        return found

    def _draw(self, look: Person | Cyclist | Car, pose: _Pose) -> StreetSprite:
        scale, shadow = _GROWTH**pose.step, self._light.shadow
        half_m, top_m = _extents(look)
        half_px = ceil((half_m + abs(shadow.slant) * top_m) * scale) + 4
        up_px, down_px = ceil(top_m * scale) + 4, ceil((0.1 + shadow.length * top_m) * scale) + 4
        origin = float(half_px), float(up_px)
        canvas = PolygonCanvas.blank(
            2 * half_px, up_px + down_px + (up_px + down_px) % 2, scale, origin, pose.left, self._light.tint
        )
        turn = 2 * pi * max(pose.phase, 0) / _PHASES
        match look:
            case Person():
                draw_person(canvas, look, pose.view, turn, 0.0 if pose.phase < 0 else 1.0)
            case Cyclist():
                draw_cyclist(canvas, look, turn)
            case Car():
                draw_car(canvas, look, 2 * pi / SPOKES * pose.phase / _WHEEL_PHASES)
        return make_sprite(canvas.rgba, origin, scale, shadow, self._color)


@lru_cache(maxsize=256)
def _look(seed: int, slot: int, trip: int, class_id: int, dark: bool) -> Person | Cyclist | Car:
    rng = SeededRng(seed, "look", slot, trip)
    if class_id == PERSON:
        return Person.random(rng)
    return Cyclist.random(rng) if class_id == CYCLIST else Car.random(rng, dark)


def _phase(look: Person | Cyclist | Car, spot: FigureState) -> int:
    match look:
        case Person():
            step_m = 0.82 * look.height
            return -1 if spot.speed_m_s < _STANDS_M_S else int(_PHASES * spot.moved_m / step_m) % _PHASES
        case Cyclist():
            return int(_PHASES * spot.moved_m / (4.4 * look.size)) % _PHASES
        case Car():
            around_m = 2 * pi * BODIES[look.kind].wheel * look.size / SPOKES
            return int(_WHEEL_PHASES * spot.moved_m / around_m) % _WHEEL_PHASES


def _extents(look: Person | Cyclist | Car) -> tuple[float, float]:
    """Returns how far a figure may reach to either side and upwards, in metres."""
    match look:
        case Person():
            return 0.5 * look.height, 1.08 * look.height
        case Cyclist():
            return 1.65 * look.size, 2.15 * look.size
        case Car():
            outline = BODIES[look.kind].outline
            half = max(abs(x) for x, _ in outline) + 0.15
            return half * look.size, (3.0 if look.kind == "lorry" else max(y for _, y in outline) + 0.3) * look.size
