"""Scenery behind the ground: sky, houses, trees, walls."""

from __future__ import annotations

from math import cos, pi, sin

from streamdet.scenes.street.backdrop_canvas import BackdropCanvas
from streamdet.scenes.street.canvas import Rgb
from streamdet.scenes.street.ground import WALL
from streamdet.scenes.street.people import CLOTHES, darken
from streamdet.scenes.street.rng import SeededRng

SKIES: dict[str, tuple[Rgb, Rgb]] = {
    "day": ((112, 168, 226), (206, 228, 244)),
    "overcast": ((166, 174, 184), (212, 216, 220)),
    "dusk": ((64, 72, 122), (246, 170, 118)),
}
FACADES: tuple[Rgb, ...] = (
    (198, 170, 138), (170, 96, 74), (214, 204, 184), (150, 142, 134), (186, 130, 92), (120, 126, 136), (222, 190, 150),
    (140, 86, 76), (176, 186, 180), (206, 160, 140),
)  # fmt: skip
LEAVES: tuple[Rgb, ...] = ((62, 104, 52), (78, 122, 58), (50, 92, 62), (102, 130, 58), (138, 118, 52))
_LIT: Rgb = (255, 214, 138)


def draw_sky(canvas: BackdropCanvas, time: str) -> None:
    """Fills everything above the ground."""
    top, low = SKIES[time]
    canvas.band(0.0, WALL, top, low, rough=0.0, patchy=2.0 if time == "overcast" else 0.8, glows=True)
    if time == "overcast":
        return
    rng, color = canvas.rng, (252, 252, 252) if time == "day" else (255, 190, 160)
    for _ in range(3):
        x, y = rng.uniform(canvas.left, canvas.right), rng.uniform(0.02, 0.16)
        for _ in range(9):
            place = x + rng.uniform(-0.16, 0.16), y + rng.uniform(-0.012, 0.012)
            size = rng.uniform(0.012, 0.035)
            for soft in (1.7, 1.5, 1.3, 1.15, 1.0):
                canvas.shape((place, (place[0] + 0.06, place[1])), color, size * soft, opacity=0.07, glows=True)


def draw_houses(canvas: BackdropCanvas, dark: bool, roof_y: float = 0.02, shops: bool = True) -> None:
    """Draws a row of houses over the whole width; the y of their roofs is near `roof_y`."""
    x, rng = canvas.left - canvas.rng.uniform(0, 0.3), canvas.rng
    while x < canvas.right:
        width = rng.uniform(0.26, 0.62)
        _draw_house(canvas, rng, x, x + width, roof_y + rng.uniform(-0.06, 0.12), dark, shops)
        x += width


def _draw_house(
    canvas: BackdropCanvas, rng: SeededRng, left: float, right: float, top: float, dark: bool, shops: bool
) -> None:
    color = rng.vary_color(rng.choice(FACADES))
    canvas.box(left, top, right, WALL, color, darken(color, 0.86))
    if rng.bernoulli(0.35):
        _draw_bricks(canvas, left, top, right, color)
    canvas.box(left - 0.004, top - 0.012, right + 0.004, top + 0.006, darken(color, 0.7))
    shop = shops and rng.bernoulli(0.75)
    base = WALL - (0.155 if shop else 0.0)
    columns, rows = (
        max(2, int((right - left) / rng.uniform(0.085, 0.13))),
        max(2, int((base - top) / rng.uniform(0.10, 0.14))),
    )
    wide, tall = (right - left) / columns, (base - top) / rows
    pane = rng.uniform(0.45, 0.65) * wide, rng.uniform(0.5, 0.68) * tall
    frame = rng.choice(((238, 236, 230), (70, 66, 62), darken(color, 0.6)))
    curtain = rng.vary_color(rng.choice(CLOTHES))
    for row in range(rows):
        for column in range(columns):
            x, y = left + (column + 0.5) * wide, top + (row + 0.52) * tall
            _draw_window(
                canvas, rng, (x - pane[0] / 2, y - pane[1] / 2, x + pane[0] / 2, y + pane[1] / 2), frame, curtain, dark
            )
    if shop:
        _draw_shop(canvas, rng, left, right, base, dark)
    else:
        x = rng.uniform(left + 0.06, right - 0.06)
        canvas.box(x - 0.035, WALL - 0.14, x + 0.035, WALL, darken(rng.vary_color(rng.choice(CLOTHES)), 0.7))
        canvas.shape(((x + 0.02, WALL - 0.065),), (220, 200, 120), 0.004)


def _draw_bricks(canvas: BackdropCanvas, left: float, top: float, right: float, color: Rgb) -> None:
    y = top + 0.012
    while y < WALL:
        canvas.line(((left, y), (right, y)), 0.0022, darken(color, 0.82), opacity=0.6)
        y += 0.012


