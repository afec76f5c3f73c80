"""Letterboxing: which area of the network input a picture fills, and how boxes are mapped back to the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamdet.boxes import Boxes, clip
from streamdet.model_spec.spec import ModelSpec, Resize


@dataclass(frozen=True, slots=True)
class LetterboxTransform:
    """The mapping from frame to network input: ``input = frame * scale + offset``, in pixels, for each axis.

    Attributes:
        scale_x: input pixels per frame pixel, horizontally.
        scale_y: input pixels per frame pixel, vertically.
        offset_x: input column of the left edge of the picture.
        offset_y: input row of the top edge of the picture.
    """

    scale_x: float
    scale_y: float
    offset_x: float = 0.0
    offset_y: float = 0.0

    def boxes_to_frame(self, boxes_xyxy: Boxes, width: int, height: int) -> Boxes:
        """Returns (N, 4) boxes in frame pixels, clipped to the frame, from boxes in input pixels.

        >>> boxes_xyxy = np.array([[5, 15, 500, 60]], np.float32)
        >>> LetterboxTransform(0.5, 0.5, 0, 10).boxes_to_frame(boxes_xyxy, 640, 480).tolist()
        [[10.0, 10.0, 640.0, 100.0]]
        """
        offset = np.array([self.offset_x, self.offset_y] * 2, np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        boxes: Boxes = (boxes_xyxy - offset) / scale
        return clip(boxes, width, height)


@dataclass(frozen=True, slots=True)
class PictureArea:
    """The rectangle of the network input that the picture fills, in input pixels; the rest is padding."""

    left: int
    top: int
    width: int
    height: int

    def transform(self, picture_width: int, picture_height: int) -> LetterboxTransform:
        """Returns the mapping of a picture of that size into this area."""
        return LetterboxTransform(self.width / picture_width, self.height / picture_height, self.left, self.top)


def letterbox(spec: ModelSpec, width: int, height: int) -> PictureArea:
    """Returns the area that a picture of `width` x `height` pixels fills on the input of `spec`.

    A letterbox keeps the aspect ratio to the nearest whole pixel. At the top left the size is rounded down, as in
    YOLOX. In the center it is rounded to nearest, and an odd pixel of padding goes to the right and bottom, as in the
    YOLOv5 family.
    """
    if spec.resize is Resize.STRETCH:
        return PictureArea(0, 0, spec.width, spec.height)
    centered = spec.resize is Resize.LETTERBOX_CENTER
    size = [spec.width, spec.height]
    # In integers: in floats, width * (input / width) can come out slightly too small and lose a pixel.
    if spec.width * height <= spec.height * width:
        size[1] = _scaled_side(spec.width * height, width, centered)
    else:
        size[0] = _scaled_side(spec.height * width, height, centered)
    left, top = ((spec.width - size[0]) // 2, (spec.height - size[1]) // 2) if centered else (0, 0)
    return PictureArea(left, top, size[0], size[1])


def _scaled_side(numerator: int, denominator: int, to_nearest: bool) -> int:
    """Returns the quotient, rounded to nearest or down, and at least 1."""
    rounded = (2 * numerator + denominator) // (2 * denominator) if to_nearest else numerator // denominator
    return max(1, rounded)
