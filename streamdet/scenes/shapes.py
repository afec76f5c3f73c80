"""The scene of `synthetic:shapes`: renders any frame, with exact ground truth.

Discs, boxes and triangles cross a plain background from side to side, pass in front of and behind each other, leave,
and come back with a new identity. Each class has its own lanes, so that objects of a class rarely touch: the built-in
detector separates objects of a class only by the gap between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor, pi, sin

import numpy as np
from numpy.typing import NDArray

from streamdet.color import assumed_color_space
from streamdet.kernels import kernel
from streamdet.picture import Picture, PixelFormat
from streamdet.scenes.frame_code import write_frame_number
from streamdet.scenes.shapes_art import ShapeSprite, background, blit, make_sprite
from streamdet.types import Detections

LABELS = ("disc", "box", "triangle")
_MIN_VISIBLE = 0.02
_NOISE_LENGTH = 1 << 16
# The lanes fill this range of the picture's height; the frame number is below them.
_TOP, _BOTTOM = 0.02, 0.93
_SWAY = 0.07
"""Amplitude of an object's sway about the middle of its lane, as a share of the lane's height."""
_MIN_GAP = 0.04
"""Gap between objects of a class, as a share of the picture's height: two cells of the built-in detector."""


@dataclass(frozen=True, slots=True)
class ShapesOptions:
    """Content of the scene.

    Attributes:
        objects: number of moving objects, 1 to 24.
        fps: frames per second.
        width: in pixels.
        height: in pixels.
        seed: determines places, sizes, speeds and colors.
        noise: standard deviation of the luma noise, in steps of 8 bits.
    """

    objects: int = 6
    fps: Fraction = Fraction(30)
    width: int = 1280
    height: int = 720
    seed: int = 7
    noise: float = 2.0


@dataclass(frozen=True, slots=True)
class _MovingShape:
    """One object: a sprite that crosses the picture again and again.

    Attributes:
        start: x at time 0, in pixels along the crossing.
        crossing_px: length of one crossing, from completely outside to completely outside.
        speed: pixels per second; negative moves left.
        lane_y: y of the middle of its lane, in pixels.
        sway_px: amplitude of its sway up and down.
        sway_hz: frequency of the sway.
        phase: of the sway, in turns.
    """

    class_id: int
    sprite: ShapeSprite
    start: float
    crossing_px: float
    speed: float
    lane_y: float
    sway_px: float
    sway_hz: float
    phase: float

    def position_at(self, time_s: float) -> tuple[int, int, int]:
        """Returns left and top of the body in pixels, and the number of completed crossings."""
        traveled = self.start + self.speed * time_s
        crossings = floor(traveled / self.crossing_px)
        x = traveled - crossings * self.crossing_px - self.sprite.width
        y = self.lane_y + self.sway_px * sin(2 * pi * (self.sway_hz * time_s + self.phase)) - self.sprite.height / 2
        return round(x), round(y), abs(crossings)


@kernel
def add_noise(y: NDArray[np.uint8], width: int, noise: NDArray[np.int8], offsets: NDArray[np.int64]) -> None:
    """Adds to every row of `y` (modified) the stretch of `noise` that starts at the row's offset."""
    for row in range(y.shape[0]):
        line, grain = y[row, :width], noise[offsets[row] : offsets[row] + width]
        for column in range(width):  # views and an index from 0 let the compiler vectorize
            value = np.float32(line[column]) + np.float32(grain[column])
            line[column] = np.uint8(np.int32(min(max(value, np.float32(0.0)), np.float32(255.0))))


