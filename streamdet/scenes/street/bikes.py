"""Drawing of cyclists: several kinds of bike and their riders."""

from __future__ import annotations

from dataclasses import dataclass
from math import acos, atan2, cos, hypot, pi, sin

from streamdet.scenes.street.canvas import Point, PolygonCanvas, Rgb, oval
from streamdet.scenes.street.people import CLOTHES, HAIRS, SHOES, SKINS, TROUSERS, darken, limb
from streamdet.scenes.street.rng import SeededRng

RUBBER: Rgb = (34, 34, 36)
_CRANK = 0.17


@dataclass(frozen=True, slots=True)
class Cyclist:
    """Appearance of a cyclist.

    Attributes:
        kind: kind of bike: "city", "road", "mountain" or "cargo".
        size: relative size of rider and bike; 1.0 is an adult.
        head: "helmet", "cap" or "hair".
        bag: "none", "backpack", "basket" or "panniers".
        bare_legs: the rider wears shorts.
    """

    kind: str
    size: float
    head: str
    bag: str
    bare_legs: bool
    frame_color: Rgb
    skin: Rgb
    hair: Rgb
    top_color: Rgb
    second_color: Rgb
    leg_color: Rgb
    shoe_color: Rgb

    @classmethod
    def random(cls, rng: SeededRng) -> Cyclist:
        """Returns a random cyclist."""
        return cls(
            kind=rng.choice(("city", "city", "road", "mountain", "cargo")),
            size=rng.uniform(0.72, 0.82) if rng.bernoulli(0.12) else rng.uniform(0.93, 1.06),
            head=rng.choice(("helmet", "helmet", "cap", "hair")),
            bag=rng.choice(("none", "none", "backpack", "basket", "panniers")),
            bare_legs=rng.bernoulli(0.35),
            frame_color=rng.vary_color(rng.choice(CLOTHES)),
            skin=rng.choice(SKINS),
            hair=rng.choice(HAIRS),
            top_color=rng.vary_color(rng.choice(CLOTHES)),
            second_color=rng.vary_color(rng.choice(CLOTHES)),
            leg_color=rng.vary_color(rng.choice(TROUSERS)),
            shoe_color=rng.choice(SHOES),
        )


@dataclass(frozen=True, slots=True)
class _Bike:
    """Positions of the parts of a bike, in meters."""

    rear: Point
    front: Point
    wheel: float
    front_wheel: float
    saddle: Point
    grip: Point
    crank: Point
    neck: Point


_BIKES = {
    "city": _Bike((-0.52, 0.35), (0.56, 0.35), 0.35, 0.35, (-0.22, 0.96), (0.28, 1.12), (-0.06, 0.29), (0.36, 0.86)),
    "road": _Bike((-0.48, 0.34), (0.53, 0.34), 0.34, 0.34, (-0.20, 0.99), (0.48, 0.93), (-0.04, 0.28), (0.38, 0.88)),
    "mountain": _Bike(
        (-0.50, 0.36), (0.60, 0.36), 0.36, 0.36, (-0.20, 0.95), (0.38, 1.05), (-0.04, 0.32), (0.42, 0.88)
    ),
    "cargo": _Bike((-0.62, 0.32), (1.22, 0.25), 0.32, 0.25, (-0.30, 0.95), (0.20, 1.10), (-0.12, 0.28), (0.28, 0.80)),
}


def draw_cyclist(canvas: PolygonCanvas, cyclist: Cyclist, turn: float) -> None:
    """Draws a cyclist riding to the right; the canvas's origin is on the ground, between the wheels.

    Args:
        canvas: modified.
        cyclist: whom to draw.
        turn: angle of the crank, in radians.
    """
    scaled = PolygonCanvas(canvas.rgba, canvas.scale * cyclist.size, canvas.origin, canvas.mirror, canvas.tint)
    bike = _BIKES[cyclist.kind]
    hip = bike.saddle[0] + 0.03, bike.saddle[1] + 0.07
    lean = {"road": 0.86, "mountain": 0.55}.get(cyclist.kind, 0.26)
    shoulder = hip[0] + 0.55 * sin(lean), hip[1] + 0.55 * cos(lean)
    _draw_leg(scaled, cyclist, bike, hip, turn + pi, 0.7)
    _draw_bike(scaled, cyclist, bike, turn)
    _draw_leg(scaled, cyclist, bike, hip, turn, 1.0)
    _draw_rider(scaled, cyclist, bike, hip, shoulder, lean)


