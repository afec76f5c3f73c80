"""A frame's number as black and white cells in the picture, so that tests can tell which frame they really see.

Two rows of 16 cells at the bottom right: 24 bits of number and 8 bits of CRC, most significant first. Cells are large
enough to survive lossy coding; the CRC tells a damaged or missing code from a number.
"""

from dataclasses import dataclass

import numpy as np

from streamdet.color import Plane
from streamdet.picture import Picture, PixelFormat

COLUMNS, ROWS = 16, 2
_NUMBER_BITS, _CRC_BITS = 24, 8
_DARK, _LIGHT = 24, 228
_LEAST_CONTRAST = 60
SMALLEST_WIDTH, SMALLEST_HEIGHT = 160, 48
"""The smallest picture that the cells fit into."""


@dataclass(frozen=True, slots=True)
class _Place:
    left: int
    top: int
    cell: int


def _place(width: int, height: int) -> _Place:
    cell = max(8, 2 * round(min(height, 9 * width / 16) / 120))
    left, top = width - COLUMNS * cell - cell, height - ROWS * cell - cell
    return _Place(left - left % 2, top - top % 2, cell)


def _crc8(number: int) -> int:
    """CRC-8 with polynomial x^8 + x^2 + x + 1 over the three bytes, starting from all ones."""
    crc = 0xFF
    for byte in number.to_bytes(_NUMBER_BITS // 8, "big"):
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ (0x07 if crc & 0x80 else 0)
        crc &= 0xFF
    return crc


def write_frame_number(y: Plane, width: int, height: int, number: int) -> None:
    """Writes `number` modulo 2**24 into a luma plane (height, line bytes); the picture is at least 160x48."""
    place = _place(width, height)
    kept = number % (1 << _NUMBER_BITS)
    word = kept << _CRC_BITS | _crc8(kept)
    bits = np.array([word >> bit & 1 for bit in range(ROWS * COLUMNS - 1, -1, -1)]).reshape(ROWS, COLUMNS)
    cells = np.where(bits, _LIGHT, _DARK).astype(np.uint8).repeat(place.cell, axis=0).repeat(place.cell, axis=1)
    y[place.top : place.top + cells.shape[0], place.left : place.left + cells.shape[1]] = cells


def read_frame_number(picture: Picture) -> int | None:
    """Returns the number written into a picture of the same size, or None where there is no undamaged one."""
    width, height = picture.width, picture.height
    if width < SMALLEST_WIDTH or height < SMALLEST_HEIGHT:
        return None
    place = _place(width, height)
    rows = slice(place.top, place.top + ROWS * place.cell)
    columns = slice(place.left, place.left + COLUMNS * place.cell)
    if picture.format is PixelFormat.BGR24:
        region = picture.bgr()[rows, columns].mean(axis=2)
    else:
        region = picture.planes[0][rows, columns].astype(np.float64)
    border = place.cell // 4
    cells = region.reshape(ROWS, place.cell, COLUMNS, place.cell)[:, border:-border, :, border:-border].mean(
        axis=(1, 3)
    )
    if cells.max() - cells.min() < _LEAST_CONTRAST:
        return None
    word = 0
    for light in (cells > (cells.max() + cells.min()) / 2).ravel().tolist():
        word = word << 1 | light
    number = word >> _CRC_BITS
    return number if word & ((1 << _CRC_BITS) - 1) == _crc8(number) else None
