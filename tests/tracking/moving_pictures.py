"""Pictures with known motion: random textures that move, boxes in front of a background."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from streamdet.color import ColorSpace
from streamdet.picture import Picture, PixelFormat
from streamdet.types import Detections

SIZE = (640, 360)
CENTER = (320.0, 180.0)
PER_PX = 1.5


@dataclass(frozen=True)
class Texture:
    """A sum of waves in all directions: every place differs, and there are values between pixels too."""

    seed: int = 0
    waves: int = 40
    shortest_px: float = 12.0
    longest_px: float = 90.0

    def __call__(self, x, y):
        """Returns the values at (N, M) float32 positions; exact to a thousandth of the range within -200 to 900."""
        places = (np.float32(PER_PX) * (v + np.float32(200)) for v in np.broadcast_arrays(x, y))
        return cv2.remap(self._drawn(), *places, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)

    @lru_cache(maxsize=12)  # noqa: B019  # textures are few and small
    def _drawn(self):
        rng = np.random.default_rng(self.seed)
        length = np.exp(rng.uniform(np.log(self.shortest_px), np.log(self.longest_px), self.waves))
        angle, phase = rng.uniform(0, 2 * np.pi, (2, self.waves))
        at = np.arange(0, 1100 * PER_PX, dtype=np.float32) / PER_PX - 200
        x, y = at[None, :], at[: int(800 * PER_PX), None]
        out = np.zeros((y.shape[0], x.shape[1]), np.float32)
        for k in range(self.waves):  # cos(a + b) from rows and columns
            fx, fy = 2 * np.pi * np.cos(angle[k]) / length[k], 2 * np.pi * np.sin(angle[k]) / length[k]
            out += np.cos(fx * x + phase[k]) * np.cos(fy * y) - np.sin(fx * x + phase[k]) * np.sin(fy * y)
        return 128 + 14 * out


@dataclass(frozen=True)
class Thing:
    """A textured rectangle: its box at time 0, its motion in pixels and its growth per frame."""

    box: tuple
    shift: tuple = (0.0, 0.0)
    growth: float = 1.0
    seed: int = 1
    plain: bool = False

    def at(self, k):
        x, y = (self.box[0] + self.box[2]) / 2 + k * self.shift[0], (self.box[1] + self.box[3]) / 2 + k * self.shift[1]
        half = np.array([self.box[2] - self.box[0], self.box[3] - self.box[1]]) / 2 * self.growth**k
        return np.array([x - half[0], y - half[1], x + half[0], y + half[1]])


def picture(k, things=(), pan=(0.0, 0.0), zoom=1.0, noise=0.0):
    """Returns frame `k`: the background moved by k * pan, zoomed by zoom ** k, objects in front, the last frontmost."""
    width, height = SIZE
    x, y = np.meshgrid(np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5)
    out = Texture(0)(
        (x - CENTER[0]) / zoom**k + CENTER[0] - k * pan[0], (y - CENTER[1]) / zoom**k + CENTER[1] - k * pan[1]
    )
    for thing in things:
        left, top, right, bottom = thing.at(k)
        rows, columns = (
            slice(*np.clip(np.round([top, bottom]), 0, height).astype(int)),
            slice(*np.clip(np.round([left, right]), 0, width).astype(int)),
        )
        scale = np.float32(thing.growth**k)
        if thing.plain:
            out[rows, columns] = 128.0
        elif out[rows, columns].size:
            across, down = (x[rows, columns] - np.float32(left)) / scale, (y[rows, columns] - np.float32(top)) / scale
            out[rows, columns] = Texture(thing.seed)(across, down)
    out = out + noise * np.random.default_rng(k).standard_normal(out.shape)
    luma = np.clip(np.round(out), 0, 255).astype(np.uint8)
    chroma = np.full((height // 2, width // 2), 128, np.uint8)
    return Picture(width, height, PixelFormat.I420, (luma, chroma, chroma), ColorSpace())


def tracks(boxes, ids=None, score=0.8):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    n = len(boxes)
    ids = np.arange(1, n + 1) if ids is None else ids
    return Detections(boxes, np.full(n, score, np.float32), np.zeros(n, np.int32), np.array(ids, np.int64))


def iou(a, b):
    width, height = (min(a[k + 2], b[k + 2]) - max(a[k], b[k]) for k in (0, 1))
    if width <= 0 or height <= 0:
        return 0.0
    area = lambda c: (c[2] - c[0]) * (c[3] - c[1])  # noqa: E731
    return width * height / (area(a) + area(b) - width * height)