def draw_parked(canvas: PolygonCanvas, cyclist: Cyclist) -> None:
    """Draws a cyclist's bike alone, as parked at a curb."""
    _draw_bike(canvas, cyclist, _BIKES[cyclist.kind], 0.0)


def _draw_bike(canvas: PolygonCanvas, cyclist: Cyclist, bike: _Bike, turn: float) -> None:
    tire = {"mountain": 0.065, "road": 0.034}.get(cyclist.kind, 0.046)
    for hub, radius in ((bike.rear, bike.wheel), (bike.front, bike.front_wheel)):
        _draw_wheel(canvas, hub, radius, tire, -2 * turn)
    frame, tube = cyclist.frame_color, 0.042
    seat_low, neck_low = (bike.saddle[0] + 0.05, bike.saddle[1] - 0.16), (bike.neck[0] + 0.03, bike.neck[1] - 0.12)
    canvas.line((bike.rear, bike.crank, seat_low, bike.rear), 0.024, darken(frame, 0.85))
    top_tube = seat_low if cyclist.kind in ("road", "mountain") else (bike.crank[0] - 0.02, bike.crank[1] + 0.22)
    canvas.line((top_tube, bike.neck), tube, frame)
    canvas.line((bike.crank, neck_low), tube, frame)
    canvas.line((bike.crank, bike.saddle), tube, frame)
    canvas.line((bike.neck, bike.front), 0.03, darken(frame, 0.7))
    canvas.line((bike.neck, bike.grip), 0.03, (70, 72, 76))
    canvas.line(
        ((bike.saddle[0] - 0.13, bike.saddle[1] + 0.01), (bike.saddle[0] + 0.12, bike.saddle[1])), 0.055, RUBBER
    )
    if cyclist.kind == "road":
        canvas.line((bike.grip, (bike.grip[0] + 0.06, bike.grip[1] - 0.08), (bike.grip[0] - 0.03, bike.grip[1] - 0.13)),
                    0.03, RUBBER)  # fmt: skip
    if cyclist.kind == "city":
        for hub in (bike.rear, bike.front):
            arc = [(hub[0] + 0.39 * cos(a), hub[1] + 0.39 * sin(a)) for a in (0.5, 1.0, 1.5, 2.0, 2.6)]
            canvas.line(arc, 0.022, darken(frame, 0.8))
    if cyclist.kind == "cargo":
        tub = ((0.38, 0.34), (0.98, 0.34), (1.06, 0.72), (0.32, 0.72))
        canvas.shape(tub, cyclist.second_color, 0.02, below=darken(cyclist.second_color))
    elif cyclist.bag == "basket":
        x, y = bike.grip[0] + 0.20, bike.grip[1] - 0.06
        canvas.shape(((x - 0.14, y - 0.2), (x + 0.12, y - 0.2), (x + 0.17, y), (x - 0.17, y)), (150, 112, 70), 0.01)
    if cyclist.bag == "panniers":
        x, y = bike.rear
        canvas.box(x - 0.22, y + 0.02, x + 0.1, y + 0.34, cyclist.second_color, radius=0.03)


def _draw_wheel(canvas: PolygonCanvas, hub: Point, radius: float, tire: float, turn: float) -> None:
    for k in range(6):
        angle = turn + k * pi / 3
        rim = hub[0] + radius * cos(angle), hub[1] + radius * sin(angle)
        canvas.shape((hub, rim), (150, 152, 156), 0.006, opacity=0.65)
    middle = radius - tire / 2
    canvas.line(
        [(hub[0] + middle * cos(pi * k / 10), hub[1] + middle * sin(pi * k / 10)) for k in range(21)], tire, RUBBER
    )
    canvas.disc(hub, 0.035, (90, 92, 96))


