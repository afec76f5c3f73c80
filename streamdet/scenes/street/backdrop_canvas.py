"""The canvas of the backdrop: as wide as the camera can see, in picture heights, y downwards."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from streamdet.scenes.street.canvas import Point, PolygonCanvas, Rgb
from streamdet.scenes.street.rng import SeededRng, gaussian_noise, value_noise


class BackdropCanvas:
    """Draws flat shapes, textured bands and soft glows.

    Attributes:
        polygons: the canvas drawn on; its meter is the height of the picture.
        left: x of the left edge of what the camera can see; 0 is the left edge of the picture without pan and shake.
        right: x of the right edge.
        rng: random numbers for drawings.
    """

    def __init__(self, size: tuple[int, int], margins: tuple[int, int], tint: Rgb, seed: int) -> None:
        width, height = size
        rgba = np.zeros((height + 2 * margins[1], width + 2 * margins[0], 4), np.float32)
        rgba[..., 3] = 1
        self.polygons = PolygonCanvas(rgba, float(height), (float(margins[0]), float(margins[1])), False, tint)
        self.left, self.right = -margins[0] / height, (width + margins[0]) / height
        self.rng = SeededRng(seed, "board")
        self._seed = seed

    def shape(self, points: Sequence[Point], color: Rgb, radius: float = 0.0, below: Rgb | None = None,
              opacity: float = 1.0, glows: bool = False) -> None:  # fmt: skip
        """Draws a polygon; see `PolygonCanvas.shape`."""
        self.polygons.shape([(x, -y) for x, y in points], color, radius, below, opacity, glows)

    def box(self, left: float, top: float, right: float, bottom: float, color: Rgb, below: Rgb | None = None,
            opacity: float = 1.0, glows: bool = False) -> None:  # fmt: skip
        """Draws a rectangle."""
        self.shape(((left, top), (right, top), (right, bottom), (left, bottom)), color, 0.0, below, opacity, glows)

    def line(self, points: Sequence[Point], width: float, color: Rgb, opacity: float = 1.0) -> None:
        """Draws a line."""
        for a, b in pairwise(points):
            self.shape((a, b), color, width / 2, opacity=opacity)

    def band(self, top: float, bottom: float, color: Rgb, below: Rgb | None = None, rough: float = 3.0,
             patchy: float = 4.0, glows: bool = False) -> None:  # fmt: skip
        """Fills a horizontal band of the whole width with a textured gradient.

        Args:
            top: y of the upper edge.
            bottom: y of the lower edge.
            color: at the top.
            below: at the bottom; `color` if None.
            rough: standard deviation of single pixels.
            patchy: strength of blotches.
            glows: emits light, so that the tint does not apply.
        """
        rgba, scale, zero = self.polygons.rgba, self.polygons.scale, self.polygons.origin[1]
        first = 0 if top <= 0 else min(max(round(zero + top * scale), 0), len(rgba))
        last = len(rgba) if bottom >= 1 else min(max(round(zero + bottom * scale), 0), len(rgba))
        rows, columns = last - first, rgba.shape[1]
        if rows <= 0:
            return
        share = ((np.arange(rows, dtype=np.float32) + 0.5) / rows)[:, None, None]
        ends = np.array([color, color if below is None else below], np.float32)
        if not glows:
            ends *= np.array(self.polygons.tint, np.float32)
        rgba[first:last, :, :3] = ends[0] + (ends[1] - ends[0]) * share
        texture = np.zeros((rows, columns), np.float32)
        if patchy:
            for k, cell in enumerate((0.16, 0.05)):
                texture += (
                    patchy * (0.7, 0.5)[k] * value_noise(rows, columns, cell * scale, self._seed + 31 * k + first)
                )
        if rough:
            texture += rough * gaussian_noise(rows * columns, self._seed + first + 7).reshape(rows, columns)
        rgba[first:last, :, :3] += texture[..., None] * np.float32(1.0 if glows else min(self.polygons.tint))
