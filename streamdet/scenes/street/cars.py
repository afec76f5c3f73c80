"""Drawing of cars from the side: hatchbacks, saloons, estates, vans, pick-ups and lorries, with turning wheels."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin

from streamdet.scenes.street.canvas import PolygonCanvas, Rgb, oval
from streamdet.scenes.street.car_bodies import BODIES, CarBody
from streamdet.scenes.street.people import CLOTHES, HAIRS, SKINS, darken
from streamdet.scenes.street.rng import SeededRng

PAINTS: tuple[Rgb, ...] = (
    (222, 224, 226), (236, 236, 232), (150, 154, 160), (84, 88, 94), (34, 36, 42), (160, 34, 36), (30, 66, 122),
    (58, 112, 166), (44, 88, 62), (196, 160, 60), (120, 58, 40), (92, 120, 130), (210, 104, 40),
)  # fmt: skip
GLASS, GLASS_LOW = (72, 92, 106), (38, 48, 58)
SPOKES = 5
KINDS = (*BODIES, "hatchback", "saloon", "estate")
"""Kinds of cars; kinds that are listed twice are twice as frequent."""


@dataclass(frozen=True, slots=True)
class Car:
    """Appearance of a car.

    Attributes:
        kind: a key of `BODIES`.
        size: relative size; 1.0 is average.
        extra: on the roof or along the side: "none", "rails", "taxi", "stripe" or "band".
    """

    kind: str
    size: float
    paint: Rgb
    second: Rgb
    rim: Rgb
    extra: str
    skin: Rgb
    hair: Rgb
    lights: bool

    @classmethod
    def random(cls, rng: SeededRng, dark: bool) -> Car:
        """Returns a random car, with its lights on if it is `dark`."""
        return cls(
            kind=rng.choice(KINDS),
            size=rng.uniform(0.94, 1.06),
            paint=rng.vary_color(rng.choice(PAINTS)),
            second=rng.vary_color(rng.choice(CLOTHES)),
            rim=rng.choice(((190, 192, 196), (150, 152, 158), (70, 72, 78))),
            extra=rng.choice(("none", "none", "rails", "taxi", "stripe", "band")),
            skin=rng.choice(SKINS),
            hair=rng.choice(HAIRS),
            lights=dark,
        )  # fmt: skip


def draw_car(canvas: PolygonCanvas, car: Car, turn: float) -> None:
    """Draws a car driving to the right; the canvas's origin is on the ground in its middle.

    Args:
        canvas: modified.
        car: what to draw.
        turn: angle of the wheels, in radians.
    """
    scaled = PolygonCanvas(canvas.rgba, canvas.scale * car.size, canvas.origin, canvas.mirror, canvas.tint)
    body = BODIES[car.kind]
    if car.kind == "lorry":
        _draw_cargo_box(scaled, car)
    scaled.shape(body.outline, _lighten(car.paint), 0.05, below=darken(car.paint, 0.68))
    _draw_details(scaled, car, body)
    _draw_windows(scaled, car, body)
    for x in body.wheels:
        _draw_wheel(scaled, x, body.wheel, car, turn)


def _lighten(color: Rgb) -> Rgb:
    return tuple(min(255.0, value * 1.08 + 8) for value in color)  # type: ignore[return-value]


def _draw_cargo_box(canvas: PolygonCanvas, car: Car) -> None:
    canvas.box(-2.9, 0.62, 1.2, 2.75, car.second, radius=0.03, below=None)
    canvas.box(-2.9, 0.62, 1.2, 0.8, darken(car.second, 0.7), radius=0.02)
    if car.extra in ("stripe", "band"):
        canvas.shape(((-2.6, 1.3), (0.9, 1.3), (0.9, 2.1), (-1.9, 2.1)), _lighten(car.paint))
    for x in (-2.0, -1.0, 0.0):
        canvas.line(((x, 0.85), (x, 2.72)), 0.02, darken(car.second, 0.88))


def _draw_details(canvas: PolygonCanvas, car: Car, body: CarBody) -> None:
    low, left, right = body.wheel - 0.03, min(p[0] for p in body.outline), max(p[0] for p in body.outline)
    seam = darken(car.paint, 0.55)
    sill = body.panes[0][0][1]
    if car.kind != "lorry":
        canvas.box(left + 0.1, 0.24, right - 0.1, 0.32, darken(car.paint, 0.4), radius=0.02)
    if car.extra == "stripe" and car.kind != "lorry":
        canvas.box(left + 0.05, 0.62, right - 0.05, 0.70, car.second)
    elif car.extra == "band" and car.kind == "van":
        canvas.shape(((-2.4, 0.9), (0.3, 0.9), (0.6, 1.7), (-2.4, 1.7)), car.second)
    for x in body.doors:
        top = sill if car.kind != "van" else 2.1
        canvas.line(((x, low + 0.08), (x, top)), 0.016, seam)
        canvas.line(((x - 0.28, sill - 0.12), (x - 0.12, sill - 0.12)), 0.03, seam)
    for x in body.wheels:
        canvas.disc((x, body.wheel), body.wheel + 0.06, (24, 24, 27))
    front = (255, 246, 214) if car.lights else (226, 230, 232)
    back = (236, 58, 44) if car.lights else (168, 32, 32)
    canvas.shape(((right - 0.16, 0.66), (right - 0.03, 0.64)), front, 0.06, glows=car.lights)
    canvas.shape(((left + 0.04, 0.72), (left + 0.06, 0.86)), back, 0.05, glows=car.lights)
    if car.extra == "rails" and body.rails:
        canvas.line(((-1.7, 1.68), (0.1, 1.68)), 0.04, (60, 62, 66))
    elif car.extra == "taxi" and car.kind in ("saloon", "estate"):
        top = max(p[1] for p in body.outline)
        canvas.box(-0.35, top + 0.02, 0.05, top + 0.15, (248, 214, 84), radius=0.02, glows=car.lights)


def _draw_windows(canvas: PolygonCanvas, car: Car, body: CarBody) -> None:
    for pane in body.panes:
        canvas.shape(pane, GLASS, 0.03, below=GLASS_LOW)
    pane = body.panes[-1]
    left, right = min(p[0] for p in pane), max(p[0] for p in pane)
    low, high = min(p[1] for p in pane), max(p[1] for p in pane)
    x, tall = left + 0.36 * (right - left), high - low
    canvas.shape(oval((x, low + 0.12 * tall), 0.17, 0.28 * tall), darken(car.second, 0.6))
    canvas.disc((x, low + 0.55 * tall), 0.105, darken(car.skin, 0.75))
    canvas.shape(oval((x - 0.02, low + 0.68 * tall), 0.11, 0.07), darken(car.hair, 0.8))
    for pane in body.panes:
        x0, y0 = pane[0]
        width = max(p[0] for p in pane) - x0
        canvas.shape(
            ((x0 + 0.3 * width, y0 + 0.03), (x0 + 0.5 * width, y0 + 0.27)), (225, 236, 242), 0.02, opacity=0.22
        )


def _draw_wheel(canvas: PolygonCanvas, x: float, radius: float, car: Car, turn: float) -> None:
    center = x, radius
    canvas.disc(center, radius, (30, 30, 33))
    canvas.disc(center, 0.66 * radius, darken(car.rim, 0.45))
    for k in range(SPOKES):
        angle = -turn + 2 * pi * k / SPOKES
        rim = x + 0.6 * radius * cos(angle), radius + 0.6 * radius * sin(angle)
        canvas.shape((center, rim), car.rim, 0.10 * radius)
    canvas.disc(center, 0.14 * radius, darken(car.rim, 0.7))