def _draw_window(
    canvas: BackdropCanvas, rng: SeededRng, box: tuple[float, float, float, float], frame: Rgb, curtain: Rgb, dark: bool
) -> None:
    left, top, right, bottom = box
    edge = 0.0035
    lit = dark and rng.bernoulli(0.45)
    canvas.box(left - edge, top - edge, right + edge, bottom + edge, frame)
    glass: Rgb = _LIT if lit else (88, 108, 126)
    canvas.box(left, top, right, bottom, glass, darken(glass, 0.8) if lit else (128, 150, 166), glows=lit)
    if rng.bernoulli(0.4):
        canvas.box(left, top, left + 0.3 * (right - left), bottom, curtain, opacity=0.6)
    canvas.line((((left + right) / 2, top), ((left + right) / 2, bottom)), edge, frame)
    canvas.box(left - 2 * edge, bottom + edge, right + 2 * edge, bottom + 2.6 * edge, darken(frame, 0.85))


def _draw_shop(canvas: BackdropCanvas, rng: SeededRng, left: float, right: float, top: float, dark: bool) -> None:
    sign, awning = rng.vary_color(rng.choice(CLOTHES)), rng.vary_color(rng.choice(CLOTHES))
    canvas.box(left + 0.01, top, right - 0.01, WALL, (66, 62, 60))
    glass: Rgb = _LIT if dark else (108, 126, 138)
    canvas.box(left + 0.02, top + 0.04, right - 0.075, WALL - 0.025, glass, darken(glass, 0.7), glows=dark)
    for _ in range(6):  # goods
        x, tall = rng.uniform(left + 0.03, right - 0.1), rng.uniform(0.02, 0.055)
        canvas.box(x, WALL - 0.026 - tall, x + 0.022, WALL - 0.026, rng.choice(CLOTHES), opacity=0.75)
    canvas.box(right - 0.065, top + 0.04, right - 0.02, WALL, darken(sign, 0.6))
    canvas.box(left + 0.012, top + 0.004, right - 0.012, top + 0.034, sign)
    letters = int((right - left) / 0.05)
    start = (left + right) / 2 - letters * 0.011
    for k in range(letters):
        canvas.box(
            start + 0.022 * k, top + 0.012, start + 0.022 * k + rng.uniform(0.007, 0.015), top + 0.026, (242, 240, 232)
        )
    if rng.bernoulli(0.6):
        slope = (
            (left + 0.02, top + 0.036),
            (right - 0.02, top + 0.036),
            (right - 0.005, top + 0.075),
            (left + 0.005, top + 0.075),
        )
        canvas.shape(slope, awning)
        stripes = int((right - left) / 0.04)
        for k in range(0, stripes, 2):
            x0, x1 = (left + 0.01 + (right - left - 0.02) * (k + s) / stripes for s in (0, 1))
            canvas.shape(((x0, top + 0.036), (x1, top + 0.036), (x1, top + 0.075), (x0, top + 0.075)), (240, 236, 226))


def draw_trees(canvas: BackdropCanvas, top: float, count: int) -> None:
    """Draws a dense row of trees and bushes with tops near y = `top`."""
    rng = canvas.rng
    for layer in range(3):
        shade = 0.62 + 0.17 * layer
        for k in range(count):
            x = canvas.left + (canvas.right - canvas.left) * (k + rng.uniform(0, 1)) / count
            size = rng.uniform(0.05, 0.10)
            y = top + size + layer * 0.085 + rng.uniform(-0.02, 0.05)
            draw_crown(canvas, rng, x, y, size, darken(rng.vary_color(rng.choice(LEAVES)), shade))
    canvas.band(WALL - 0.045, WALL, (58, 92, 50), (46, 76, 42), rough=7, patchy=8)


def draw_crown(canvas: BackdropCanvas, rng: SeededRng, x: float, y: float, size: float, color: Rgb) -> None:
    """Draws the crown of a tree."""
    for k in range(7):
        angle = 2 * pi * k / 7 + rng.uniform(-0.3, 0.3)
        place = x + 0.6 * size * cos(angle), y + 0.55 * size * sin(angle)
        canvas.shape(
            (place,), rng.vary_color(darken(color, 0.92 + 0.12 * -sin(angle) * -1), 7), size * rng.uniform(0.45, 0.7)
        )
    for _ in range(14):
        place = x + rng.uniform(-0.8, 0.8) * size, y + rng.uniform(-0.8, 0.7) * size
        canvas.shape((place,), rng.vary_color(color, 16), size * rng.uniform(0.08, 0.2), opacity=0.8)


def draw_wall(canvas: BackdropCanvas) -> None:
    """Draws a low wall with posters."""
    color = canvas.rng.vary_color((168, 158, 146))
    canvas.band(WALL - 0.085, WALL, color, darken(color, 0.8), rough=3, patchy=5)
    canvas.box(canvas.left, WALL - 0.093, canvas.right, WALL - 0.082, darken(color, 0.75))
    x = canvas.left + 0.1
    while x < canvas.right:
        if canvas.rng.bernoulli(0.4):
            canvas.box(x, WALL - 0.073, x + 0.045, WALL - 0.015, canvas.rng.vary_color(canvas.rng.choice(CLOTHES)))
        canvas.line(((x + 0.09, WALL - 0.085), (x + 0.09, WALL)), 0.003, darken(color, 0.7))
        x += 0.17
