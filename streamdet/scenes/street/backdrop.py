"""The backdrop: everything static behind people, vehicles and occluders."""

from __future__ import annotations

import numpy as np

from streamdet.color import ColorSpace, Plane, bgr_to_i420
from streamdet.scenes.street.backdrop_canvas import BackdropCanvas
from streamdet.scenes.street.canvas import Rgb
from streamdet.scenes.street.ground import FAR_BIKES, FAR_CARS, NEAR_BIKES, NEAR_CARS, ROAD, WALL, GroundPlane
from streamdet.scenes.street.people import darken
from streamdet.scenes.street.scenery import draw_houses, draw_sky, draw_trees, draw_wall

Planes = tuple[Plane, Plane, Plane]
_ASPHALT, _PAVING, _LAWN, _SAND = (104, 106, 110), (176, 170, 162), (112, 146, 74), (204, 184, 146)
_MIDDLE = (FAR_CARS + NEAR_CARS) / 2 - 0.005


def draw_backdrop(canvas: BackdropCanvas, ground: GroundPlane, place: str, time: str) -> None:
    """Draws one of `PLACES` at one of `TIMES`."""
    dark = time == "dusk"
    draw_sky(canvas, time)
    match place:
        case "street":
            draw_houses(canvas, dark)
            _draw_paving(canvas, ground, canvas.rng.vary_color(_PAVING))
            _draw_road(canvas, ground, canvas.rng.vary_color(_ASPHALT))
            if ground.crossing is not None:
                _draw_zebra(canvas, ground, ground.crossing)
        case "plaza":
            draw_houses(canvas, dark, roof_y=-0.04)
            color = canvas.rng.vary_color((188, 174, 154))
            _draw_paving(canvas, ground, color, joint=0.7)
            canvas.band(*ROAD, darken(color, 0.86), darken(color, 0.9), rough=3, patchy=5)
            _draw_joints(canvas, ground, *ROAD, darken(color, 0.74), 1.4)
            _draw_curbs(canvas, darken(color, 0.6))
        case "park":
            draw_trees(canvas, 0.10, 13)
            canvas.band(WALL, 1.0, _LAWN, darken(_LAWN, 0.92), rough=9, patchy=9)
            canvas.band(0.492, 0.552, _SAND, rough=5, patchy=5)
            canvas.band(0.825, 0.965, _SAND, darken(_SAND, 0.96), rough=6, patchy=5)
            _draw_road(canvas, ground, canvas.rng.vary_color((128, 124, 120)))
            _draw_flowers(canvas)
        case "carpark":
            draw_trees(canvas, 0.20, 11)
            draw_wall(canvas)
            _draw_paving(canvas, ground, canvas.rng.vary_color((150, 150, 150)))
            _draw_road(canvas, ground, canvas.rng.vary_color((92, 94, 98)))
            _draw_bays(canvas, ground)


def _draw_paving(canvas: BackdropCanvas, ground: GroundPlane, color: Rgb, joint: float = 1.0) -> None:
    canvas.band(WALL, 1.0, darken(color, 0.94), color, rough=4, patchy=4)
    canvas.band(WALL, WALL + 0.008, darken(color, 0.62), darken(color, 0.8), rough=2, patchy=2)
    for top, bottom in ((WALL + 0.01, ROAD[0]), (ROAD[1], 1.02)):
        _draw_joints(canvas, ground, top, bottom, darken(color, 0.8), joint)


