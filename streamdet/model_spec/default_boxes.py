"""Default boxes of SSDs: grids of cells with the same box shapes; the flagship's are MLPerf's "ssd-large"."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLAGSHIP_SIZE = 1200


@dataclass(frozen=True, slots=True)
class BoxGrid:
    """The default boxes of one feature map.

    Attributes:
        columns: number of cells across the picture.
        rows: number of cells down the picture.
        shapes: (width, height) of each box of a cell, as fractions of the picture's width and height.
    """

    columns: int
    rows: int
    shapes: tuple[tuple[float, float], ...]

    @property
    def count(self) -> int:
        """Number of default boxes."""
        return self.columns * self.rows * len(self.shapes)


def grid_boxes_cxcywh(grids: Sequence[BoxGrid]) -> NDArray[np.float32]:
    """Returns the (P, 4) default boxes of grids in 0..1, ordered by grid, then shape, then row, then column.

    >>> grid_boxes_cxcywh([BoxGrid(2, 1, ((0.5, 1.0),))]).tolist()
    [[0.25, 0.5, 0.5, 1.0], [0.75, 0.5, 0.5, 1.0]]
    """
    boxes: list[NDArray[np.float64]] = []
    for grid in grids:
        rows, columns = np.mgrid[: grid.rows, : grid.columns].reshape(2, -1)
        centers = np.stack([(columns + 0.5) / grid.columns, (rows + 0.5) / grid.rows], axis=1)
        boxes += [np.column_stack([centers, np.full_like(centers, shape)]) for shape in grid.shapes]
    return np.clip(np.concatenate(boxes), 0.0, 1.0).astype(np.float32)


MIN_SIZE = 448
"""Smallest side of the flagship's input in pixels; below it, the last feature map vanishes."""

# Box sizes of SSD300 in pixels of a 300-pixel picture; MLPerf scales them up to 1200.
_SCALES_300 = (21, 45, 99, 153, 207, 261, 315)
_EXTRA_RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))

BOXES_PER_CELL = tuple(2 + 2 * len(ratios) for ratios in _EXTRA_RATIOS)
"""4, 6, 6, 6, 4, 4: two squares, and each extra aspect ratio wide and tall."""


def feature_sizes(size: int) -> tuple[int, ...]:
    """Returns the side of the six feature maps for a `size` x `size` input.

    >>> feature_sizes(1200)
    (150, 75, 38, 19, 9, 7)
    """
    first = size
    for _ in range(3):  # stem, max pooling, layer 2: each halves, rounded up (padding 3, 1, 1)
        first = (first + 1) // 2
    maps = [first]
    for _ in range(3):
        maps.append((maps[-1] + 1) // 2)
    maps.append((maps[-1] - 3) // 2 + 1)  # from here on without padding
    maps.append(maps[-1] - 2)
    return tuple(maps)


def head_grids(size: int) -> tuple[int, ...]:
    """Returns the side of the six grids of default boxes: the heads have stride 3 on the feature maps.

    >>> head_grids(1200)
    (50, 25, 13, 7, 3, 3)
    """
    return tuple((side + 2) // 3 for side in feature_sizes(size))


def flagship_grids(size: int) -> tuple[BoxGrid, ...]:
    """Returns the six grids of the flagship; for 1200 pixels they are MLPerf's.

    Args:
        size: side of the network input in pixels; 448 is the smallest with six maps.
    """
    grids = []
    for i, side in enumerate(head_grids(size)):
        this, following = (scale / 300 for scale in _SCALES_300[i : i + 2])
        shapes = [(this, this), (math.sqrt(this * following),) * 2]
        for ratio in _EXTRA_RATIOS[i]:
            wide = (this * math.sqrt(ratio), this / math.sqrt(ratio))
            shapes += [wide, wide[::-1]]
        grids.append(BoxGrid(side, side, tuple(shapes)))
    return tuple(grids)


def flagship_grids_for(width: int, height: int) -> tuple[BoxGrid, ...]:
    """Returns the grids of the flagship for an input size, () if it has none."""
    return flagship_grids(width) if width == height >= MIN_SIZE else ()


def flagship_box_count(size: int) -> int:
    """Returns the number of default boxes of the flagship.

    >>> flagship_box_count(1200)
    15130
    """
    return sum(grid * grid * boxes for grid, boxes in zip(head_grids(size), BOXES_PER_CELL, strict=True))


def flagship_boxes_cxcywh(size: int) -> NDArray[np.float32]:
    """Returns the (P, 4) default boxes of the flagship in 0..1; see `grid_boxes_cxcywh` and `flagship_grids`."""
    return grid_boxes_cxcywh(flagship_grids(size))
