"""How many blocks of a picture changed, from the mean luma of each block: kernels and numpy references."""

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel

BlockMeans = NDArray[np.float32]
"""(rows, columns) float32: mean luma of each block, 0 to 255."""

_COLUMNS = 160
_STEPS = 8  # bins per gray level, for counting differences
_REACH = 64  # gray levels: larger differences are clipped to this
_BINS = 2 * _REACH * _STEPS + 1
_SIGMA_OF_MAD = np.float32(1.4826)  # of a normal distribution
_SIGMAS = np.float32(5.0)
"""Noise alone exceeds five in 1 of 1.7 million blocks, and a neighbor has to exceed it as well."""
_MIN_DIFFERENCE = np.float32(4.0)
"""Gray levels: encoders change a block by less than this from key frame to key frame."""
_MAX_THRESHOLD = np.float32(20.0)
"""Gray levels: camera noise in the mean of a block never reaches this. Where everything is new, as after a cut, the
apparent noise is the change itself."""


def block_px(width: int) -> int:
    """Returns the side of the blocks for a picture `width` pixels wide: about 160 of them in a row.

    >>> [block_px(width) for width in (100, 640, 1280, 1920)]
    [1, 4, 8, 12]
    """
    return max(1, round(width / _COLUMNS))


@kernel
def _median(counts: NDArray[np.int64]) -> np.float32:
    total = 0
    for i in range(len(counts)):
        total += counts[i]
    wanted, seen = (total + 1) // 2, 0
    for i in range(len(counts)):
        seen += counts[i]
        if seen >= wanted and seen > 0:
            return np.float32(i) / np.float32(_STEPS) - np.float32(_REACH)
    return np.float32(0.0)


@kernel
def _bin(value: np.float32) -> int:
    index = int(np.floor(value * np.float32(_STEPS) + np.float32(0.5))) + _REACH * _STEPS
    return min(max(index, 0), _BINS - 1)


@kernel
def changed_blocks(now: BlockMeans, before: BlockMeans) -> int:
    """Returns how many blocks changed by more than noise and illumination.

    The illumination of the complete picture may change: the medians of the changes of darker and of brighter blocks
    define a line that gives the change by illumination of any block. The residual is compared with its own median
    absolute deviation, which is the noise. A block counts if it and a neighbor (left, right,
    above or below) exceed the threshold in the same direction.

    Args:
        now: means of blocks.
        before: the same of an earlier picture, same shape.
    """
    rows, columns = now.shape
    mean = np.float32(0.0)
    for row in range(rows):
        for column in range(columns):
            mean += before[row, column]
    mean /= np.float32(max(1, rows * columns))
    dark, bright = np.zeros(_BINS, np.int64), np.zeros(_BINS, np.int64)
    dark_sum, bright_sum = np.float32(0.0), np.float32(0.0)
    dark_count, bright_count = 0, 0
    for row in range(rows):
        for column in range(columns):
            level = before[row, column]
            if level > mean:
                bright[_bin(now[row, column] - level)] += 1
                bright_sum += level
                bright_count += 1
            else:
                dark[_bin(now[row, column] - level)] += 1
                dark_sum += level
                dark_count += 1
    low, low_step = dark_sum / np.float32(max(1, dark_count)), _median(dark)
    slope = np.float32(0.0)
    if bright_count > 0:
        high, high_step = bright_sum / np.float32(bright_count), _median(bright)
        if high - low > np.float32(8.0):  # otherwise they are one group
            slope = (high_step - low_step) / (high - low)
    left = np.empty((rows, columns), np.float32)
    sizes = np.zeros(_BINS, np.int64)
    for row in range(rows):
        for column in range(columns):
            level = before[row, column]
            left[row, column] = now[row, column] - level - low_step - slope * (level - low)
            sizes[_bin(abs(left[row, column]))] += 1
    threshold = min(max(_MIN_DIFFERENCE, _SIGMAS * _SIGMA_OF_MAD * _median(sizes)), _MAX_THRESHOLD)
    count = 0
    for row in range(rows):
        for column in range(columns):
            value = left[row, column]
            if abs(value) <= threshold:
                continue
            side = np.float32(1.0) if value > 0 else np.float32(-1.0)
            if (
                (row > 0 and side * left[row - 1, column] > threshold)
                or (row + 1 < rows and side * left[row + 1, column] > threshold)
                or (column > 0 and side * left[row, column - 1] > threshold)
                or (column + 1 < columns and side * left[row, column + 1] > threshold)
            ):
                count += 1
    return count


def _median_reference(values: BlockMeans) -> np.float32:
    """Returns the lower median, in the steps that the kernel counts in."""
    if not values.size:
        return np.float32(0)
    bins = np.floor(values * np.float32(_STEPS) + np.float32(0.5)).clip(-_REACH * _STEPS, _REACH * _STEPS)
    return np.float32(np.sort(bins.ravel())[(values.size - 1) // 2] / _STEPS)


def changed_blocks_reference(now: BlockMeans, before: BlockMeans) -> int:
    """The same as `changed_blocks` in plain numpy."""
    mean = np.float32(before.mean(dtype=np.float64)) if before.size else np.float32(0)
    bright = before > mean
    step = now - before
    low, low_step = before[~bright].mean(dtype=np.float64), _median_reference(step[~bright])
    slope = 0.0
    if bright.any():
        high, high_step = before[bright].mean(dtype=np.float64), _median_reference(step[bright])
        if high - low > 8:
            slope = float(high_step - low_step) / (high - low)
    left = (step - low_step - slope * (before - low)).astype(np.float32)
    threshold = min(max(_MIN_DIFFERENCE, _SIGMAS * _SIGMA_OF_MAD * _median_reference(np.abs(left))), _MAX_THRESHOLD)
    count = 0
    for out in (left > threshold, left < -threshold):
        padded = np.pad(out, 1)
        neighbors = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
        count += int((out & neighbors).sum())
    return count
