"""Training batches, prepared ahead of time by worker threads."""

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
"""Finished batches kept ready, beyond those in preparation."""


class Batch(NamedTuple):
    """Pictures and the targets of their default boxes.

    Attributes:
        pictures: (n, height, width, 3) uint8 RGB.
        labels: (n, P) int64; see `Targets` in `assign`.
        boxes_xyxy: (n, P, 4) float32; see there.
    """

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]
    boxes_xyxy: NDArray[np.float32]


class Batches:
    """Creates batches: every picture once in each epoch, in an order and with augmentation determined by the seed.

    Args:
        samples: the pictures.
        default_boxes: of the network.
        size: pictures per batch; an incomplete last batch of an epoch is dropped.
        seed: determines the batches, regardless of the number of threads.
        threads: number of worker threads; OpenCV and NumPy release the GIL while they work.
    """

    def __init__(self, samples: Samples, default_boxes: DefaultBoxes, size: int, seed: int, threads: int = 2) -> None:
        self._samples, self._default_boxes = samples, default_boxes
        self._size = min(size, len(samples))
        self._seed = seed
        self._threads = threads

    def __len__(self) -> int:
        """Number of batches per epoch."""
        return len(self._samples) // self._size

    def epoch(self, number: int, moved: float) -> Iterator[Batch]:
        """Yields the batches of an epoch; `moved` as for `augment`."""
        order = np.random.default_rng((self._seed, number)).permutation(len(self._samples))
        with ThreadPoolExecutor(self._threads, "batches") as pool:
            waiting: deque[Future[Batch]] = deque()
            try:
                for k in range(len(self)):
                    indices = order[k * self._size : (k + 1) * self._size]
                    waiting.append(pool.submit(self._make, indices, number, moved))
                    if len(waiting) >= _AHEAD + self._threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _make(self, indices: NDArray[np.int64], epoch: int, moved: float) -> Batch:
        pictures, labels, boxes = [], [], []
        for index in indices.tolist():
            random = np.random.default_rng((self._seed, epoch, index))
            picture, objects = augment(self._samples.picture(index), self._samples.objects(index), random, moved)
            pictures.append(picture)
            classes, targets = assign(self._default_boxes, objects)
            labels.append(classes)
            boxes.append(targets)
        return Batch(np.stack(pictures), np.stack(labels), np.stack(boxes))
