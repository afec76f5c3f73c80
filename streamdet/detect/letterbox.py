"""Where a picture lands on the network's input, and the way back for boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamdet.boxes import Boxes, clip
from streamdet.model_spec.spec import ModelSpec, Resize


@dataclass(frozen=True, slots=True)
class LetterboxTransform:
    """How a picture was put on the network's input: ``input = frame * scale + offset``, in pixels, on each axis.

    Attributes:
        scale_x: input pixels per frame pixel, horizontally.
        scale_y: input pixels per frame pixel, vertically.
        offset_x: input column of the picture's left edge.
        offset_y: input row of the picture's top edge.
    """

    scale_x: float
    scale_y: float
    offset_x: float = 0.0
    offset_y: float = 0.0

    def boxes_to_frame(self, boxes_xyxy: Boxes, width: int, height: int) -> Boxes:
        """Returns (N, 4) boxes in pixels of the frame, clipped to it, from boxes in pixels of the input.

        >>> Fit(0.5, 0.5, 0, 10).boxes_to_frame(np.array([[5, 15, 500, 60]], np.float32), 640, 480).tolist()
        [[10.0, 10.0, 640.0, 100.0]]
        """
        offset = np.array([self.offset_x, self.offset_y] * 2, np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        boxes: Boxes = (boxes_xyxy - offset) / scale
        return clip(boxes, width, height)


@dataclass(frozen=True, slots=True)
class PictureArea:
    """The rectangle of the network's input that the picture fills, in input pixels; the rest is padding."""

    left: int
    top: int
    width: int
    height: int

    def fit(self, picture_width: int, picture_height: int) -> LetterboxTransform:
        """Returns the mapping of a picture of that size into this window."""
        return LetterboxTransform(self.width / picture_width, self.height / picture_height, self.left, self.top)


def letterbox(spec: ModelSpec, width: int, height: int) -> PictureArea:
    """Returns where a picture of `width` x `height` pixels goes on the input of `spec`.

    A letterbox keeps the picture's shape as well as whole pixels can. At the top left its size is rounded down, as
    YOLOX does; in the middle it is rounded to nearest and the odd pixel of padding goes right and below, as the YOLOv5
    family does.
    """
    if spec.resize is Resize.STRETCH:
        return PictureArea(0, 0, spec.width, spec.height)
    centred = spec.resize is Resize.LETTERBOX_CENTER
    fitted = [spec.width, spec.height]
    # In whole numbers: width * (input / width) in floats can come out a hair too small, and so lose a pixel.
    if spec.width * height <= spec.height * width:
        fitted[1] = _share(spec.width * height, width, centred)
    else:
        fitted[0] = _share(spec.height * width, height, centred)
    left, top = ((spec.width - fitted[0]) // 2, (spec.height - fitted[1]) // 2) if centred else (0, 0)
    return PictureArea(left, top, fitted[0], fitted[1])


def _share(pixels: int, parts: int, to_nearest: bool) -> int:
    return max(1, (2 * pixels + parts) // (2 * parts) if to_nearest else pixels // parts)
