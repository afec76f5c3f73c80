"""Batches for a network to learn from, made ahead of time by threads of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.train.assign import DefaultBoxes, assign
from streamdet.train.augment import augment
from streamdet.train.samples import Samples

_AHEAD = 3
"""Batches that wait beyond those that are being made."""


class Batch(NamedTuple):
    """Pictures, and what each default box should say.

    Attributes:
        pictures: (n, height, width, 3) uint8 RGB.
        labels: (n, P) int64, see `assign`.
        boxes_xyxy: (n, P, 4) float32.
    """

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]
    boxes_xyxy: NDArray[np.float32]


class Batches:
    """Draws batches: every picture once in each epoch, in an order and with changes that follow from the seed.

    Args:
        samples: to draw from.
        priors: default boxes of the network.
        size: of a batch; what is left over in an epoch is not drawn.
        seed: everything follows from it, whatever the number of threads.
        threads: that make batches; OpenCV and NumPy let others run while they work.
    """

    def __init__(self, samples: Samples, priors: DefaultBoxes, size: int, seed: int, threads: int = 2) -> None:
        self._samples, self._priors = samples, priors
        self._size = min(size, len(samples))
        self._seed = seed
        self._threads = threads

    def __len__(self) -> int:
        """How many there are in an epoch."""
        return len(self._samples) // self._size

    def epoch(self, number: int, moved: float) -> Iterator[Batch]:
        """Yields the batches of an epoch; see `augment` for `moved`."""
        order = np.random.default_rng((self._seed, number)).permutation(len(self._samples))
        with ThreadPoolExecutor(self._threads, "batches") as pool:
            waiting: deque[Future[Batch]] = deque()
            try:
                for k in range(len(self)):
                    chosen = order[k * self._size : (k + 1) * self._size]
                    waiting.append(pool.submit(self._make, chosen, number, moved))
                    if len(waiting) >= _AHEAD + self._threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _make(self, chosen: NDArray[np.int64], epoch: int, moved: float) -> Batch:
        pictures, labels, boxes = [], [], []
        for index in chosen.tolist():
            random = np.random.default_rng((self._seed, epoch, index))
            picture, objects = augment(self._samples.picture(index), self._samples.objects(index), random, moved)
            pictures.append(picture)
            assigned, targets = assign(self._priors, objects)
            labels.append(assigned)
            boxes.append(targets)
        return Batch(np.stack(pictures), np.stack(labels), np.stack(boxes))