def add_noise_reference(
    y: NDArray[np.uint8], width: int, noise: NDArray[np.int8], offsets: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """The same as `add_noise` in plain numpy; returns a new plane."""
    noisy = y.astype(np.int16)
    noisy[:, :width] += noise[offsets[:, None] + np.arange(width)]
    return np.clip(noisy, 0, 255).astype(np.uint8)


@kernel
def mark_owner(owners: NDArray[np.int8], body: NDArray[np.bool_], left: int, top: int, owner: int) -> None:
    """Writes `owner` into `owners` wherever an object's body covers the picture."""
    for row in range(max(top, 0), min(top + body.shape[0], owners.shape[0])):
        for column in range(max(left, 0), min(left + body.shape[1], owners.shape[1])):
            if body[row - top, column - left]:
                owners[row, column] = owner


def mark_owner_reference(
    owners: NDArray[np.int8], body: NDArray[np.bool_], left: int, top: int, owner: int
) -> NDArray[np.int8]:
    """The same as `mark_owner` in plain numpy; returns a new array."""
    rows, columns = np.nonzero(body)
    rows, columns = rows + top, columns + left
    inside = (rows >= 0) & (rows < owners.shape[0]) & (columns >= 0) & (columns < owners.shape[1])
    marked = owners.copy()
    marked[rows[inside], columns[inside]] = owner
    return marked


@kernel
def owner_extents(owners: NDArray[np.int8], extents: NDArray[np.int64]) -> None:
    """Fills `extents`, (objects, 5) int64: left, top, right, bottom (exclusive) and pixel count of each object."""
    extents[:, 0] = owners.shape[1]
    extents[:, 1] = owners.shape[0]
    extents[:, 2:] = 0
    for row in range(owners.shape[0]):
        for column in range(owners.shape[1]):
            owner = owners[row, column]
            if owner >= 0:
                extents[owner, 0] = min(extents[owner, 0], column)
                extents[owner, 1] = min(extents[owner, 1], row)
                extents[owner, 2] = max(extents[owner, 2], column + 1)
                extents[owner, 3] = max(extents[owner, 3], row + 1)
                extents[owner, 4] += 1


def owner_extents_reference(owners: NDArray[np.int8], objects: int) -> NDArray[np.int64]:
    """The same as `owner_extents` in plain numpy; returns (objects, 5) int64."""
    extents = np.tile(np.array([owners.shape[1], owners.shape[0], 0, 0, 0], np.int64), (objects, 1))
    for owner in range(objects):
        rows, columns = np.nonzero(owners == owner)
        if len(rows):
            extents[owner] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, len(rows)
    return extents


class ShapesScene:
    """Renders any frame of the scene and returns its ground truth.

    Attributes:
        options: content of the scene.
    """

    def __init__(self, options: ShapesOptions) -> None:
        self.options = options
        self._color = assumed_color_space(options.width, options.height)
        self._background = background(options.width, options.height, self._color)
        rng = np.random.default_rng(options.seed)
        shapes = [self._make_shape(number, rng) for number in range(options.objects)]
        self._shapes = sorted(shapes, key=lambda shape: shape.lane_y)  # lower in the picture is in front
        noise = rng.normal(0, options.noise, _NOISE_LENGTH + options.width)
        self._noise = np.clip(np.rint(noise), -127, 127).astype(np.int8)

    def render(self, index: int) -> Picture:
        """Returns frame `index` as a newly allocated I420 picture."""
        options = self.options
        picture = Picture.allocate(options.width, options.height, PixelFormat.I420, self._color)
        for plane, source in zip(picture.planes, self._background, strict=True):
            plane[:, : source.shape[1]] = source
        time_s = float(index / options.fps)
        for shape in self._shapes:
            left, top, _ = shape.position_at(time_s)
            blit(picture, shape.sprite, left, top)
        if options.noise > 0:
            offsets = np.random.default_rng((options.seed, index)).integers(0, _NOISE_LENGTH, options.height)
            add_noise(picture.planes[0], options.width, self._noise, offsets)
        write_frame_number(picture.planes[0], options.width, options.height, index)
        return picture

    def ground_truth(self, index: int) -> Detections:
        """Returns the visible objects of frame `index`.

        Boxes are the exact extents of each object's visible pixels, without what other objects or the picture's edge
        hide. `scores` are visible shares of the bodies. `track_ids` are identities: an object that comes back after
        leaving gets a new one. Objects of which less than one fiftieth is visible are left out.
        """
        owners = np.full((self.options.height, self.options.width), -1, np.int8)
        identities = []
        time_s = float(index / self.options.fps)
        for number, shape in enumerate(self._shapes):
            left, top, crossings = shape.position_at(time_s)
            mark_owner(owners, shape.sprite.body, left, top, number)
            identities.append(number + crossings * len(self._shapes))
        extents = np.empty((len(self._shapes), 5), np.int64)
        owner_extents(owners, extents)
        areas = np.array([shape.sprite.body.sum() for shape in self._shapes])
        visible = Detections(
            extents[:, :4].astype(np.float32),
            (extents[:, 4] / areas).astype(np.float32),
            np.array([shape.class_id for shape in self._shapes], np.int32),
            np.array(identities, np.int64),
            LABELS,
        )
        return visible[visible.scores >= _MIN_VISIBLE]

    def _make_shape(self, number: int, rng: np.random.Generator) -> _MovingShape:
        options = self.options
        class_id, lane = number % 3, number // 3
        lanes = (options.objects - class_id + 2) // 3
        lane_px = (_BOTTOM - _TOP) * options.height / lanes
        free_px = (1 - 2 * _SWAY) * lane_px - _MIN_GAP * options.height
        largest_px = min(0.6 * lane_px, free_px, 0.22 * options.height, 0.14 * options.width)
        size = largest_px * rng.uniform(0.6, 1.0)
        sprite = make_sprite(class_id, size, rng, self._color)
        crossing_px = options.width + 1.25 * sprite.width
        direction = 1 if (lane + class_id) % 2 == 0 else -1
        return _MovingShape(
            class_id,
            sprite,
            start=rng.uniform(0.05, 0.95) * crossing_px,
            crossing_px=crossing_px,
            speed=direction * rng.uniform(0.08, 0.2) * options.width,
            lane_y=_TOP * options.height + (lane + 0.5 + 0.15 * (class_id - 1)) * lane_px,
            sway_px=_SWAY * lane_px,
            sway_hz=rng.uniform(0.15, 0.35),
            phase=rng.uniform(0, 1),
        )
