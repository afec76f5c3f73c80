"""Static objects that occlude people: lamp posts, trees, bins, signs, benches, hydrants, parked bikes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, cos, pi, sin
from typing import NamedTuple

from streamdet.color import ColorSpace
from streamdet.scenes.street.bikes import Cyclist, draw_parked
from streamdet.scenes.street.canvas import PolygonCanvas, Rgb, oval
from streamdet.scenes.street.ground import FAR_WALK, GroundPlane
from streamdet.scenes.street.people import CLOTHES, darken
from streamdet.scenes.street.rng import SeededRng
from streamdet.scenes.street.scenery import LEAVES
from streamdet.scenes.street.sprite import StreetSprite, make_sprite
from streamdet.scenes.street.sprite_cache import Lighting

_IRON: Rgb = (62, 66, 70)


@dataclass(frozen=True, slots=True)
class Occluder:
    """A static object at the ground point (`x`, `y`), in picture heights."""

    sprite: StreetSprite
    x: float
    y: float


def _draw_lamp(canvas: PolygonCanvas, rng: SeededRng, dark: bool) -> None:
    canvas.box(-0.09, 0, 0.09, 0.5, _IRON, radius=0.02)
    canvas.line(((0, 0.4), (0, 4.3), (0.25, 4.5), (0.7, 4.55)), 0.11, _IRON)
    canvas.box(0.5, 4.40, 1.05, 4.52, (255, 232, 176) if dark else (214, 214, 208), radius=0.04, glows=dark)


def _draw_tree(canvas: PolygonCanvas, rng: SeededRng, dark: bool) -> None:
    canvas.shape(((-0.16, 0), (0.16, 0), (0.09, 2.6), (-0.09, 2.6)), (98, 76, 58), 0.02, below=(82, 64, 50))
    canvas.line(((0, 1.9), (0.5, 2.7)), 0.09, (90, 70, 54))
    canvas.line(((0, 2.1), (-0.45, 2.8)), 0.09, (90, 70, 54))
    leaves = rng.vary_color(rng.choice(LEAVES))
    for k in range(9):
        angle = 2 * pi * k / 9
        place = 0.95 * cos(angle), 3.5 + 0.75 * sin(angle)
        canvas.disc(place, rng.uniform(0.55, 0.75), rng.vary_color(darken(leaves, 0.86 + 0.14 * sin(angle)), 6))
    canvas.disc((0, 3.5), 0.85, leaves)
    for _ in range(46):
        angle, away = rng.uniform(0, 2 * pi), rng.uniform(0, 1) ** 0.5
        place = 1.45 * away * cos(angle), 3.5 + 1.2 * away * sin(angle)
        canvas.disc(place, rng.uniform(0.06, 0.16), rng.vary_color(darken(leaves, 0.9 + 0.2 * sin(angle) * away), 14))


def _draw_bin(canvas: PolygonCanvas, rng: SeededRng, dark: bool) -> None:
    color = rng.vary_color(rng.choice(((54, 84, 66), (70, 72, 78), (40, 72, 118), (120, 112, 60))))
    canvas.shape(((-0.24, 0), (0.24, 0), (0.29, 0.85), (-0.29, 0.85)), color, 0.03, below=darken(color, 0.7))
    canvas.box(-0.32, 0.86, 0.32, 0.95, darken(color, 0.6), radius=0.03)
    canvas.box(-0.14, 0.62, 0.14, 0.72, (24, 24, 26), radius=0.02)


def _draw_hydrant(canvas: PolygonCanvas, rng: SeededRng, dark: bool) -> None:
    color = rng.choice(((196, 48, 40), (222, 182, 60)))
    canvas.box(-0.12, 0, 0.12, 0.62, color, radius=0.03, below=None)
    canvas.shape(oval((0, 0.64), 0.14, 0.13), color)
    canvas.line(((-0.2, 0.45), (0.2, 0.45)), 0.12, darken(color, 0.8))
    canvas.box(-0.17, 0, 0.17, 0.06, darken(color, 0.6), radius=0.02)


def _draw_sign(canvas: PolygonCanvas, rng: SeededRng, dark: bool) -> None:
    canvas.line(((0, 0), (0, 2.5)), 0.07, (150, 152, 156))
    if rng.bernoulli(0.5):
        canvas.disc((0, 2.55), 0.34, rng.choice(((190, 40, 38), (36, 84, 160))))
        canvas.disc((0, 2.55), 0.24, (240, 240, 238))
    else:
        canvas.shape(((-0.32, 2.3), (0.32, 2.3), (0.0, 2.85)), (190, 40, 38), 0.05)
        canvas.shape(((-0.2, 2.36), (0.2, 2.36), (0.0, 2.7)), (246, 240, 210), 0.02)


def _draw_bench(canvas: PolygonCanvas, rng: SeededRng, dark: bool) -> None:
    wood = rng.vary_color((142, 100, 62))
    for x in (-0.75, 0.75):
        canvas.line(((x, 0), (x, 0.85)), 0.07, _IRON)
    for y, tall in ((0.42, 0.09), (0.60, 0.08), (0.74, 0.08)):
        canvas.box(-0.9, y, 0.9, y + tall, darken(wood, 0.8 + 0.25 * y), radius=0.01)


def _draw_planter(canvas: PolygonCanvas, rng: SeededRng, dark: bool) -> None:
    canvas.shape(((-0.62, 0), (0.62, 0), (0.7, 0.52), (-0.7, 0.52)), (150, 128, 108), 0.02, below=(112, 96, 82))
    leaves = rng.vary_color(rng.choice(LEAVES))
    for _ in range(60):
        place = rng.uniform(-0.62, 0.62), 0.58 + rng.uniform(0, 0.36)
        canvas.disc(place, rng.uniform(0.05, 0.11), rng.vary_color(leaves, 18))
    for _ in range(8):
        canvas.disc((rng.uniform(-0.6, 0.6), rng.uniform(0.7, 1.0)), 0.05, rng.choice(CLOTHES))


def _draw_bollard(canvas: PolygonCanvas, rng: SeededRng, dark: bool) -> None:
    canvas.line(((0, 0.05), (0, 0.82)), 0.16, _IRON)
    canvas.box(-0.08, 0.62, 0.08, 0.72, (226, 226, 220))


def _draw_bike(canvas: PolygonCanvas, rng: SeededRng, dark: bool) -> None:
    """Draws a parked bike, which is not a cyclist."""
    draw_parked(canvas, Cyclist.random(rng))


def _draw_pillar(canvas: PolygonCanvas, rng: SeededRng, dark: bool) -> None:
    """Draws a round pillar with posters on it."""
    canvas.box(-0.55, 0, 0.55, 2.5, (196, 190, 178), radius=0.03, below=(170, 164, 152))
    for x, y in ((-0.45, 0.5), (0.03, 0.45), (-0.43, 1.45), (0.05, 1.4)):
        color = rng.vary_color(rng.choice(CLOTHES))
        canvas.box(x, y, x + 0.42, y + 0.82, color, below=darken(color, 0.8))
        canvas.disc((x + 0.21, y + 0.5), 0.12, rng.choice(CLOTHES))
    canvas.box(-0.66, 2.5, 0.66, 2.66, (70, 84, 74), radius=0.03)


class _Kind(NamedTuple):
    """A kind of object: the function that draws one, and its half width and height in meters."""

    draw: Callable[[PolygonCanvas, SeededRng, bool], None]
    half_m: float
    top_m: float


_LAMP, _TREE, _SIGN = _Kind(_draw_lamp, 1.2, 4.75), _Kind(_draw_tree, 2.1, 5.2), _Kind(_draw_sign, 0.5, 3.0)
_LOW = (
    _Kind(_draw_bin, 0.4, 1.05),
    _Kind(_draw_hydrant, 0.35, 0.85),
    _Kind(_draw_bench, 1.0, 0.95),
    _Kind(_draw_planter, 0.85, 1.2),
    _Kind(_draw_bollard, 0.2, 1.0),
)
_PILLAR, _BIKE = _Kind(_draw_pillar, 0.75, 2.75), _Kind(_draw_bike, 1.6, 1.4)
_FAR = (*_LOW, _PILLAR, _BIKE, _BIKE)
"""Objects beyond the road. A kind that is listed twice is twice as frequent."""


def make_occluders(
    seed: int, ground: GroundPlane, height: int, place: str, lighting: Lighting, color: ColorSpace
) -> list[Occluder]:
    """Returns the static objects of a place, for a picture of `height` pixels."""
    rng = SeededRng(seed, "props")
    left, span = -ground.margin, ground.width + 2 * ground.margin
    wanted = []
    for y, count in ((FAR_WALK[1] + 0.008, 4), (0.797, 2)):
        tall = (_TREE, _TREE, _LAMP) if place == "park" else (_LAMP, _TREE, _SIGN)
        for k in range(count):
            wanted.append((rng.choice(tall), left + span * (k + rng.uniform(0.15, 0.85)) / count, y))
    for y, count in ((FAR_WALK[0] - 0.012, 4), (0.803, 2), (0.972, 1)):
        low = _FAR if y < FAR_WALK[1] else _LOW
        for k in range(count):
            wanted.append((rng.choice(low), left + span * (k + rng.uniform(0.1, 0.9)) / count, y))
    return [_make(rng, kind, x, y, ground.meter_at(y) * height, lighting, color) for kind, x, y in wanted]


def _make(
    rng: SeededRng, kind: _Kind, x: float, y: float, scale: float, lighting: Lighting, color: ColorSpace
) -> Occluder:
    draw, half_m, top_m = kind
    slant, length = lighting.shadow.slant, lighting.shadow.length
    half, up = ceil((half_m + abs(slant) * top_m) * scale) + 4, ceil(top_m * scale) + 4
    rows = up + ceil((0.1 + length * top_m) * scale) + 4
    canvas = PolygonCanvas.blank(
        2 * half, rows + rows % 2, scale, (float(half), float(up)), rng.bernoulli(0.5), lighting.tint
    )
    draw(canvas, rng, lighting.dark)
    return Occluder(make_sprite(canvas.rgba, canvas.origin, scale, lighting.shadow, color), x, y)
