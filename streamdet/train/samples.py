"""The interface of training samples, and resizing of pictures to a network's input."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamdet.detect.preprocess import Preprocessor
from streamdet.model_spec.spec import Contract, ModelSpec
from streamdet.picture import Picture
from streamdet.train.assign import AnnotatedObjects


class Samples(Protocol):
    """A numbered set of pictures at a network's input size, with their objects. Safe to use from several threads."""

    def __len__(self) -> int:
        """Number of pictures."""

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Returns (height, width, 3) uint8 RGB; do not modify."""

    def objects(self, index: int) -> AnnotatedObjects:
        """Returns the objects in a picture."""


class InputResizer:
    """Resizes pictures to a network's input exactly as a detector does, to uint8.

    Not safe to use from several threads.
    """

    def __init__(self, width: int, height: int) -> None:
        spec = ModelSpec("", Contract.SSD_HEADS, width, height, nchw=False, rgb=True, uint8=True)
        self._preprocess = Preprocessor(spec)

    def __call__(self, picture: Picture, out: NDArray[np.uint8]) -> None:
        """Writes the resized picture to `out`, (height, width, 3) uint8 RGB."""
        self._preprocess(picture, out)
