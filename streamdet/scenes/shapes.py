"""The moving scene behind `synthetic:`: what is where at any time, known exactly.

Discs, boxes and triangles cross a quiet background from side to side, pass before and behind each other, leave and come
back as somebody new. Objects of one class keep to lanes of their own, so that they rarely touch: the built-in detector
tells objects of a class apart only by the gap between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor, pi, sin

import numpy as np
from numpy.typing import NDArray

from streamdet.color import guess
from streamdet.kernels import kernel
from streamdet.picture import Picture, PixelFormat
from streamdet.scenes.frame_code import write_frame_number
from streamdet.scenes.shapes_art import ShapeSprite, background, blit, make_sprite
from streamdet.types import Detections

LABELS = ("disc", "box", "triangle")
_LEAST_VISIBLE = 0.02
_NOISE_LENGTH = 1 << 16
# Share of the picture's height that lanes fill; the frame's number lies below them.
_TOP, _BOTTOM = 0.02, 0.93
_SWING = 0.07
"""How far an object sways from the middle of its lane, as a share of the lane's height."""
_LEAST_GAP = 0.04
"""What stays free between objects of a class, as a share of the height: two cells of the built-in detector."""


@dataclass(frozen=True, slots=True)
class ShapesOptions:
    """What the scene holds.

    Attributes:
        objects: how many move through the picture, 1 to 24.
        fps: frames per second.
        width: in pixels.
        height: in pixels.
        seed: places, sizes, speeds and colours follow from it.
        noise: standard deviation of the luma noise, in steps of 8 bits.
    """

    objects: int = 6
    fps: Fraction = Fraction(30)
    width: int = 1280
    height: int = 720
    seed: int = 7
    noise: float = 2.0


@dataclass(frozen=True, slots=True)
class _Mover:
    """One object: a sprite on its way from side to side.

    Attributes:
        start: of its way, in pixels of x.
        way_px: length of one crossing, from wholly outside to wholly outside.
        speed: pixels per second; negative moves left.
        lane_y: middle of its lane.
        swing_px: how far it sways up and down.
        swing_hz: how often.
        phase: of the sway, in turns.
    """

    class_id: int
    sprite: ShapeSprite
    start: float
    way_px: float
    speed: float
    lane_y: float
    swing_px: float
    swing_hz: float
    phase: float

    def at(self, time_s: float) -> tuple[int, int, int]:
        """Returns left and top of the body in pixels, and how many crossings are behind it."""
        travelled = self.start + self.speed * time_s
        crossings = floor(travelled / self.way_px)
        x = travelled - crossings * self.way_px - self.sprite.width
        y = self.lane_y + self.swing_px * sin(2 * pi * (self.swing_hz * time_s + self.phase)) - self.sprite.height / 2
        return round(x), round(y), abs(crossings)


@kernel
def add_noise(y: NDArray[np.uint8], width: int, noise: NDArray[np.int8], offsets: NDArray[np.int64]) -> None:
    """Adds to every row of `y` (written) the stretch of `noise` that starts at its offset."""
    for row in range(y.shape[0]):
        line, grain = y[row, :width], noise[offsets[row] : offsets[row] + width]
        for column in range(width):  # views and an index from 0: the compiler can use vector instructions
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
def mark(owners: NDArray[np.int8], body: NDArray[np.bool_], left: int, top: int, owner: int) -> None:
    """Writes `owner` wherever an object's body covers the picture."""
    for row in range(max(top, 0), min(top + body.shape[0], owners.shape[0])):
        for column in range(max(left, 0), min(left + body.shape[1], owners.shape[1])):
            if body[row - top, column - left]:
                owners[row, column] = owner


def mark_reference(
    owners: NDArray[np.int8], body: NDArray[np.bool_], left: int, top: int, owner: int
) -> NDArray[np.int8]:
    """The same as `mark` in plain numpy; returns a new array."""
    rows, columns = np.nonzero(body)
    rows, columns = rows + top, columns + left
    inside = (rows >= 0) & (rows < owners.shape[0]) & (columns >= 0) & (columns < owners.shape[1])
    marked = owners.copy()
    marked[rows[inside], columns[inside]] = owner
    return marked


@kernel
def extents(owners: NDArray[np.int8], found: NDArray[np.int64]) -> None:
    """Fills `found`, (objects, 5) int64: left, top, right, bottom (exclusive) and number of the pixels of each."""
    found[:, 0] = owners.shape[1]
    found[:, 1] = owners.shape[0]
    found[:, 2:] = 0
    for row in range(owners.shape[0]):
        for column in range(owners.shape[1]):
            owner = owners[row, column]
            if owner >= 0:
                found[owner, 0] = min(found[owner, 0], column)
                found[owner, 1] = min(found[owner, 1], row)
                found[owner, 2] = max(found[owner, 2], column + 1)
                found[owner, 3] = max(found[owner, 3], row + 1)
                found[owner, 4] += 1


