"""Figures ready to be laid over a picture: planes in YUV, with the shadow they cast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.color import ColorSpace, Plane
from streamdet.picture import Picture
from streamdet.scenes.street.canvas import Point, Rgba
from streamdet.scenes.street.compositing import Layers, lay_plane

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class StreetSprite:
    """A figure with its shadow, and a clear border.

    Attributes:
        luma: (2, rows, columns): luma and opacity; rows and columns are even.
        chroma: (3, rows / 2, columns / 2): both chroma values and opacity.
        luma_spans: (rows, 2) int32: from and up to which column a row has any opacity.
        chroma_spans: the same of `chroma`.
        body: (rows, columns) uint8: opacity of the figure without its shadow.
        origin: x and y in pixels of the point on the ground that it stands on.
        scale: pixels per metre.
    """

    luma: Layers
    chroma: Layers
    luma_spans: NDArray[np.int32]
    chroma_spans: NDArray[np.int32]
    body: Plane
    origin: Point
    scale: float

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        return self.luma.nbytes + self.chroma.nbytes + self.body.nbytes


@dataclass(frozen=True, slots=True)
class Shadow:
    """How light falls.

    Attributes:
        slant: how far a shadow reaches to the right per height of the figure.
        length: how far it reaches towards the viewer per height.
        strength: opacity, 0 to 1.
    """

    slant: float
    length: float
    strength: float


def make_sprite(figure: Rgba, origin: Point, scale: float, shadow: Shadow, color: ColorSpace) -> StreetSprite:
    """Returns a figure with its shadow as planes.

    Args:
        figure: premultiplied, as `paint` leaves it; even numbers of rows and columns.
        origin: x and y in pixels of the point on the ground that it stands on.
        scale: pixels per metre.
        shadow: that it casts on the ground in front of it.
        color: of the picture.
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
    red, green, blue, thin = (_halved(plane) for plane in (red, green, blue, opacity))
    u, v = (m[k, 0] * red + m[k, 1] * green + m[k, 2] * blue + m[k, 3] * thin for k in (1, 2))
    luma, chroma = _bytes(y, 255 * opacity), _bytes(u, v, 255 * thin)
    place = origin[0] - left, origin[1] - top
    return StreetSprite(
        luma, chroma, _spans(luma[-1]), _spans(chroma[-1]), _bytes(255 * figure[..., 3])[0], place, scale
    )


def _halved(plane: Floats) -> Floats:
    return (plane[::2, ::2] + plane[::2, 1::2] + plane[1::2, ::2] + plane[1::2, 1::2]) * np.float32(0.25)


def _bytes(*planes: Floats) -> Layers:
    return np.stack([np.clip(plane + np.float32(0.5), 0, 255).astype(np.uint8) for plane in planes])


def _spans(opacity: Plane) -> NDArray[np.int32]:
    """Returns the first and one past the last column of each row that has any opacity; 0, 0 for an empty row."""
    solid = opacity > 0
    last = opacity.shape[1] - solid[:, ::-1].argmax(axis=1)
    spans = np.stack([solid.argmax(axis=1), np.where(solid.any(axis=1), last, 0)], axis=1)
    return spans.astype(np.int32)


def _with_shadow(body: Floats, ground: float, shadow: Shadow) -> Floats:
    """Returns the opacity of a figure with its flattened image on the ground below it."""
    rows, columns = body.shape
    first = max(int(ground) - 2, 0)
    lines = np.arange(first, rows - 1)
    heights = (lines + 0.5 - ground) / shadow.length
    sources = np.rint(ground - heights).astype(np.int64)
    laid = np.zeros((rows - first, columns), np.float32)
    for row, source, height in zip(range(len(lines)), sources.tolist(), heights.tolist(), strict=True):
        shift = round(shadow.slant * height)
        if 1 <= source < rows - 1 and abs(shift) < columns:
            line = body[source - 1] + body[source] + body[source + 1]
            laid[row, max(shift, 0) : columns + min(shift, 0)] = line[max(-shift, 0) : columns + min(-shift, 0)]
    soft = laid.copy()
    soft[:, 1:-1] += laid[:, :-2] + laid[:, 2:]
    soft[1:-1] = soft[:-2] + soft[1:-1] + soft[2:]
    soft *= np.float32(shadow.strength / 27)
    soft[:, 0] = soft[:, -1] = soft[-1] = 0
    soft[soft < 2 / 255] = 0
    opacity = body.copy()
    opacity[first:] += soft * (1 - body[first:])
    return opacity


def place(sprite: StreetSprite, x: float, y: float, scale: float) -> tuple[float, float, float]:
    """Returns left, top and size at which a sprite stands on (`x`, `y`) with `scale` pixels per metre."""
    size = scale / sprite.scale
    return x - sprite.origin[0] * size, y - sprite.origin[1] * size, size


def lay(picture: Picture, sprite: StreetSprite, at: tuple[float, float, float]) -> None:
    """Lays a sprite over an I420 picture (written); `at` is left, top and size as `place` gives them."""
    left, top, size = at
    y, u, v = picture.planes
    lay_plane(y, picture.width, sprite.luma, 0, sprite.luma_spans, left, top, size)
    for channel, plane in enumerate((u, v)):
        half = (picture.width + 1) // 2
        lay_plane(plane, half, sprite.chroma, channel, sprite.chroma_spans, left / 2, top / 2, size)
