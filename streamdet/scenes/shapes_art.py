"""Drawings of `synthetic:shapes` as YUV planes: a plain background, and flat shapes with soft shadows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdet.color import ColorSpace, Plane, bgr_to_i420
from streamdet.kernels import kernel
from streamdet.picture import Picture

Image = NDArray[np.float64]

# Base color of each class (disc, box, triangle), sRGB. They differ from the gray background and, along one axis each,
# from each other; the built-in detector separates the classes by these axes.
CLASS_COLORS = ((240, 84, 84), (62, 126, 242), (44, 186, 112))


@dataclass(frozen=True, slots=True, eq=False)
class ShapeSprite:
    """A shape with its shadow, premultiplied, in one variant per phase of the chroma grid.

    Attributes:
        body: (height, width) bool: pixels at least half covered by the shape itself, cropped to its extents.
        margin: columns and rows of shadow around `body`, even.
        variants: by (odd left, odd top): the Y, U and V planes as (rows, columns, 2) uint8 of value and opacity.
    """

    body: NDArray[np.bool_]
    margin: int
    variants: dict[tuple[int, int], tuple[Plane, Plane, Plane]]

    @property
    def width(self) -> int:
        """Width of the body in pixels."""
        return int(self.body.shape[1])

    @property
    def height(self) -> int:
        """Height of the body in pixels."""
        return int(self.body.shape[0])


def background(width: int, height: int, color: ColorSpace) -> tuple[Plane, Plane, Plane]:
    """Returns the planes of the background: a pale gradient, wide soft bands, and a grid of faint dots."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    unit = height / 18
    light, dark = np.array([242.0, 245.0, 249.0]), np.array([213.0, 220.0, 231.0])
    rgb = light + (dark - light) * (y / height)[..., None]
    bands = np.clip(0.5 + 14 * np.sin(2 * np.pi * (x + 0.6 * y) / (9 * unit)), 0, 1)
    rgb -= 3.0 * bands[..., None]
    to_dot = np.hypot((x % unit) - unit / 2, (y % unit) - unit / 2)
    rgb -= 22.0 * np.clip(0.045 * unit + 0.5 - to_dot, 0, 1)[..., None]
    horizon = np.clip(0.5 + (y - height * (0.80 + 0.05 * np.sin(2 * np.pi * x / width))) / 1.5, 0, 1)
    rgb -= 9.0 * horizon[..., None]
    bgr = np.ascontiguousarray(np.clip(np.rint(rgb[..., ::-1]), 0, 255).astype(np.uint8).reshape(height, 3 * width))
    half = (height + 1) // 2, (width + 1) // 2
    planes = np.empty((height, width), np.uint8), np.empty(half, np.uint8), np.empty(half, np.uint8)
    bgr_to_i420(bgr, width, height, color.rgb_to_yuv(), *planes)
    return planes


def make_sprite(class_id: int, size: float, rng: np.random.Generator, color: ColorSpace) -> ShapeSprite:
    """Returns a shape about `size` pixels wide and high, in a random shade of its class's color."""
    margin = 2 * max(2, round(0.11 * size))
    side = int(1.3 * size) + 4 + 2 * margin
    x, y = np.meshgrid(np.arange(side) + 0.5 - side / 2, np.arange(side) + 0.5 - side / 2)
    distance = _distance(class_id, x, y, size)
    coverage = np.clip(0.5 - distance, 0, 1)
    shadow_distance = _distance(class_id, x, y - 0.06 * size, size)
    shadow = 0.30 / (1 + np.exp(np.clip(shadow_distance / (0.035 * size), -40, 40)))
    shade = np.array(CLASS_COLORS[class_id]) * rng.uniform(0.94, 1.04) + rng.uniform(-8, 8, 3)
    light = 1.07 - 0.17 * (y / size + 0.5)  # lit from above
    inner = np.clip(0.5 - (distance + 0.17 * size), 0, 1) - np.clip(0.5 - (distance + 0.26 * size), 0, 1)
    rgb = np.clip(shade * light[..., None] + 26 * inner[..., None], 0, 255)
    opacity = coverage + shadow * (1 - coverage)
    opacity[opacity < 1.5 / 255] = 0
    rgb *= np.where(opacity > 0, coverage, 0)[..., None]  # premultiplied; the shadow adds only black

    body = coverage >= 0.5
    rows, columns = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    cut = slice(top - margin, bottom + margin), slice(left - margin, right + margin)
    variants = {
        (odd_x, odd_y): _planes(rgb[cut], opacity[cut], odd_x, odd_y, color) for odd_x in (0, 1) for odd_y in (0, 1)
    }
    return ShapeSprite(np.ascontiguousarray(body[top:bottom, left:right]), margin, variants)


