"""What stands about and hides people: lamp posts, trees, bins, signs, benches, hydrants, bikes without riders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, cos, pi, sin

from streamdet.color import ColorSpace
from streamdet.scenes.street.behind import LEAVES
from streamdet.scenes.street.bikes import Cyclist, draw_parked
from streamdet.scenes.street.canvas import Canvas, Rgb, oval
from streamdet.scenes.street.cast import Light
from streamdet.scenes.street.dice import Dice
from streamdet.scenes.street.ground import FAR_WALK, Ground
from streamdet.scenes.street.people import CLOTHES, darker
from streamdet.scenes.street.sprite import Sprite, make_sprite

_IRON: Rgb = (62, 66, 70)


@dataclass(frozen=True, slots=True)
class Prop:
    """Something that stands at `x`, `y`, in heights of the picture."""

    sprite: Sprite
    x: float
    y: float


def _lamp(canvas: Canvas, dice: Dice, dark: bool) -> None:
    canvas.box(-0.09, 0, 0.09, 0.5, _IRON, radius=0.02)
    canvas.line(((0, 0.4), (0, 4.3), (0.25, 4.5), (0.7, 4.55)), 0.11, _IRON)
    canvas.box(0.5, 4.40, 1.05, 4.52, (255, 232, 176) if dark else (214, 214, 208), radius=0.04, glows=dark)


def _tree(canvas: Canvas, dice: Dice, dark: bool) -> None:
    canvas.shape(((-0.16, 0), (0.16, 0), (0.09, 2.6), (-0.09, 2.6)), (98, 76, 58), 0.02, below=(82, 64, 50))
    canvas.line(((0, 1.9), (0.5, 2.7)), 0.09, (90, 70, 54))
    canvas.line(((0, 2.1), (-0.45, 2.8)), 0.09, (90, 70, 54))
    leaves = dice.shade(dice.pick(LEAVES))
    for k in range(9):
        angle = 2 * pi * k / 9
        place = 0.95 * cos(angle), 3.5 + 0.75 * sin(angle)
        canvas.disc(place, dice.between(0.55, 0.75), dice.shade(darker(leaves, 0.86 + 0.14 * sin(angle)), 6))
    canvas.disc((0, 3.5), 0.85, leaves)
    for _ in range(46):
        angle, away = dice.between(0, 2 * pi), dice.between(0, 1) ** 0.5
        place = 1.45 * away * cos(angle), 3.5 + 1.2 * away * sin(angle)
        canvas.disc(place, dice.between(0.06, 0.16), dice.shade(darker(leaves, 0.9 + 0.2 * sin(angle) * away), 14))


def _bin(canvas: Canvas, dice: Dice, dark: bool) -> None:
    color = dice.shade(dice.pick(((54, 84, 66), (70, 72, 78), (40, 72, 118), (120, 112, 60))))
    canvas.shape(((-0.24, 0), (0.24, 0), (0.29, 0.85), (-0.29, 0.85)), color, 0.03, below=darker(color, 0.7))
    canvas.box(-0.32, 0.86, 0.32, 0.95, darker(color, 0.6), radius=0.03)
    canvas.box(-0.14, 0.62, 0.14, 0.72, (24, 24, 26), radius=0.02)


def _hydrant(canvas: Canvas, dice: Dice, dark: bool) -> None:
    color = dice.pick(((196, 48, 40), (222, 182, 60)))
    canvas.box(-0.12, 0, 0.12, 0.62, color, radius=0.03, below=None)
    canvas.shape(oval((0, 0.64), 0.14, 0.13), color)
    canvas.line(((-0.2, 0.45), (0.2, 0.45)), 0.12, darker(color, 0.8))
    canvas.box(-0.17, 0, 0.17, 0.06, darker(color, 0.6), radius=0.02)


def _sign(canvas: Canvas, dice: Dice, dark: bool) -> None:
    canvas.line(((0, 0), (0, 2.5)), 0.07, (150, 152, 156))
    if dice.chance(0.5):
        canvas.disc((0, 2.55), 0.34, dice.pick(((190, 40, 38), (36, 84, 160))))
        canvas.disc((0, 2.55), 0.24, (240, 240, 238))
    else:
        canvas.shape(((-0.32, 2.3), (0.32, 2.3), (0.0, 2.85)), (190, 40, 38), 0.05)
        canvas.shape(((-0.2, 2.36), (0.2, 2.36), (0.0, 2.7)), (246, 240, 210), 0.02)


def _bench(canvas: Canvas, dice: Dice, dark: bool) -> None:
    wood = dice.shade((142, 100, 62))
    for x in (-0.75, 0.75):
        canvas.line(((x, 0), (x, 0.85)), 0.07, _IRON)
    for y, tall in ((0.42, 0.09), (0.60, 0.08), (0.74, 0.08)):
        canvas.box(-0.9, y, 0.9, y + tall, darker(wood, 0.8 + 0.25 * y), radius=0.01)


def _planter(canvas: Canvas, dice: Dice, dark: bool) -> None:
    canvas.shape(((-0.62, 0), (0.62, 0), (0.7, 0.52), (-0.7, 0.52)), (150, 128, 108), 0.02, below=(112, 96, 82))
    leaves = dice.shade(dice.pick(LEAVES))
    for _ in range(60):
        place = dice.between(-0.62, 0.62), 0.58 + dice.between(0, 0.36)
        canvas.disc(place, dice.between(0.05, 0.11), dice.shade(leaves, 18))
    for _ in range(8):
        canvas.disc((dice.between(-0.6, 0.6), dice.between(0.7, 1.0)), 0.05, dice.pick(CLOTHES))


def _bollard(canvas: Canvas, dice: Dice, dark: bool) -> None:
    canvas.line(((0, 0.05), (0, 0.82)), 0.16, _IRON)
    canvas.box(-0.08, 0.62, 0.08, 0.72, (226, 226, 220))


def _bike(canvas: Canvas, dice: Dice, dark: bool) -> None:
    """Draws a bike that nobody rides: it is no cyclist."""
    draw_parked(canvas, Cyclist.roll(dice))


def _pillar(canvas: Canvas, dice: Dice, dark: bool) -> None:
    """Draws a round pillar with posters on it."""
    canvas.box(-0.55, 0, 0.55, 2.5, (196, 190, 178), radius=0.03, below=(170, 164, 152))
    for x, y in ((-0.45, 0.5), (0.03, 0.45), (-0.43, 1.45), (0.05, 1.4)):
        color = dice.shade(dice.pick(CLOTHES))
        canvas.box(x, y, x + 0.42, y + 0.82, color, below=darker(color, 0.8))
        canvas.disc((x + 0.21, y + 0.5), 0.12, dice.pick(CLOTHES))
    canvas.box(-0.66, 2.5, 0.66, 2.66, (70, 84, 74), radius=0.03)


_Drawing = Callable[[Canvas, Dice, bool], None]
_Kind = tuple[_Drawing, float, float]
# What stands where: (how it is drawn, half width and height in metres).
_TALL: tuple[_Kind, ...] = ((_lamp, 1.2, 4.75), (_tree, 2.1, 5.2), (_sign, 0.5, 3.0))
_LOW: tuple[_Kind, ...] = (
    (_bin, 0.4, 1.05), (_hydrant, 0.35, 0.85), (_bench, 1.0, 0.95), (_planter, 0.85, 1.2), (_bollard, 0.2, 1.0),
)  # fmt: skip
_FAR: tuple[_Kind, ...] = (*_LOW, (_pillar, 0.75, 2.75), (_bike, 1.6, 1.4), (_bike, 1.6, 1.4))


def make_props(seed: int, ground: Ground, height: int, place: str, light: Light, color: ColorSpace) -> list[Prop]:
    """Returns what stands about, in a picture of `height` pixels."""
    dice = Dice(seed, "props")
    left, span = -ground.reach, ground.width + 2 * ground.reach
    wanted = []
    for y, count in ((FAR_WALK[1] + 0.008, 4), (0.797, 2)):
        kinds = (_TALL[1], _TALL[1], _TALL[0]) if place == "park" else (_TALL[0], _TALL[1], _TALL[2])
        for k in range(count):
            wanted.append((dice.pick(kinds), left + span * (k + dice.between(0.15, 0.85)) / count, y))
    for y, count in ((FAR_WALK[0] - 0.012, 4), (0.803, 2), (0.972, 1)):
        low = _FAR if y < FAR_WALK[1] else _LOW
        for k in range(count):
            wanted.append((dice.pick(low), left + span * (k + dice.between(0.1, 0.9)) / count, y))
    return [_make(dice, kind, x, y, ground.per_metre(y) * height, light, color) for kind, x, y in wanted]


def _make(dice: Dice, kind: _Kind, x: float, y: float, scale: float, light: Light, color: ColorSpace) -> Prop:
    draw, half_m, top_m = kind
    slant, length = light.shadow.slant, light.shadow.length
    half, up = ceil((half_m + abs(slant) * top_m) * scale) + 4, ceil(top_m * scale) + 4
    rows = up + ceil((0.1 + length * top_m) * scale) + 4
    canvas = Canvas.blank(2 * half, rows + rows % 2, scale, (float(half), float(up)), dice.chance(0.5), light.tint)
    draw(canvas, dice, light.dark)
    return Prop(make_sprite(canvas.rgba, canvas.origin, scale, light.shadow, color), x, y)
