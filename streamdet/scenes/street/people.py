"""Drawing of people: bodies, clothes and bags, walking or standing, from the side, the front and the back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import cos, pi, sin

from streamdet.scenes.street.canvas import Point, PolygonCanvas, Rgb, oval
from streamdet.scenes.street.rng import SeededRng

SKINS: tuple[Rgb, ...] = (
    (255, 219, 190), (241, 194, 160), (224, 172, 135), (198, 134, 92), (141, 85, 52), (99, 61, 41), (72, 46, 34),
)  # fmt: skip
HAIRS: tuple[Rgb, ...] = ((35, 28, 25), (60, 42, 30), (104, 70, 42), (178, 134, 76), (150, 150, 150), (128, 52, 30))
CLOTHES: tuple[Rgb, ...] = (
    (38, 42, 52), (70, 74, 82), (232, 230, 224), (176, 48, 44), (214, 120, 44), (226, 190, 70), (60, 116, 74),
    (40, 96, 148), (92, 150, 196), (112, 72, 132), (206, 132, 152), (128, 100, 76), (196, 178, 148), (52, 132, 132),
)  # fmt: skip
TROUSERS: tuple[Rgb, ...] = (
    (36, 44, 66), (56, 76, 116), (34, 34, 38), (88, 86, 82), (142, 124, 98), (74, 62, 52), (110, 120, 132), (60, 70, 54)
)  # fmt: skip
SHOES: tuple[Rgb, ...] = ((30, 28, 28), (228, 228, 226), (96, 66, 44), (180, 60, 56), (70, 80, 110))


class View(Enum):
    """The side of a figure that the camera sees."""

    SIDE = "side"
    FRONT = "front"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Person:
    """Appearance of a person.

    Attributes:
        height: in meters.
        build: relative breadth; 1.0 is average.
        top: upper garment: "shirt", "striped", "vest", "coat" or "dress".
        legs: "trousers", "shorts" or "skirt".
        head: "short", "long", "bun", "bald", "cap", "beanie", "hat" or "hood".
        bag: "none", "backpack", "shoulder", "shopping" or "case".
    """

    height: float
    build: float
    top: str
    legs: str
    head: str
    bag: str
    skin: Rgb
    hair: Rgb
    top_color: Rgb
    second_color: Rgb
    leg_color: Rgb
    shoe_color: Rgb
    bag_color: Rgb

    @classmethod
    def random(cls, rng: SeededRng) -> Person:
        """Returns a random person."""
        child = rng.bernoulli(0.12)
        return cls(
            height=rng.uniform(1.18, 1.42) if child else rng.uniform(1.55, 1.94),
            build=rng.uniform(0.85, 1.22),
            top=rng.choice(("shirt", "shirt", "shirt", "striped", "vest", "coat", "coat", "dress")),
            legs=rng.choice(("trousers", "trousers", "trousers", "shorts", "skirt")),
            head=rng.choice(("short", "short", "long", "long", "bun", "bald", "cap", "beanie", "hat", "hood")),
            bag=rng.choice(("none", "none", "backpack", "backpack", "shoulder", "shopping", "case")),
            skin=rng.choice(SKINS),
            hair=rng.choice(HAIRS),
            top_color=rng.vary_color(rng.choice(CLOTHES)),
            second_color=rng.vary_color(rng.choice(CLOTHES)),
            leg_color=rng.vary_color(rng.choice(TROUSERS)),
            shoe_color=rng.choice(SHOES),
            bag_color=rng.vary_color(rng.choice(CLOTHES)),
        )


def darken(color: Rgb, share: float = 0.75) -> Rgb:
    """Returns a color multiplied by `share`."""
    return color[0] * share, color[1] * share, color[2] * share


def limb(canvas: PolygonCanvas, points: tuple[Point, ...], width: float, color: Rgb) -> None:
    """Draws an arm or a leg."""
    canvas.line(points, width, color)


def draw_person(canvas: PolygonCanvas, person: Person, view: View, phase: float, stride: float) -> None:
    """Draws a person.

    Args:
        canvas: its origin is between the feet.
        person: whom to draw.
        view: visible side; a side view faces right.
        phase: phase of the gait, in radians; 2 pi is two steps.
        stride: 0 standing, 1 walking.
    """
    if view is View.SIDE:
        _draw_side(canvas, person, phase, stride)
    else:
        _draw_facing(canvas, person, view, phase, stride)


def _leg(person: Person, hip: Point, phase: float, stride: float) -> tuple[Point, Point, Point]:
    """Returns hip, knee and ankle of a leg."""
    thigh = stride * (0.44 * sin(phase) + 0.06)
    bend = stride * (0.14 + 0.75 * max(0.0, cos(phase)) ** 1.5)
    length = 0.245 * person.height
    knee = hip[0] + length * sin(thigh), hip[1] - length * cos(thigh)
    return hip, knee, (knee[0] + length * sin(thigh - bend), knee[1] - length * cos(thigh - bend))


def _draw_side(canvas: PolygonCanvas, person: Person, phase: float, stride: float) -> None:
    h, b = person.height, person.build
    trial = [_leg(person, (0.0, 0.0), phase + shift, stride)[2][1] for shift in (0.0, pi)]
    hip_y = 0.035 * h - min(trial)
    hip, shoulder = (0.0, hip_y), (0.012 * h * stride, hip_y + 0.30 * h)
    far_arm, near_arm = _arm(person, shoulder, phase, stride), _arm(person, shoulder, phase + pi, stride)
    if person.bag == "case":
        _draw_suitcase(canvas, person, -0.30 * h)
        near_arm = near_arm[0], (-0.06 * h, near_arm[1][1]), (-0.17 * h, hip_y - 0.03 * h)
    if person.bag == "backpack":
        back = -0.075 * h * b
        canvas.box(back - 0.07 * h, hip_y + 0.07 * h, back + 0.02 * h, hip_y + 0.25 * h, person.bag_color, 0.02 * h)
    sleeve = person.skin if person.top in ("vest", "dress") else darken(person.top_color, 0.8)
    limb(canvas, far_arm, 0.052 * h * b, sleeve)
    _draw_side_leg(canvas, person, _leg(person, hip, phase + pi, stride), 0.72)
    _draw_side_leg(canvas, person, _leg(person, hip, phase, stride), 1.0)
    _draw_torso(canvas, person, hip, shoulder, 0.062 * h * b)
    _draw_head(canvas, person, (shoulder[0] + 0.012 * h, hip_y + 0.405 * h), View.SIDE)
    limb(canvas, near_arm[:2], 0.058 * h * b, person.skin if person.top == "vest" else darken(person.top_color, 0.9))
    limb(canvas, near_arm[1:], 0.048 * h * b, person.skin if person.top == "vest" else darken(person.top_color, 0.9))
    canvas.disc(near_arm[2], 0.024 * h, person.skin)
    if person.bag == "shoulder":
        canvas.line((shoulder, (-0.02 * h, hip_y + 0.02 * h)), 0.014 * h, darken(person.bag_color))
        canvas.box(-0.08 * h, hip_y - 0.06 * h, 0.04 * h, hip_y + 0.04 * h, person.bag_color, radius=0.012 * h)
    elif person.bag == "shopping":
        _draw_shopping_bag(canvas, person, near_arm[2])


def _draw_side_leg(canvas: PolygonCanvas, person: Person, leg: tuple[Point, Point, Point], light: float) -> None:
    h, b = person.height, person.build
    cloth, skin = darken(person.leg_color, light), darken(person.skin, light)
    hip, knee, ankle = leg
    upper, lower = (cloth, cloth) if person.legs == "trousers" else ((cloth if person.legs == "shorts" else skin), skin)
    toe = ankle[0] + 0.085 * h, max(ankle[1] - 0.012 * h, 0.018 * h)
    limb(canvas, (ankle, toe), 0.042 * h, darken(person.shoe_color, light))
    limb(canvas, (knee, ankle), (0.058 if lower is cloth else 0.046) * h * b, lower)
    limb(canvas, (hip, knee), 0.085 * h * b, upper)


def _arm(person: Person, shoulder: Point, phase: float, stride: float) -> tuple[Point, Point, Point]:
    """Returns shoulder, elbow and hand of an arm, which swings opposite to the leg of the same side."""
    length, swing = 0.155 * person.height, -0.42 * stride * sin(phase + pi)
    elbow = shoulder[0] + length * sin(swing), shoulder[1] - length * cos(swing)
    bend = swing + 0.12 + 0.35 * stride
    return shoulder, elbow, (elbow[0] + length * sin(bend), elbow[1] - length * cos(bend))


def _draw_torso(canvas: PolygonCanvas, person: Person, hip: Point, shoulder: Point, half: float) -> None:
    """Draws the clothes of the torso; `half` is half its visible width."""
    h, color = person.height, person.top_color
    low = {"coat": -0.16, "dress": -0.20}.get(person.top, -0.015) * h
    flare = {"coat": 1.25, "dress": 1.7}.get(person.top, 0.95)
    if person.legs == "skirt" and person.top != "dress":
        _draw_garment(canvas, hip, (hip[0], hip[1] + 0.05 * h), half, half * 1.7, -0.17 * h, person.leg_color)
    _draw_garment(canvas, hip, shoulder, half, half * flare, low, color)
    if person.top == "striped":
        for k in range(4):
            y = hip[1] + (0.03 + 0.075 * k) * h
            canvas.box(hip[0] - half, y, hip[0] + half, y + 0.032 * h, person.second_color)
    elif person.top == "coat":
        canvas.line(((hip[0] + 0.4 * half, hip[1] + low), (shoulder[0] + 0.4 * half, shoulder[1])), 0.012 * h,
                    darken(color, 0.6))  # fmt: skip
    elif person.top == "vest":
        canvas.box(hip[0] - half, hip[1] + 0.10 * h, hip[0] + half, hip[1] + 0.14 * h, person.second_color)
    if person.top in ("shirt", "striped"):
        canvas.box(
            hip[0] - 0.9 * half, hip[1] - 0.03 * h, hip[0] + 0.9 * half, hip[1] + 0.0 * h, darken(person.leg_color)
        )


def _draw_garment(
    canvas: PolygonCanvas, hip: Point, top: Point, half: float, hem: float, low: float, color: Rgb
) -> None:
    """Draws a garment from `top` to the height `low` relative to the hip."""
    points = (
        (hip[0] - hem, hip[1] + low), (hip[0] + hem, hip[1] + low), (hip[0] + 0.9 * half, hip[1] + 0.06),
        (top[0] + half, top[1] - 0.03), (top[0] + 0.5 * half, top[1] + 0.02), (top[0] - 0.5 * half, top[1] + 0.02),
        (top[0] - half, top[1] - 0.03), (hip[0] - 0.9 * half, hip[1] + 0.06),
    )  # fmt: skip
    canvas.shape(points, color, 0.018, below=darken(color, 0.78))


def _draw_head(canvas: PolygonCanvas, person: Person, center: Point, view: View) -> None:
    h, (x, y) = person.height, center
    canvas.line(((x - 0.01 * h, y - 0.085 * h), (x, y - 0.03 * h)), 0.05 * h, darken(person.skin, 0.9))
    wide = 0.053 * h if view is View.SIDE else 0.047 * h
    if person.head in ("long", "bun") and view is not View.BACK:
        shift = -0.028 * h if view is View.SIDE else 0.0
        length = 0.075 if person.head == "long" else 0.05
        canvas.shape(oval((x + shift, y - 0.01 * h), 0.058 * h, length * h), darken(person.hair, 0.9))
    canvas.shape(oval(center, wide, 0.066 * h), person.skin, below=darken(person.skin, 0.86))
    if view is View.SIDE:
        canvas.disc((x + 0.052 * h, y - 0.008 * h), 0.012 * h, person.skin)
    _draw_hair(canvas, person, center, view)


def _draw_hair(canvas: PolygonCanvas, person: Person, center: Point, view: View) -> None:
    h, (x, y) = person.height, center
    back = {View.SIDE: -0.014 * h, View.FRONT: 0.0, View.BACK: 0.0}[view]
    color = person.second_color if person.head in ("cap", "beanie", "hat", "hood") else person.hair
    if view is View.BACK and person.head not in ("bald",):
        low = 0.085 if person.head == "long" else 0.062
        canvas.shape(oval((x, y - (low - 0.062) * h), 0.052 * h, low * h), color)
    if person.head == "bald":
        return
    if person.head == "hood":
        canvas.shape(oval((x - 0.02 * h, y + 0.004 * h), 0.05 * h, 0.075 * h), person.top_color)
        return
    crown = [(x + back + 0.058 * h * cos(a), y + 0.012 * h + 0.060 * h * sin(a)) for a in (0.1 + 0.19 * k for k in range(16))]  # fmt: skip  # noqa: E501
    canvas.shape(crown, color, below=darken(color, 0.85))
    if person.head == "bun":
        canvas.disc((x - (0.055 * h if view is View.SIDE else 0.0), y + 0.055 * h), 0.028 * h, color)
    elif person.head == "cap" and view is View.SIDE:
        canvas.line(((x + 0.03 * h, y + 0.022 * h), (x + 0.09 * h, y + 0.016 * h)), 0.016 * h, darken(color))
    elif person.head == "hat":
        canvas.line(((x - 0.085 * h, y + 0.022 * h), (x + 0.085 * h, y + 0.022 * h)), 0.018 * h, darken(color, 0.85))


def _draw_facing(canvas: PolygonCanvas, person: Person, view: View, phase: float, stride: float) -> None:
    h, b = person.height, person.build
    hip_y = 0.515 * h + 0.008 * h * stride * cos(2 * phase)
    half = 0.092 * h * b
    for side in (-1, 1):
        lift = 0.055 * h * stride * max(0.0, sin(phase) * side)
        _draw_facing_leg(canvas, person, side, hip_y, lift)
    bag_behind = person.bag == "backpack" and view is View.FRONT
    if bag_behind:
        canvas.box(-half, hip_y + 0.1 * h, half, hip_y + 0.29 * h, person.bag_color, radius=0.02 * h)
    for side in (-1, 1):
        reach = 0.02 * h * stride * sin(phase) * side
        elbow, hand = (
            (side * (half + 0.038 * h), hip_y + 0.14 * h),
            (side * (half + 0.03 * h), hip_y - 0.01 * h + reach),
        )
        bare = person.top == "vest"
        limb(canvas, ((side * half * 0.95, hip_y + 0.28 * h), elbow, hand), 0.054 * h * b,
             person.skin if bare else darken(person.top_color, 0.85))  # fmt: skip
        canvas.disc(hand, 0.024 * h, person.skin)
        if side == 1 and person.bag == "shopping":
            _draw_shopping_bag(canvas, person, hand)
    _draw_torso(canvas, person, (0.0, hip_y), (0.0, hip_y + 0.30 * h), half)
    _draw_head(canvas, person, (0.0, hip_y + 0.405 * h), view)
    if person.bag == "backpack" and view is View.BACK:
        canvas.box(-0.7 * half, hip_y + 0.06 * h, 0.7 * half, hip_y + 0.25 * h, person.bag_color, radius=0.02 * h)
    elif person.bag == "shoulder":
        canvas.line(((-0.7 * half, hip_y + 0.3 * h), (half, hip_y + 0.02 * h)), 0.014 * h, darken(person.bag_color))
        canvas.box(
            half - 0.02 * h, hip_y - 0.06 * h, half + 0.07 * h, hip_y + 0.04 * h, person.bag_color, radius=0.01 * h
        )


def _draw_facing_leg(canvas: PolygonCanvas, person: Person, side: int, hip_y: float, lift: float) -> None:
    h, b = person.height, person.build
    cloth = darken(person.leg_color, 1.0 if side > 0 else 0.85)
    lower = cloth if person.legs == "trousers" else person.skin
    knee, ankle = (side * 0.05 * h * b, 0.27 * h + 0.4 * lift), (side * 0.052 * h * b, 0.045 * h + lift)
    limb(
        canvas, (ankle, (ankle[0] + side * 0.012 * h, max(0.024 * h, ankle[1] - 0.02 * h))), 0.05 * h, person.shoe_color
    )
    limb(canvas, (knee, ankle), (0.062 if lower is cloth else 0.048) * h * b, lower)
    limb(canvas, ((side * 0.045 * h * b, hip_y), knee), 0.086 * h * b, cloth if person.legs != "skirt" else person.skin)


def _draw_shopping_bag(canvas: PolygonCanvas, person: Person, hand: Point) -> None:
    h, (x, y) = person.height, hand
    canvas.box(x - 0.06 * h, y - 0.19 * h, x + 0.06 * h, y - 0.05 * h, person.bag_color, radius=0.006 * h)
    canvas.line(
        ((x - 0.035 * h, y - 0.05 * h), hand, (x + 0.035 * h, y - 0.05 * h)), 0.01 * h, darken(person.bag_color)
    )


def _draw_suitcase(canvas: PolygonCanvas, person: Person, x: float) -> None:
    h = person.height
    canvas.line(((x, 0.2 * h), (x + 0.1 * h, 0.46 * h)), 0.014 * h, (70, 70, 74))
    corners = ((x - 0.10, 0.07), (x + 0.10, 0.04), (x + 0.14, 0.46), (x - 0.06, 0.49))
    canvas.shape(corners, person.bag_color, 0.02, below=darken(person.bag_color))
    canvas.disc((x - 0.08, 0.045), 0.04, (30, 30, 32))
