"""The picture without anybody in it."""

from __future__ import annotations

import numpy as np

from streamdet.color import ColorSpace, Plane, bgr_to_i420
from streamdet.scenes.street.backdrop_canvas import BackdropCanvas
from streamdet.scenes.street.canvas import Rgb
from streamdet.scenes.street.ground import FAR_BIKES, FAR_CARS, NEAR_BIKES, NEAR_CARS, ROAD, WALL, GroundPlane
from streamdet.scenes.street.people import darker
from streamdet.scenes.street.scenery import draw_houses, draw_sky, draw_trees, draw_wall

Planes = tuple[Plane, Plane, Plane]
_ASPHALT, _PAVING, _LAWN, _SAND = (104, 106, 110), (176, 170, 162), (112, 146, 74), (204, 184, 146)
_MIDDLE = (FAR_CARS + NEAR_CARS) / 2 - 0.005


def draw_backdrop(board: BackdropCanvas, ground: GroundPlane, place: str, time: str) -> None:
    """Draws a place at a time of day; both as in the scene's options."""
    dark = time == "dusk"
    draw_sky(board, time)
    match place:
        case "street":
            draw_houses(board, dark)
            _paved(board, ground, board.rng.vary_color(_PAVING))
            _road(board, ground, board.rng.vary_color(_ASPHALT))
            if ground.crossing is not None:
                _zebra(board, ground, ground.crossing)
        case "plaza":
            draw_houses(board, dark, lowest=-0.04)
            color = board.rng.vary_color((188, 174, 154))
            _paved(board, ground, color, joint=0.7)
            board.band(*ROAD, darker(color, 0.86), darker(color, 0.9), rough=3, patchy=5)
            _joints(board, ground, *ROAD, darker(color, 0.74), 1.4)
            _kerbs(board, darker(color, 0.6))
        case "park":
            draw_trees(board, 0.10, 13)
            board.band(WALL, 1.0, _LAWN, darker(_LAWN, 0.92), rough=9, patchy=9)
            board.band(0.492, 0.552, _SAND, rough=5, patchy=5)
            board.band(0.825, 0.965, _SAND, darker(_SAND, 0.96), rough=6, patchy=5)
            _road(board, ground, board.rng.vary_color((128, 124, 120)))
            _flowers(board)
        case "carpark":
            draw_trees(board, 0.20, 11)
            draw_wall(board)
            _paved(board, ground, board.rng.vary_color((150, 150, 150)))
            _road(board, ground, board.rng.vary_color((92, 94, 98)))
            _bays(board, ground)


def _paved(board: BackdropCanvas, ground: GroundPlane, color: Rgb, joint: float = 1.0) -> None:
    board.band(WALL, 1.0, darker(color, 0.94), color, rough=4, patchy=4)
    board.band(WALL, WALL + 0.008, darker(color, 0.62), darker(color, 0.8), rough=2, patchy=2)
    for top, bottom in ((WALL + 0.01, ROAD[0]), (ROAD[1], 1.02)):
        _joints(board, ground, top, bottom, darker(color, 0.8), joint)


