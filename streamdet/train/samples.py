"""Where pictures to learn from come from."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamdet.detect.preprocess import Preprocessor
from streamdet.model_spec.spec import Contract, ModelSpec
from streamdet.picture import Picture
from streamdet.train.assign import LabeledObjects


class Samples(Protocol):
    """A numbered set of pictures at the size of a network's input, and what is in them. Safe for several threads."""

    def __len__(self) -> int:
        """How many there are."""

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Returns (height, width, 3) uint8 RGB; read only."""

    def objects(self, index: int) -> LabeledObjects:
        """Returns what is in it."""


class InputResizer:
    """Brings pictures to the size of a network's input exactly as a detector does, as bytes.

    Not for several threads at once.
    """

    def __init__(self, width: int, height: int) -> None:
        spec = ModelSpec("", Contract.SSD_HEADS, width, height, nchw=False, rgb=True, uint8=True)
        self._fit = Preprocessor(spec)

    def __call__(self, picture: Picture, out: NDArray[np.uint8]) -> None:
        """Writes a picture to `out`, (height, width, 3) uint8 RGB."""
        self._fit(picture, out)