def _draw_joints(
    canvas: BackdropCanvas, ground: GroundPlane, top: float, bottom: float, color: Rgb, meters: float
) -> None:
    """Draws the joints between slabs: horizontal lines, and lines that meet at the horizon."""
    middle = ground.width / 2
    step = meters * ground.meter_at(bottom)
    count = int((canvas.right - canvas.left) / (meters * ground.meter_at(top))) + 4
    for k in range(-count // 2 - 1, count // 2 + 2):
        near = middle + k * step
        far = ground.x_along_depth(near, bottom, top)
        if max(near, far) > canvas.left - 0.1 and min(near, far) < canvas.right + 0.1:
            canvas.line(((far, top), (near, bottom)), 0.0022, color, opacity=0.7)
    depth = 1 / ground.meter_at(top)
    while (y := ground.horizon + ground.camera_m / depth) < bottom:
        if y > top + 0.002:
            canvas.line(((canvas.left, y), (canvas.right, y)), 0.0022, color, opacity=0.7)
        depth -= 0.75 * meters
        if depth <= 0:
            break


def _draw_curbs(canvas: BackdropCanvas, color: Rgb) -> None:
    for y, tall in ((ROAD[0], 0.006), (ROAD[1], 0.011)):
        canvas.band(
            y - tall / 2,
            y + tall / 2,
            (min(color[0] * 1.5, 230), min(color[1] * 1.5, 230), min(color[2] * 1.5, 230)),
            color,
        )


def _draw_road(canvas: BackdropCanvas, ground: GroundPlane, color: Rgb) -> None:
    canvas.band(*ROAD, darken(color, 0.97), color, rough=5, patchy=4)
    _draw_curbs(canvas, (140, 138, 134))
    paint = (226, 226, 218)
    for y in ((FAR_BIKES + FAR_CARS) / 2 - 0.008, (NEAR_CARS + NEAR_BIKES) / 2 - 0.004):
        canvas.line(((canvas.left, y), (canvas.right, y)), 0.022 * ground.meter_at(y) + 0.002, paint, opacity=0.75)
    dash, gap = 2.0 * ground.meter_at(_MIDDLE), 2.6 * ground.meter_at(_MIDDLE)
    x = canvas.left - 0.1
    while x < canvas.right:
        canvas.line(((x, _MIDDLE), (x + dash, _MIDDLE)), 0.006, paint, opacity=0.85)
        x += dash + gap
    for k in range(3):  # patches and manholes
        x, y = canvas.rng.uniform(canvas.left, canvas.right), canvas.rng.uniform(0.60, 0.75)
        wide = 0.35 * ground.meter_at(y)
        flat = [(x + wide * a, y + 0.34 * wide * b) for a, b in _CIRCLE]
        canvas.shape(flat, darken(color, 0.72 if k else 0.86), 0.002)


_CIRCLE = tuple((float(np.cos(a)), float(np.sin(a))) for a in np.arange(20) * (2 * np.pi / 20))


def _draw_zebra(canvas: BackdropCanvas, ground: GroundPlane, x: float) -> None:
    far, near = ROAD[0] + 0.008, ROAD[1] - 0.008
    meter = ground.meter_at(near)
    for k in range(7):
        left = x + (k - 3.25) * 0.9 * meter
        right = left + 0.46 * meter
        (left_far, right_far) = (ground.x_along_depth(edge, near, far) for edge in (left, right))
        canvas.shape(((left_far, far), (right_far, far), (right, near), (left, near)), (228, 228, 222), opacity=0.85)


def _draw_bays(canvas: BackdropCanvas, ground: GroundPlane) -> None:
    """Draws parking bays in front of the wall."""
    x = canvas.left - 0.2
    while x < canvas.right + 0.2:
        canvas.line(((x + 0.02, WALL + 0.012), (x, ROAD[0] - 0.008)), 0.004, (226, 226, 218), opacity=0.8)
        x += 2.6 * ground.meter_at(0.53)


def _draw_flowers(canvas: BackdropCanvas) -> None:
    rng = canvas.rng
    for _ in range(240):
        top = rng.choice((0.80, 0.968, 0.478))
        y = top + rng.uniform(0.0, 0.02)
        place = rng.uniform(canvas.left, canvas.right), y
        canvas.shape((place,), rng.choice(((236, 220, 90), (240, 240, 236), (210, 90, 110), (90, 130, 60))), 0.0022)


def backdrop_phases(canvas: BackdropCanvas, color: ColorSpace, moves: bool) -> dict[tuple[int, int], Planes]:
    """Returns the planes by (left is odd, top is odd): the phase of the chroma grid differs."""
    rgb = np.clip(np.rint(canvas.polygons.rgba[..., :3]), 0, 255).astype(np.uint8)
    kinds = ((0, 0), (0, 1), (1, 0), (1, 1)) if moves else ((0, 0),)
    return {(x, y): _planes(rgb[y:, x:, ::-1], color) for x, y in kinds}


def _planes(bgr: Plane, color: ColorSpace) -> Planes:
    height, width = bgr.shape[:2]
    half = (height + 1) // 2, (width + 1) // 2
    planes = np.empty((height, width), np.uint8), np.empty(half, np.uint8), np.empty(half, np.uint8)
    flat = np.ascontiguousarray(bgr).reshape(height, 3 * width)
    bgr_to_i420(flat, width, height, color.rgb_to_yuv(), *planes)
    return planes
