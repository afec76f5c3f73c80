"""Sprites of figures and objects: YUV layers that include the shadow on the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.color import ColorSpace, Plane
from streamdet.picture import Picture
from streamdet.scenes.street.canvas import Point, Rgba
from streamdet.scenes.street.compositing import Placement, SpriteLayers, composite_i420

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class StreetSprite:
    """A figure with its shadow and a transparent border.

    Attributes:
        luma: values (2, rows, columns): luma and opacity; rows and columns are even.
        chroma: values (3, rows / 2, columns / 2): both chroma values and opacity.
        body: (rows, columns) uint8: opacity of the figure without its shadow.
        origin: x and y in pixels of the point on the ground that it stands on.
        scale: pixels per meter.
    """

    luma: SpriteLayers
    chroma: SpriteLayers
    body: Plane
    origin: Point
    scale: float

    @property
    def bytes(self) -> int:
        """Memory used, in bytes."""
        return self.luma.values.nbytes + self.chroma.values.nbytes + self.body.nbytes


@dataclass(frozen=True, slots=True)
class Shadow:
    """Shape and strength of the shadows.

    Attributes:
        slant: how far a shadow extends to the right, per height of the figure.
        length: how far it extends toward the viewer, per height of the figure.
        strength: opacity, 0 to 1.
    """

    slant: float
    length: float
    strength: float


def make_sprite(figure: Rgba, origin: Point, scale: float, shadow: Shadow, color: ColorSpace) -> StreetSprite:
    """Returns the sprite of a figure with its shadow.

    Args:
        figure: premultiplied RGBA as `paint` produces it; the numbers of rows and columns are even.
        origin: x and y in pixels of the point on the ground that it stands on.
        scale: pixels per meter.
        shadow: the shadow on the ground in front of it.
        color: color space of the picture.
    """
    opacity = _with_shadow(figure[..., 3], origin[1], shadow)
    rows, columns = np.flatnonzero(opacity.max(axis=1) > 0), np.flatnonzero(opacity.max(axis=0) > 0)
    top, left = (max(int(first) - 2 & ~1, 0) for first in (rows[0], columns[0]))
    bottom, right = ((int(last) + 4) & ~1 for last in (rows[-1], columns[-1]))
    cut = slice(top, bottom), slice(left, right)
    figure, opacity = figure[cut], opacity[cut]
    m = color.rgb_to_yuv()
    red, green, blue = (np.ascontiguousarray(figure[..., k]) for k in range(3))
    y = m[0, 0] * red + m[0, 1] * green + m[0, 2] * blue + m[0, 3] * opacity
    red, green, blue, half_opacity = (_halved(plane) for plane in (red, green, blue, opacity))
    u, v = (m[k, 0] * red + m[k, 1] * green + m[k, 2] * blue + m[k, 3] * half_opacity for k in (1, 2))
    luma, chroma = _layers(y, 255 * opacity), _layers(u, v, 255 * half_opacity)
    foot = origin[0] - left, origin[1] - top
    return StreetSprite(luma, chroma, _bytes(255 * figure[..., 3])[0], foot, scale)


def _halved(plane: Floats) -> Floats:
    return (plane[::2, ::2] + plane[::2, 1::2] + plane[1::2, ::2] + plane[1::2, 1::2]) * np.float32(0.25)


def _layers(*planes: Floats) -> SpriteLayers:
    values = _bytes(*planes)
    return SpriteLayers(values, _spans(values[-1]))


def _bytes(*planes: Floats) -> NDArray[np.uint8]:
    return np.stack([np.clip(plane + np.float32(0.5), 0, 255).astype(np.uint8) for plane in planes])


def _spans(opacity: Plane) -> NDArray[np.int32]:
    """Returns the first and one past the last column with any opacity of each row; 0, 0 for an empty row."""
    solid = opacity > 0
    last = opacity.shape[1] - solid[:, ::-1].argmax(axis=1)
    spans = np.stack([solid.argmax(axis=1), np.where(solid.any(axis=1), last, 0)], axis=1)
    return spans.astype(np.int32)


def _with_shadow(body: Floats, ground: float, shadow: Shadow) -> Floats:
    """Returns the opacity of a figure and of its shadow, a flattened image of it on the ground."""
    rows, columns = body.shape
    first = max(int(ground) - 2, 0)
    lines = np.arange(first, rows - 1)
    heights = (lines + 0.5 - ground) / shadow.length
    sources = np.rint(ground - heights).astype(np.int64)
    shadowed = np.zeros((rows - first, columns), np.float32)
    for row, source, height in zip(range(len(lines)), sources.tolist(), heights.tolist(), strict=True):
        shift = round(shadow.slant * height)
        if 1 <= source < rows - 1 and abs(shift) < columns:
            line = body[source - 1] + body[source] + body[source + 1]
            shadowed[row, max(shift, 0) : columns + min(shift, 0)] = line[max(-shift, 0) : columns + min(-shift, 0)]
    blurred = shadowed.copy()
    blurred[:, 1:-1] += shadowed[:, :-2] + shadowed[:, 2:]
    blurred[1:-1] = blurred[:-2] + blurred[1:-1] + blurred[2:]
    blurred *= np.float32(shadow.strength / 27)
    blurred[:, 0] = blurred[:, -1] = blurred[-1] = 0
    blurred[blurred < 2 / 255] = 0
    opacity = body.copy()
    opacity[first:] += blurred * (1 - body[first:])
    return opacity


def place_on_ground(sprite: StreetSprite, x: float, y: float, scale: float) -> Placement:
    """Returns where a sprite stands on the ground point (`x`, `y`), drawn at `scale` pixels per meter."""
    size = scale / sprite.scale
    return Placement(x - sprite.origin[0] * size, y - sprite.origin[1] * size, size)


def composite(picture: Picture, sprite: StreetSprite, placement: Placement) -> None:
    """Composites a sprite over an I420 picture (modified)."""
    y, u, v = picture.planes
    composite_i420(y, u, v, picture.width, sprite.luma, sprite.chroma, placement)
