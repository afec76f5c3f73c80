"""Where the flagship's default boxes lie: MLPerf's "ssd-large" geometry, for any input size."""

import math

import numpy as np
from numpy.typing import NDArray

FLAGSHIP_SIZE = 1200

MIN_SIZE = 448
"""Smallest side of an input; below, the last feature map vanishes."""

# In pixels of a 300-pixel picture, as SSD300 has them; MLPerf scales them up to 1200.
_SCALES_300 = (21, 45, 99, 153, 207, 261, 315)
_EXTRA_RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))

BOXES_PER_CELL = tuple(2 + 2 * len(ratios) for ratios in _EXTRA_RATIOS)
"""4, 6, 6, 6, 4, 4: two squares, and each extra ratio lying and standing."""


def feature_sizes(size: int) -> tuple[int, ...]:
    """Returns the side of the six feature maps for a `size` x `size` input.

    >>> feature_sizes(1200)
    (150, 75, 38, 19, 9, 7)
    """
    first = size
    for _ in range(3):  # stem, max pooling, layer 2: each halves, rounding up (padding 3, 1, 1)
        first = (first + 1) // 2
    maps = [first]
    for _ in range(3):
        maps.append((maps[-1] + 1) // 2)
    maps.append((maps[-1] - 3) // 2 + 1)  # from here on without padding
    maps.append(maps[-1] - 2)
    return tuple(maps)


def head_grids(size: int) -> tuple[int, ...]:
    """Returns the side of the six grids of default boxes: heads stride by 3 over the feature maps.

    >>> head_grids(1200)
    (50, 25, 13, 7, 3, 3)
    """
    return tuple((side + 2) // 3 for side in feature_sizes(size))


def box_count(size: int) -> int:
    """Returns how many default boxes there are.

    >>> box_count(1200)
    15130
    """
    return sum(grid * grid * boxes for grid, boxes in zip(head_grids(size), BOXES_PER_CELL, strict=True))


def default_boxes_cxcywh(size: int) -> NDArray[np.float32]:
    """Returns the (P, 4) default boxes in 0..1, ordered by map, then box shape, then row, then column.

    Args:
        size: side of the network's input in pixels; 448 is the smallest with six maps.
    """
    boxes: list[NDArray[np.float64]] = []
    for i, grid in enumerate(head_grids(size)):
        step = size // grid
        cells = size // step
        this, following = (scale * size / 300 / size for scale in _SCALES_300[i : i + 2])
        shapes = [(this, this), (math.sqrt(this * following),) * 2]
        for ratio in _EXTRA_RATIOS[i]:
            lying = (this * math.sqrt(ratio), this / math.sqrt(ratio))
            shapes += [lying, lying[::-1]]
        rows, columns = np.mgrid[:grid, :grid].reshape(2, -1)
        centers = np.stack([(columns + 0.5) / cells, (rows + 0.5) / cells], axis=1)
        boxes += [np.column_stack([centers, np.full_like(centers, shape)]) for shape in shapes]
    return np.clip(np.concatenate(boxes), 0.0, 1.0).astype(np.float32)
