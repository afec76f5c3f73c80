"""The signature of a network: names, shapes and types of what goes in and comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

RANDOM_WEIGHTS_KEY = "streamdet.random_weights"
"""Metadata key of a file whose weights are random: what it gives must never be shown as detections."""

Shape = tuple[int | str | None, ...]


class Tensor(Protocol):
    """What is known of one input or output before anything runs."""

    @property
    def name(self) -> str:
        """Its name in the graph."""

    @property
    def shape(self) -> Shape:
        """Its dimensions; a name or None for one that is only known when it runs."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of its elements."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One input or output, as the file or a session states it. See `Tensor`."""

    name: str
    shape: Shape
    dtype: np.dtype[np.generic]


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs of a network, and the notes its maker left in the file."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)


def fixed_size(dimension: int | str | None) -> int:
    """Returns a dimension's size, 0 where it is only known when the network runs."""
    return dimension if isinstance(dimension, int) and dimension > 0 else 0


def describe_tensors(tensors: Sequence[Tensor]) -> str:
    """Returns names and shapes for a message.

    >>> describe_tensors([TensorInfo("scores", (1, "n"), np.dtype("float32"))])
    'scores (1, n)'
    """
    texts = [f"{t.name} ({', '.join('?' if d is None else str(d) for d in t.shape)})" for t in tensors]
    return ", ".join(texts) if texts else "nothing"
