"""How people look: bodies, clothes and bags, walking or standing, from the side, the front and the back."""

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
    """From where a figure is seen."""

    SIDE = "side"
    FRONT = "front"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Person:
    """What somebody looks like.

    Attributes:
        height: in metres.
        build: breadth, 1.0 is ordinary.
        top: what is worn above: "shirt", "striped", "vest", "coat" or "dress".
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
        """Returns somebody."""
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


def darker(color: Rgb, share: float = 0.75) -> Rgb:
    """Returns a colour in shade."""
    return color[0] * share, color[1] * share, color[2] * share


def limb(canvas: PolygonCanvas, points: tuple[Point, ...], width: float, color: Rgb) -> None:
    """Draws an arm or a leg."""
    canvas.line(points, width, color)


def draw_person(canvas: PolygonCanvas, who: Person, view: View, turn: float, stride: float) -> None:
    """Draws somebody.

    Args:
        canvas: its origin is between the feet.
        who: what to draw.
        view: from where; the side looks right.
        turn: where in a step of two they are, in radians.
        stride: 0 standing, 1 walking.
    """
    if view is View.SIDE:
        _draw_side(canvas, who, turn, stride)
    else:
        _draw_facing(canvas, who, view, turn, stride)


def _leg(who: Person, hip: Point, turn: float, stride: float) -> tuple[Point, Point, Point]:
    """Returns hip, knee and ankle of a leg."""
    thigh = stride * (0.44 * sin(turn) + 0.06)
    bend = stride * (0.14 + 0.75 * max(0.0, cos(turn)) ** 1.5)
    part = 0.245 * who.height
    knee = hip[0] + part * sin(thigh), hip[1] - part * cos(thigh)
    return hip, knee, (knee[0] + part * sin(thigh - bend), knee[1] - part * cos(thigh - bend))


def _draw_side(canvas: PolygonCanvas, who: Person, turn: float, stride: float) -> None:
    h, b = who.height, who.build
    trial = [_leg(who, (0.0, 0.0), turn + shift, stride)[2][1] for shift in (0.0, pi)]
    hip_y = 0.035 * h - min(trial)
    hip, shoulder = (0.0, hip_y), (0.012 * h * stride, hip_y + 0.30 * h)
    far_arm, near_arm = _arm(who, shoulder, turn, stride), _arm(who, shoulder, turn + pi, stride)
    if who.bag == "case":
        _suitcase(canvas, who, -0.30 * h)
        near_arm = near_arm[0], (-0.06 * h, near_arm[1][1]), (-0.17 * h, hip_y - 0.03 * h)
    if who.bag == "backpack":
        back = -0.075 * h * b
        canvas.box(back - 0.07 * h, hip_y + 0.07 * h, back + 0.02 * h, hip_y + 0.25 * h, who.bag_color, radius=0.02 * h,
                   below=None)  # fmt: skip
    sleeve = who.skin if who.top in ("vest", "dress") else darker(who.top_color, 0.8)
    limb(canvas, far_arm, 0.052 * h * b, sleeve)
    _side_leg(canvas, who, _leg(who, hip, turn + pi, stride), 0.72)
    _side_leg(canvas, who, _leg(who, hip, turn, stride), 1.0)
    _torso(canvas, who, hip, shoulder, 0.062 * h * b)
    _head(canvas, who, (shoulder[0] + 0.012 * h, hip_y + 0.405 * h), View.SIDE)
    limb(canvas, near_arm[:2], 0.058 * h * b, who.skin if who.top == "vest" else darker(who.top_color, 0.9))
    limb(canvas, near_arm[1:], 0.048 * h * b, who.skin if who.top == "vest" else darker(who.top_color, 0.9))
    canvas.disc(near_arm[2], 0.024 * h, who.skin)
    if who.bag == "shoulder":
        canvas.line((shoulder, (-0.02 * h, hip_y + 0.02 * h)), 0.014 * h, darker(who.bag_color))
        canvas.box(-0.08 * h, hip_y - 0.06 * h, 0.04 * h, hip_y + 0.04 * h, who.bag_color, radius=0.012 * h)
    elif who.bag == "shopping":
        _shopping(canvas, who, near_arm[2])


def _side_leg(canvas: PolygonCanvas, who: Person, leg: tuple[Point, Point, Point], light: float) -> None:
    h, b = who.height, who.build
    cloth, skin = darker(who.leg_color, light), darker(who.skin, light)
    hip, knee, ankle = leg
    upper, lower = (cloth, cloth) if who.legs == "trousers" else ((cloth if who.legs == "shorts" else skin), skin)
    toe = ankle[0] + 0.085 * h, max(ankle[1] - 0.012 * h, 0.018 * h)
    limb(canvas, (ankle, toe), 0.042 * h, darker(who.shoe_color, light))
    limb(canvas, (knee, ankle), (0.058 if lower is cloth else 0.046) * h * b, lower)
    limb(canvas, (hip, knee), 0.085 * h * b, upper)


def _arm(who: Person, shoulder: Point, turn: float, stride: float) -> tuple[Point, Point, Point]:
    """Returns shoulder, elbow and hand of an arm, which swings against the leg of the same side."""
    part, swing = 0.155 * who.height, -0.42 * stride * sin(turn + pi)
    elbow = shoulder[0] + part * sin(swing), shoulder[1] - part * cos(swing)
    bend = swing + 0.12 + 0.35 * stride
    return shoulder, elbow, (elbow[0] + part * sin(bend), elbow[1] - part * cos(bend))


def _torso(canvas: PolygonCanvas, who: Person, hip: Point, shoulder: Point, half: float) -> None:
    """Draws what is worn, `half` as broad as half a body from where it is seen."""
    h, color = who.height, who.top_color
    low = {"coat": -0.16, "dress": -0.20}.get(who.top, -0.015) * h
    flare = {"coat": 1.25, "dress": 1.7}.get(who.top, 0.95)
    if who.legs == "skirt" and who.top != "dress":
        _cut(canvas, hip, (hip[0], hip[1] + 0.05 * h), half, half * 1.7, -0.17 * h, who.leg_color)
    _cut(canvas, hip, shoulder, half, half * flare, low, color)
    if who.top == "striped":
        for k in range(4):
            y = hip[1] + (0.03 + 0.075 * k) * h
            canvas.box(hip[0] - half, y, hip[0] + half, y + 0.032 * h, who.second_color)
    elif who.top == "coat":
        canvas.line(((hip[0] + 0.4 * half, hip[1] + low), (shoulder[0] + 0.4 * half, shoulder[1])), 0.012 * h,
                    darker(color, 0.6))  # fmt: skip
    elif who.top == "vest":
        canvas.box(hip[0] - half, hip[1] + 0.10 * h, hip[0] + half, hip[1] + 0.14 * h, who.second_color)
    if who.top in ("shirt", "striped"):
        canvas.box(hip[0] - 0.9 * half, hip[1] - 0.03 * h, hip[0] + 0.9 * half, hip[1] + 0.0 * h, darker(who.leg_color))


def _cut(canvas: PolygonCanvas, hip: Point, top: Point, half: float, hem: float, low: float, color: Rgb) -> None:
    """Draws a piece of cloth from `top` down to `low` below the hip."""
    points = (
        (hip[0] - hem, hip[1] + low), (hip[0] + hem, hip[1] + low), (hip[0] + 0.9 * half, hip[1] + 0.06),
        (top[0] + half, top[1] - 0.03), (top[0] + 0.5 * half, top[1] + 0.02), (top[0] - 0.5 * half, top[1] + 0.02),
        (top[0] - half, top[1] - 0.03), (hip[0] - 0.9 * half, hip[1] + 0.06),
    )  # fmt: skip
    canvas.shape(points, color, 0.018, below=darker(color, 0.78))


def _head(canvas: PolygonCanvas, who: Person, center: Point, view: View) -> None:
    h, (x, y) = who.height, center
    canvas.line(((x - 0.01 * h, y - 0.085 * h), (x, y - 0.03 * h)), 0.05 * h, darker(who.skin, 0.9))
    wide = 0.053 * h if view is View.SIDE else 0.047 * h
    if who.head in ("long", "bun") and view is not View.BACK:
        shift = -0.028 * h if view is View.SIDE else 0.0
        length = 0.075 if who.head == "long" else 0.05
        canvas.shape(oval((x + shift, y - 0.01 * h), 0.058 * h, length * h), darker(who.hair, 0.9))
    canvas.shape(oval(center, wide, 0.066 * h), who.skin, below=darker(who.skin, 0.86))
    if view is View.SIDE:
        canvas.disc((x + 0.052 * h, y - 0.008 * h), 0.012 * h, who.skin)
    _hair(canvas, who, center, view)


def _hair(canvas: PolygonCanvas, who: Person, center: Point, view: View) -> None:
    h, (x, y) = who.height, center
    back = {View.SIDE: -0.014 * h, View.FRONT: 0.0, View.BACK: 0.0}[view]
    color = who.second_color if who.head in ("cap", "beanie", "hat", "hood") else who.hair
    if view is View.BACK and who.head not in ("bald",):
        low = 0.085 if who.head == "long" else 0.062
        canvas.shape(oval((x, y - (low - 0.062) * h), 0.052 * h, low * h), color)
    if who.head == "bald":
        return
    if who.head == "hood":
        canvas.shape(oval((x - 0.02 * h, y + 0.004 * h), 0.05 * h, 0.075 * h), who.top_color)
        return
    crown = [(x + back + 0.058 * h * cos(a), y + 0.012 * h + 0.060 * h * sin(a)) for a in (0.1 + 0.19 * k for k in range(16))]  # fmt: skip  # noqa: E501
    canvas.shape(crown, color, below=darker(color, 0.85))
    if who.head == "bun":
        canvas.disc((x - (0.055 * h if view is View.SIDE else 0.0), y + 0.055 * h), 0.028 * h, color)
    elif who.head == "cap" and view is View.SIDE:
        canvas.line(((x + 0.03 * h, y + 0.022 * h), (x + 0.09 * h, y + 0.016 * h)), 0.016 * h, darker(color))
    elif who.head == "hat":
        canvas.line(((x - 0.085 * h, y + 0.022 * h), (x + 0.085 * h, y + 0.022 * h)), 0.018 * h, darker(color, 0.85))


def _draw_facing(canvas: PolygonCanvas, who: Person, view: View, turn: float, stride: float) -> None:
    h, b = who.height, who.build
    hip_y = 0.515 * h + 0.008 * h * stride * cos(2 * turn)
    half = 0.092 * h * b
    for side in (-1, 1):
        lift = 0.055 * h * stride * max(0.0, sin(turn) * side)
        _facing_leg(canvas, who, side, hip_y, lift)
    bag_behind = who.bag == "backpack" and view is View.FRONT
    if bag_behind:
        canvas.box(-half, hip_y + 0.1 * h, half, hip_y + 0.29 * h, who.bag_color, radius=0.02 * h)
    for side in (-1, 1):
        reach = 0.02 * h * stride * sin(turn) * side
        elbow, hand = (
            (side * (half + 0.038 * h), hip_y + 0.14 * h),
            (side * (half + 0.03 * h), hip_y - 0.01 * h + reach),
        )
        bare = who.top == "vest"
        limb(canvas, ((side * half * 0.95, hip_y + 0.28 * h), elbow, hand), 0.054 * h * b,
             who.skin if bare else darker(who.top_color, 0.85))  # fmt: skip
        canvas.disc(hand, 0.024 * h, who.skin)
        if side == 1 and who.bag == "shopping":
            _shopping(canvas, who, hand)
    _torso(canvas, who, (0.0, hip_y), (0.0, hip_y + 0.30 * h), half)
    _head(canvas, who, (0.0, hip_y + 0.405 * h), view)
    if who.bag == "backpack" and view is View.BACK:
        canvas.box(-0.7 * half, hip_y + 0.06 * h, 0.7 * half, hip_y + 0.25 * h, who.bag_color, radius=0.02 * h)
    elif who.bag == "shoulder":
        canvas.line(((-0.7 * half, hip_y + 0.3 * h), (half, hip_y + 0.02 * h)), 0.014 * h, darker(who.bag_color))
        canvas.box(half - 0.02 * h, hip_y - 0.06 * h, half + 0.07 * h, hip_y + 0.04 * h, who.bag_color, radius=0.01 * h)


def _facing_leg(canvas: PolygonCanvas, who: Person, side: int, hip_y: float, lift: float) -> None:
    h, b = who.height, who.build
    cloth = darker(who.leg_color, 1.0 if side > 0 else 0.85)
    lower = cloth if who.legs == "trousers" else who.skin
    knee, ankle = (side * 0.05 * h * b, 0.27 * h + 0.4 * lift), (side * 0.052 * h * b, 0.045 * h + lift)
    limb(canvas, (ankle, (ankle[0] + side * 0.012 * h, max(0.024 * h, ankle[1] - 0.02 * h))), 0.05 * h, who.shoe_color)
    limb(canvas, (knee, ankle), (0.062 if lower is cloth else 0.048) * h * b, lower)
    limb(canvas, ((side * 0.045 * h * b, hip_y), knee), 0.086 * h * b, cloth if who.legs != "skirt" else who.skin)


def _shopping(canvas: PolygonCanvas, who: Person, hand: Point) -> None:
    h, (x, y) = who.height, hand
    canvas.box(x - 0.06 * h, y - 0.19 * h, x + 0.06 * h, y - 0.05 * h, who.bag_color, radius=0.006 * h)
    canvas.line(((x - 0.035 * h, y - 0.05 * h), hand, (x + 0.035 * h, y - 0.05 * h)), 0.01 * h, darker(who.bag_color))


def _suitcase(canvas: PolygonCanvas, who: Person, x: float) -> None:
    h = who.height
    canvas.line(((x, 0.2 * h), (x + 0.1 * h, 0.46 * h)), 0.014 * h, (70, 70, 74))
    corners = ((x - 0.10, 0.07), (x + 0.10, 0.04), (x + 0.14, 0.46), (x - 0.06, 0.49))
    canvas.shape(corners, who.bag_color, 0.02, below=darker(who.bag_color))
    canvas.disc((x - 0.08, 0.045), 0.04, (30, 30, 32))