def _distance(class_id: int, x: Image, y: Image, size: float) -> Image:
    """Returns the signed distance to the edge of a class's shape in pixels, negative inside."""
    if class_id == 0:
        return np.hypot(x, y) - size / 2
    corner = 0.12 * size
    if class_id == 1:
        dx, dy = np.abs(x) - (0.54 * size - corner), np.abs(y) - (0.42 * size - corner)
        return np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - corner
    # An equilateral triangle with round corners: fold onto one side, measure to it, subtract the corner radius.
    root3 = 3**0.5
    radius = 0.58 * size - corner
    px, py = np.abs(x) - radius, -(y - 0.10 * size) + radius / root3
    beyond = px + root3 * py > 0
    px, py = np.where(beyond, (px - root3 * py) / 2, px), np.where(beyond, (-root3 * px - py) / 2, py)
    px = px - np.clip(px, -2 * radius, 0)
    return -np.hypot(px, py) * np.sign(py) - corner


def _planes(rgb: Image, opacity: Image, odd_x: int, odd_y: int, color: ColorSpace) -> tuple[Plane, Plane, Plane]:
    """Returns Y, U, V as (rows, columns, 2) uint8 of premultiplied value and opacity for a phase of the chroma grid."""
    m = color.rgb_to_yuv().astype(np.float64)
    yuv = rgb @ m[:, :3].T + opacity[..., None] * m[:, 3]
    stacked = np.concatenate([yuv, 255 * opacity[..., None]], axis=-1)
    height, width = opacity.shape
    pad = ((odd_y, (height + odd_y) % 2), (odd_x, (width + odd_x) % 2), (0, 0))
    padded = np.pad(stacked, pad)
    cells = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2, 4).mean(axis=(1, 3))
    y, u, v = (
        np.ascontiguousarray(np.clip(np.rint(source[..., [channel, 3]]), 0, 255).astype(np.uint8))
        for source, channel in ((stacked, 0), (cells, 1), (cells, 2))
    )
    return y, u, v


@kernel
def blit_plane(plane: Plane, width: int, height: int, sprite: Plane, left: int, top: int) -> None:
    """Composites a premultiplied sprite (rows, columns, 2) over one plane (modified)."""
    for row in range(max(top, 0), min(top + sprite.shape[0], height)):
        for column in range(max(left, 0), min(left + sprite.shape[1], width)):
            opacity = np.uint32(sprite[row - top, column - left, 1])
            under = (np.uint32(plane[row, column]) * (np.uint32(255) - opacity) + np.uint32(127)) // np.uint32(255)
            plane[row, column] = np.uint8(min(under + np.uint32(sprite[row - top, column - left, 0]), np.uint32(255)))


def blit_plane_reference(plane: Plane, width: int, height: int, sprite: Plane, left: int, top: int) -> Plane:
    """The same as `blit_plane` in plain numpy; returns a new plane."""
    layer = np.zeros((height, width, 2), np.int64)
    rows, columns = np.mgrid[: sprite.shape[0], : sprite.shape[1]]
    inside = (rows + top >= 0) & (rows + top < height) & (columns + left >= 0) & (columns + left < width)
    layer[rows[inside] + top, columns[inside] + left] = sprite[inside]
    result = plane.copy()
    under = (plane[:height, :width] * (255 - layer[..., 1]) + 127) // 255
    result[:height, :width] = np.minimum(under + layer[..., 0], 255)
    return result


def blit(picture: Picture, sprite: ShapeSprite, left: int, top: int) -> None:
    """Composites a sprite over an I420 picture (modified), with its body at (`left`, `top`)."""
    left, top = left - sprite.margin, top - sprite.margin
    y, u, v = sprite.variants[left % 2, top % 2]
    blit_plane(picture.planes[0], picture.width, picture.height, y, left, top)
    half_width, half_height = (picture.width + 1) // 2, (picture.height + 1) // 2
    blit_plane(picture.planes[1], half_width, half_height, u, left // 2, top // 2)
    blit_plane(picture.planes[2], half_width, half_height, v, left // 2, top // 2)
