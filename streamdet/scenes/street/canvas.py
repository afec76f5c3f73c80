"""Anti-aliased drawing of rounded polygons in meters, which everything in the scene is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel

Rgb = tuple[float, float, float]
Point = tuple[float, float]
Rgba = NDArray[np.float32]


@kernel
def _x_range(points: NDArray[np.float32], edges: int, y: float, margin: float) -> tuple[float, float]:
    """Returns the range of x in which a polygon can be within `margin` of a row; 0, -2 if empty."""
    first, last, j = 1e30, -1e30, points.shape[0] - 1
    for i in range(edges):
        x0, y0, x1, y1 = points[j, 0], points[j, 1], points[i, 0], points[i, 1]
        j = i
        if max(y0, y1) < y - margin or min(y0, y1) > y + margin:
            continue
        slope = (x1 - x0) / (y1 - y0) if abs(y1 - y0) > 1e-3 else 0.0
        for bound in (y - margin, y + margin):
            if slope != 0.0:
                inside = min(max(bound, min(y0, y1)), max(y0, y1))
                x = x0 + (inside - y0) * slope
                first, last = min(first, x), max(last, x)
            else:
                first, last = min(first, min(x0, x1)), max(last, max(x0, x1))
    return (first - margin, last + margin) if first <= last else (0.0, -2.0)


@kernel
def paint(rgba: Rgba, points: NDArray[np.float32], radius: float, colors: NDArray[np.float32], opacity: float) -> None:
    """Composites a polygon, rounded outwards by `radius`, over a premultiplied picture (modified).

    Args:
        rgba: (height, width, 4) float32: red, green and blue times opacity, 0 to 255, and opacity, 0 to 1.
        points: (N, 2) float32 of x, y in pixels; one point is a disc, two are a line with round ends.
        radius: in pixels.
        colors: (2, 3) float32: red, green and blue at the upper and lower end of the shape, interpolated in between.
        opacity: of the shape, 0 to 1.
    """
    count = points.shape[0]
    edges = 1 if count == 2 else count
    top, bottom = points[:, 1].min() - radius - 1, points[:, 1].max() + radius + 1
    for row in range(max(int(top), 0), min(int(bottom) + 1, rgba.shape[0])):
        y = row + 0.5
        below = min(max((y - top - 1) / max(bottom - top - 2, 1e-6), 0.0), 1.0)
        red = colors[0, 0] + (colors[1, 0] - colors[0, 0]) * below
        green = colors[0, 1] + (colors[1, 1] - colors[0, 1]) * below
        blue = colors[0, 2] + (colors[1, 2] - colors[0, 2]) * below
        first, last = _x_range(points, edges, y, radius + 1)
        for column in range(max(int(first), 0), min(int(last) + 1, rgba.shape[1])):
            x = column + 0.5
            nearest, inside, j = 1e30, False, count - 1
            for i in range(edges):
                ax, ay = points[j, 0], points[j, 1]
                dx, dy = points[i, 0] - ax, points[i, 1] - ay
                px, py = x - ax, y - ay
                length2 = dx * dx + dy * dy
                along = min(max((px * dx + py * dy) / length2, 0.0), 1.0) if length2 > 0 else 0.0
                nearest = min(nearest, (px - along * dx) ** 2 + (py - along * dy) ** 2)
                if count > 2 and (ay > y) != (points[i, 1] > y) and px < dx * py / dy:
                    inside = not inside
                j = i
            distance = -np.sqrt(nearest) if inside else np.sqrt(nearest)
            covered = min(max(0.5 - distance + radius, 0.0), 1.0) * opacity
            if covered > 0:
                rgba[row, column, 0] = rgba[row, column, 0] * (1 - covered) + red * covered
                rgba[row, column, 1] = rgba[row, column, 1] * (1 - covered) + green * covered
                rgba[row, column, 2] = rgba[row, column, 2] * (1 - covered) + blue * covered
                rgba[row, column, 3] = rgba[row, column, 3] * (1 - covered) + covered


def paint_reference(
    rgba: Rgba, points: NDArray[np.float32], radius: float, colors: NDArray[np.float32], opacity: float
) -> Rgba:
    """The same as `paint` in plain numpy; returns a new picture."""
    y, x = (grid + 0.5 for grid in np.mgrid[: rgba.shape[0], : rgba.shape[1]].astype(np.float64))
    nearest, inside = np.full(x.shape, 1e30), np.zeros(x.shape, bool)
    for a, b in zip(np.roll(points, 1, axis=0).astype(np.float64), points.astype(np.float64), strict=True):
        (dx, dy), px, py = b - a, x - a[0], y - a[1]
        length2 = dx * dx + dy * dy
        along = np.clip((px * dx + py * dy) / length2, 0, 1) if length2 > 0 else np.zeros_like(px)
        nearest = np.minimum(nearest, (px - along * dx) ** 2 + (py - along * dy) ** 2)
        if dy != 0:
            inside ^= ((a[1] > y) != (b[1] > y)) & (px < dx * py / dy)
    distance = np.where(inside, -np.sqrt(nearest), np.sqrt(nearest))
    covered = (np.clip(0.5 - distance + radius, 0, 1) * opacity)[..., None]
    top, bottom = points[:, 1].min() - radius, points[:, 1].max() + radius
    below = np.clip((y - top) / max(bottom - top, 1e-6), 0, 1)[..., None]
    layer = np.concatenate([colors[0] + (colors[1] - colors[0]) * below, np.ones_like(below)], axis=-1)
    return (rgba * (1 - covered) + layer * covered).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class PolygonCanvas:
    """A canvas with coordinates in meters: x to the right, y up, from an origin on the ground.

    Attributes:
        rgba: as for `paint`.
        scale: pixels per meter.
        origin: x and y of the origin in pixels.
        mirror: flips x, so that a figure facing right faces left.
        tint: factors for red, green and blue, from the lighting.
    """

    rgba: Rgba
    scale: float
    origin: Point
    mirror: bool = False
    tint: Rgb = (1.0, 1.0, 1.0)

    @classmethod
    def blank(cls, width: int, height: int, scale: float, origin: Point, mirror: bool, tint: Rgb) -> PolygonCanvas:
        """Returns an empty canvas."""
        return cls(np.zeros((height, width, 4), np.float32), scale, origin, mirror, tint)

    def shape(
        self,
        points: Sequence[Point],
        color: Rgb,
        radius: float = 0.0,
        below: Rgb | None = None,
        opacity: float = 1.0,
        glows: bool = False,
    ) -> None:
        """Draws a polygon.

        Args:
            points: x, y in meters.
            color: red, green and blue, 0 to 255.
            radius: rounds it outwards, in meters.
            below: the color at its lower end; `color` if None.
            opacity: 0 to 1.
            glows: emits light, so that the tint does not apply.
        """
        pixels = np.array(points, np.float32) * np.float32(self.scale)
        pixels[:, 0] = np.float32(self.origin[0]) + (-pixels[:, 0] if self.mirror else pixels[:, 0])
        pixels[:, 1] = np.float32(self.origin[1]) - pixels[:, 1]
        colors = np.array([color, color if below is None else below], np.float32)
        if not glows:
            colors *= np.array(self.tint, np.float32)
        paint(self.rgba, pixels, radius * self.scale, colors, opacity)

    def line(self, points: Sequence[Point], width: float, color: Rgb) -> None:
        """Draws a line with round ends and joints, at least a pixel wide so that it stays visible at small sizes."""
        radius = max(width / 2, 0.55 / self.scale)
        for a, b in pairwise(points):
            self.shape((a, b), color, radius)

    def disc(self, center: Point, radius: float, color: Rgb, glows: bool = False) -> None:
        """Draws a disc."""
        self.shape((center,), color, radius, glows=glows)

    def box(self, left: float, bottom: float, right: float, top: float, color: Rgb, radius: float = 0.0,
            below: Rgb | None = None, glows: bool = False) -> None:  # fmt: skip
        """Draws a rectangle; see `shape`."""
        corners = ((left, bottom), (right, bottom), (right, top), (left, top))
        self.shape(corners, color, radius, below, glows=glows)


def oval(center: Point, half_width: float, half_height: float, turn: float = 0.0, corners: int = 16) -> list[Point]:
    """Returns the corners of an ellipse turned by `turn` radians."""
    angles = (2 * pi * k / corners for k in range(corners))
    flat = ((half_width * cos(a), half_height * sin(a)) for a in angles)
    return [(center[0] + x * cos(turn) - y * sin(turn), center[1] + x * sin(turn) + y * cos(turn)) for x, y in flat]