def _draw_leg(canvas: PolygonCanvas, cyclist: Cyclist, bike: _Bike, hip: Point, turn: float, light: float) -> None:
    pedal = bike.crank[0] + _CRANK * cos(-turn), bike.crank[1] + _CRANK * sin(-turn)
    ankle = pedal[0] - 0.06, pedal[1] + 0.09
    knee = joint(hip, ankle, 0.46, 0.45)
    skin = darken(cyclist.skin, light)
    cloth = darken(cyclist.leg_color, light)
    canvas.line((bike.crank, pedal), 0.028, (60, 60, 64))
    limb(canvas, (ankle, (pedal[0] + 0.09, pedal[1] + 0.035)), 0.08, darken(cyclist.shoe_color, light))
    limb(canvas, (knee, ankle), 0.095, skin if cyclist.bare_legs else cloth)
    limb(canvas, (hip, knee), 0.15, cloth)


def joint(start: Point, end: Point, upper: float, lower: float) -> Point:
    """Returns the joint of two limbs of the given lengths that connect `start` and `end`, bent forwards."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    reach = min(hypot(dx, dy), 0.999 * (upper + lower))
    inner = acos(max(-1.0, min(1.0, (upper**2 + reach**2 - lower**2) / (2 * upper * reach))))
    angle = atan2(dy, dx) + inner
    return start[0] + upper * cos(angle), start[1] + upper * sin(angle)


def _draw_rider(canvas: PolygonCanvas, cyclist: Cyclist, bike: _Bike, hip: Point, shoulder: Point, lean: float) -> None:
    along = sin(lean), cos(lean)
    across = cos(lean), -sin(lean)
    elbow = joint(shoulder, bike.grip, 0.32, 0.31)
    elbow = (
        elbow if elbow[1] < shoulder[1] else ((shoulder[0] + bike.grip[0]) / 2, (shoulder[1] + bike.grip[1]) / 2 - 0.06)
    )
    limb(canvas, (shoulder, elbow, bike.grip), 0.08, darken(cyclist.top_color, 0.7))
    back = [
        (hip[0] - 0.12 * across[0], hip[1] - 0.12 * across[1]),
        (hip[0] + 0.1 * across[0], hip[1] + 0.1 * across[1]),
    ]
    front = [(shoulder[0] + s * across[0], shoulder[1] + s * across[1]) for s in (0.09, -0.10)]
    canvas.shape([*back, *front], cyclist.top_color, 0.05, below=darken(cyclist.top_color, 0.8))
    canvas.disc(hip, 0.105, cyclist.leg_color)
    if cyclist.bag == "backpack":
        middle = (hip[0] + shoulder[0]) / 2 - 0.17 * across[0], (hip[1] + shoulder[1]) / 2 - 0.17 * across[1] + 0.05
        canvas.shape(oval(middle, 0.12, 0.22, -lean), cyclist.second_color)
    limb(canvas, (shoulder, elbow), 0.095, darken(cyclist.top_color, 0.92))
    limb(canvas, (elbow, bike.grip), 0.07, cyclist.skin)
    canvas.disc(bike.grip, 0.045, cyclist.skin)
    neck = shoulder[0] + 0.07 * along[0] + 0.03, shoulder[1] + 0.06
    head = neck[0] + 0.05, neck[1] + 0.14
    canvas.line((shoulder, neck, head), 0.085, darken(cyclist.skin, 0.9))
    canvas.shape(oval(head, 0.095, 0.12), cyclist.skin, below=darken(cyclist.skin, 0.86))
    color = cyclist.hair if cyclist.head == "hair" else cyclist.second_color
    size = 0.125 if cyclist.head == "helmet" else 0.108
    cap = [
        (head[0] - 0.015 + size * cos(a), head[1] + 0.02 + size * sin(a)) for a in (0.15 + 0.2 * k for k in range(16))
    ]
    canvas.shape(cap, color, below=darken(color, 0.85))
    if cyclist.head == "helmet":
        canvas.line(((head[0] - 0.1, head[1] + 0.06), (head[0] + 0.08, head[1] + 0.09)), 0.018, darken(color, 0.55))