def extents_reference(owners: NDArray[np.int8], objects: int) -> NDArray[np.int64]:
    """The same as `extents` in plain numpy; returns (objects, 5) int64."""
    found = np.tile(np.array([owners.shape[1], owners.shape[0], 0, 0, 0], np.int64), (objects, 1))
    for owner in range(objects):
        rows, columns = np.nonzero(owners == owner)
        if len(rows):
            found[owner] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, len(rows)
    return found


class ShapesScene:
    """Renders any frame of the scene and tells what can be seen in it.

    Attributes:
        options: what the scene holds.
    """

    def __init__(self, options: ShapesOptions) -> None:
        self.options = options
        self._color = guess(options.width, options.height)
        self._background = background(options.width, options.height, self._color)
        rng = np.random.default_rng(options.seed)
        movers = [self._mover(number, rng) for number in range(options.objects)]
        self._movers = sorted(movers, key=lambda mover: mover.lane_y)  # what is lower in the picture is in front
        noise = rng.normal(0, options.noise, _NOISE_LENGTH + options.width)
        self._noise = np.clip(np.rint(noise), -127, 127).astype(np.int8)

    def render(self, index: int) -> Picture:
        """Returns frame `index` as an I420 picture of its own memory."""
        options = self.options
        picture = Picture.allocate(options.width, options.height, PixelFormat.I420, self._color)
        for plane, source in zip(picture.planes, self._background, strict=True):
            plane[:, : source.shape[1]] = source
        time_s = float(index / options.fps)
        for mover in self._movers:
            left, top, _ = mover.at(time_s)
            blit(picture, mover.sprite, left, top)
        if options.noise > 0:
            offsets = np.random.default_rng((options.seed, index)).integers(0, _NOISE_LENGTH, options.height)
            add_noise(picture.planes[0], options.width, self._noise, offsets)
        write_frame_number(picture.planes[0], options.width, options.height, index)
        return picture

    def ground_truth(self, index: int) -> Detections:
        """Returns what can be seen in frame `index`.

        Boxes are the exact extents of each object's visible pixels (what others or the picture's edge hide is not part
        of them), `scores` the visible share of its body, `track_ids` its identity: who comes back after leaving is
        somebody new. Objects of which less than one fiftieth can be seen are left out.
        """
        owners = np.full((self.options.height, self.options.width), -1, np.int8)
        identities = []
        time_s = float(index / self.options.fps)
        for number, mover in enumerate(self._movers):
            left, top, crossings = mover.at(time_s)
            mark(owners, mover.sprite.body, left, top, number)
            identities.append(number + crossings * len(self._movers))
        found = np.empty((len(self._movers), 5), np.int64)
        extents(owners, found)
        areas = np.array([mover.sprite.body.sum() for mover in self._movers])
        visible = Detections(
            found[:, :4].astype(np.float32),
            (found[:, 4] / areas).astype(np.float32),
            np.array([mover.class_id for mover in self._movers], np.int32),
            np.array(identities, np.int64),
            LABELS,
        )
        return visible[visible.scores >= _LEAST_VISIBLE]

    def _mover(self, number: int, rng: np.random.Generator) -> _Mover:
        options = self.options
        class_id, lane = number % 3, number // 3
        lanes = (options.objects - class_id + 2) // 3
        lane_px = (_BOTTOM - _TOP) * options.height / lanes
        room_px = (1 - 2 * _SWING) * lane_px - _LEAST_GAP * options.height
        largest_px = min(0.6 * lane_px, room_px, 0.22 * options.height, 0.14 * options.width)
        size = largest_px * rng.uniform(0.6, 1.0)
        sprite = make_sprite(class_id, size, rng, self._color)
        way_px = options.width + 1.25 * sprite.width
        direction = 1 if (lane + class_id) % 2 == 0 else -1
        return _Mover(
            class_id,
            sprite,
            start=rng.uniform(0.05, 0.95) * way_px,
            way_px=way_px,
            speed=direction * rng.uniform(0.08, 0.2) * options.width,
            lane_y=_TOP * options.height + (lane + 0.5 + 0.15 * (class_id - 1)) * lane_px,
            swing_px=_SWING * lane_px,
            swing_hz=rng.uniform(0.15, 0.35),
            phase=rng.uniform(0, 1),
        )