def _joints(board: BackdropCanvas, ground: GroundPlane, top: float, bottom: float, color: Rgb, metres: float) -> None:
    """Draws the gaps between slabs: lines across, and lines that meet at the horizon."""
    middle = ground.width / 2
    step = metres * ground.metre_at(bottom)
    count = int((board.right - board.left) / (metres * ground.metre_at(top))) + 4
    for k in range(-count // 2 - 1, count // 2 + 2):
        near = middle + k * step
        far = ground.x_along_depth(near, bottom, top)
        if max(near, far) > board.left - 0.1 and min(near, far) < board.right + 0.1:
            board.line(((far, top), (near, bottom)), 0.0022, color, opacity=0.7)
    depth = 1 / ground.metre_at(top)
    while (y := ground.horizon + ground.camera_m / depth) < bottom:
        if y > top + 0.002:
            board.line(((board.left, y), (board.right, y)), 0.0022, color, opacity=0.7)
        depth -= 0.75 * metres
        if depth <= 0:
            break


def _kerbs(board: BackdropCanvas, color: Rgb) -> None:
    for y, tall in ((ROAD[0], 0.006), (ROAD[1], 0.011)):
        board.band(
            y - tall / 2,
            y + tall / 2,
            (min(color[0] * 1.5, 230), min(color[1] * 1.5, 230), min(color[2] * 1.5, 230)),
            color,
        )


def _road(board: BackdropCanvas, ground: GroundPlane, color: Rgb) -> None:
    board.band(*ROAD, darker(color, 0.97), color, rough=5, patchy=4)
    _kerbs(board, (140, 138, 134))
    paint = (226, 226, 218)
    for y in ((FAR_BIKES + FAR_CARS) / 2 - 0.008, (NEAR_CARS + NEAR_BIKES) / 2 - 0.004):
        board.line(((board.left, y), (board.right, y)), 0.022 * ground.metre_at(y) + 0.002, paint, opacity=0.75)
    dash, gap = 2.0 * ground.metre_at(_MIDDLE), 2.6 * ground.metre_at(_MIDDLE)
    x = board.left - 0.1
    while x < board.right:
        board.line(((x, _MIDDLE), (x + dash, _MIDDLE)), 0.006, paint, opacity=0.85)
        x += dash + gap
    for k in range(3):  # patches and manholes
        x, y = board.rng.uniform(board.left, board.right), board.rng.uniform(0.60, 0.75)
        wide = 0.35 * ground.metre_at(y)
        flat = [(x + wide * a, y + 0.34 * wide * b) for a, b in _CIRCLE]
        board.shape(flat, darker(color, 0.72 if k else 0.86), 0.002)


_CIRCLE = tuple((float(np.cos(a)), float(np.sin(a))) for a in np.arange(20) * (2 * np.pi / 20))


def _zebra(board: BackdropCanvas, ground: GroundPlane, x: float) -> None:
    far, near = ROAD[0] + 0.008, ROAD[1] - 0.008
    metre = ground.metre_at(near)
    for k in range(7):
        left = x + (k - 3.25) * 0.9 * metre
        right = left + 0.46 * metre
        (left_far, right_far) = (ground.x_along_depth(edge, near, far) for edge in (left, right))
        board.shape(((left_far, far), (right_far, far), (right, near), (left, near)), (228, 228, 222), opacity=0.85)


def _bays(board: BackdropCanvas, ground: GroundPlane) -> None:
    """Draws parking bays in front of the wall."""
    x = board.left - 0.2
    while x < board.right + 0.2:
        board.line(((x + 0.02, WALL + 0.012), (x, ROAD[0] - 0.008)), 0.004, (226, 226, 218), opacity=0.8)
        x += 2.6 * ground.metre_at(0.53)


def _flowers(board: BackdropCanvas) -> None:
    rng = board.rng
    for _ in range(240):
        top = rng.choice((0.80, 0.968, 0.478))
        y = top + rng.uniform(0.0, 0.02)
        place = rng.uniform(board.left, board.right), y
        board.shape((place,), rng.choice(((236, 220, 90), (240, 240, 236), (210, 90, 110), (90, 130, 60))), 0.0022)


def phases(board: BackdropCanvas, color: ColorSpace, moves: bool) -> dict[tuple[int, int], Planes]:
    """Returns the planes for pictures that begin at (odd x, odd y), whose chroma samples lie elsewhere."""
    rgb = np.clip(np.rint(board.canvas.rgba[..., :3]), 0, 255).astype(np.uint8)
    kinds = ((0, 0), (0, 1), (1, 0), (1, 1)) if moves else ((0, 0),)
    return {(x, y): _planes(rgb[y:, x:, ::-1], color) for x, y in kinds}


def _planes(bgr: Plane, color: ColorSpace) -> Planes:
    height, width = bgr.shape[:2]
    half = (height + 1) // 2, (width + 1) // 2
    planes = np.empty((height, width), np.uint8), np.empty(half, np.uint8), np.empty(half, np.uint8)
    flat = np.ascontiguousarray(bgr).reshape(height, 3 * width)
    bgr_to_i420(flat, width, height, color.rgb_to_yuv(), *planes)
    return planes
