"""Exponentials of many numbers at once: a kernel that the compiler vectorizes, and its numpy reference."""

import numpy as np
from numpy.typing import NDArray

from streamdet.kernels import kernel

# exp(x) = 2^k * exp(r) with k = round(x / ln 2) and |r| <= ln 2 / 2. The parts of ln 2 and the polynomial of exp(r) are
# those of Cephes' expf (Moshier); the error stays below 2 units in the last place. `np.exp` inside a kernel calls the C
# library for every number, about 4 ns each.
_LOWEST = np.float32(-87.0)  # below, the power of two would be subnormal
_PER_LN2 = np.float32(1.44269504088896341)
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440e-4)
_POLYNOMIAL = tuple(
    np.float32(c)
    for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)
_C0, _C1, _C2, _C3, _C4, _C5 = _POLYNOMIAL
_HALF, _ONE = np.float32(0.5), np.float32(1.0)
_BIAS, _MANTISSA_BITS = np.int32(127), np.int32(23)


@kernel(no_alias=True)
def exponentials(
    values: NDArray[np.float32],
    columns: NDArray[np.int32],
    peaks: NDArray[np.float32],
    out: NDArray[np.float32],
    total: NDArray[np.float32],
) -> None:
    """Writes ``exp(values[:, columns] - peaks)`` and its sum over the rows. NaN stays NaN; the smallest value is 1e-38.

    Args:
        values: (R, M) any numbers.
        columns: (N,) the columns to use.
        peaks: (N,) at least the maximum of each column.
        out: (R, N or more); the first N columns are written.
        total: (N,) overwritten.
    """
    count = len(columns)
    powers = np.empty(count, np.float32)
    bits = powers.view(np.int32)
    total[:] = 0
    for row in range(len(values)):
        for i in range(count):
            x = values[row, columns[i]] - peaks[i]
            x = _LOWEST if x < _LOWEST else x
            k = np.floor(x * _PER_LN2 + _HALF)
            r = x - k * _LN2_HIGH - k * _LN2_LOW
            p = ((((_C0 * r + _C1) * r + _C2) * r + _C3) * r + _C4) * r + _C5
            out[row, i] = p * r * r + r + _ONE
            bits[i] = (np.int32(k) + _BIAS) << _MANTISSA_BITS
        for i in range(count):
            value = out[row, i] * powers[i]
            out[row, i] = value
            total[i] += value


def exponentials_reference(
    values: NDArray[np.float32],
    columns: NDArray[np.int32],
    peaks: NDArray[np.float32],
    out: NDArray[np.float32],
    total: NDArray[np.float32],
) -> None:
    """The same as `exponentials` in plain numpy."""
    with np.errstate(all="ignore"):
        out[:, : len(columns)] = np.exp(np.maximum(values[:, columns] - peaks, _LOWEST))
        total[:] = out[:, : len(columns)].sum(axis=0)
