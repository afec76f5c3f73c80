"""The signature of a network: names, shapes and types of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

RANDOM_WEIGHTS_KEY = "streamdet.random_weights"
"""Metadata key of a file with random weights: its outputs must never be shown as detections."""

Shape = tuple[int | str | None, ...]


class Tensor(Protocol):
    """One input or output, as known before a run."""

    @property
    def name(self) -> str:
        """Name in the graph."""

    @property
    def shape(self) -> Shape:
        """Dimensions; a name or None for one that is known only at run time."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Element type."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One input or output, as a file or session states it. See `Tensor`."""

    name: str
    shape: Shape
    dtype: np.dtype[np.generic]


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs, outputs and metadata of a network."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)


def fixed_size(dimension: int | str | None) -> int:
    """Returns the size of a dimension, 0 if it is known only at run time."""
    return dimension if isinstance(dimension, int) and dimension > 0 else 0


def describe_tensors(tensors: Sequence[Tensor]) -> str:
    """Returns names and shapes for a message.

    >>> describe_tensors([TensorInfo("scores", (1, "n"), np.dtype("float32"))])
    'scores (1, n)'
    """
    texts = [f"{t.name} ({', '.join('?' if d is None else str(d) for d in t.shape)})" for t in tensors]
    return ", ".join(texts) if texts else "nothing"
