"""Frame code: a frame's number and time as black and white cells in its pixels, readable after lossy coding.

Cells are in rows of 16, most significant bit first, and are large enough to survive lossy coding. Two rows hold 24
bits of frame number and 8 bits of CRC. Alone, they are at the bottom right. With the time, three rows (40 bits of
milliseconds and a CRC over number and time) are above them, and all five rows are at the top right: in a street scene
that is sky and walls, where nothing moves and no box is drawn. The CRCs detect a damaged or missing code.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamdet.color import Plane
from streamdet.picture import Picture, PixelFormat

COLUMNS, ROWS, TIME_ROWS = 16, 2, 3
_NUMBER_BITS, _TIME_BITS, _CRC_BITS = 24, 40, 8
_DARK, _LIGHT = 24, 228
_MIN_CONTRAST = 60
SMALLEST_WIDTH, SMALLEST_HEIGHT = 160, 56
"""Size of the smallest picture that the cells fit into."""
TIME_MODULUS_MS = 1 << _TIME_BITS
"""Times are stored modulo this: about 35 years."""


class FrameCode(NamedTuple):
    """The content of a frame code.

    Attributes:
        number: frame number, modulo 2**24.
        captured_ms: capture time in milliseconds, modulo `TIME_MODULUS_MS`. A live source writes the system clock
            (milliseconds since 1970, as ``Date.now()`` in a browser and ``time.time_ns() // 1_000_000`` return it),
            any other source the time within its scene.
    """

    number: int
    captured_ms: int

    def age_ms(self, now_ms: int) -> int:
        """Returns the frame's age in milliseconds at `now_ms`, by the same clock; negative if it is from the future.

        >>> FrameCode(1, 1_790_000_000_000 % TIME_MODULUS_MS).age_ms(1_790_000_000_250)
        250
        """
        half = TIME_MODULUS_MS // 2
        return (now_ms - self.captured_ms + half) % TIME_MODULUS_MS - half


@dataclass(frozen=True, slots=True)
class _CellGrid:
    """Position of the rows of the frame number, and the side of a cell, in pixels; the time is above `top`."""

    left: int
    top: int
    cell: int


def _cell_grid(width: int, height: int, with_time: bool) -> _CellGrid:
    cell = max(8, 2 * round(min(height, 9 * width / 16) / 120))
    left = width - COLUMNS * cell - cell
    top = (1 + TIME_ROWS) * cell if with_time else height - ROWS * cell - cell
    return _CellGrid(left - left % 2, top - top % 2, cell)


def frame_code_area(width: int, height: int) -> tuple[slice, slice]:
    """Returns the rows and columns that number and time cover."""
    grid = _cell_grid(width, height, with_time=True)
    top = grid.top - TIME_ROWS * grid.cell
    return slice(top, grid.top + ROWS * grid.cell), slice(grid.left, grid.left + COLUMNS * grid.cell)


def _crc8(value: int, bits: int = _NUMBER_BITS) -> int:
    """CRC-8 with polynomial x^8 + x^2 + x + 1 over the bytes of `value`, starting from all ones."""
    crc = 0xFF
    for byte in value.to_bytes(bits // 8, "big"):
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ (0x07 if crc & 0x80 else 0)
        crc &= 0xFF
    return crc


def write_frame_number(y: Plane, width: int, height: int, number: int) -> None:
    """Writes `number` modulo 2**24 into a luma plane (height, line bytes) of a picture of at least 160x56 pixels."""
    _write_number(y, _cell_grid(width, height, with_time=False), number)


def write_frame_code(y: Plane, width: int, height: int, number: int, captured_ms: int) -> None:
    """Writes `number` modulo 2**24 into a luma plane, and above it `captured_ms` modulo `TIME_MODULUS_MS`."""
    grid = _cell_grid(width, height, with_time=True)
    _write_number(y, grid, number)
    stored_ms = captured_ms % TIME_MODULUS_MS
    _write(y, grid, grid.top - TIME_ROWS * grid.cell, TIME_ROWS, stored_ms << _CRC_BITS | _time_crc(number, stored_ms))


def _write_number(y: Plane, grid: _CellGrid, number: int) -> None:
    stored = number % (1 << _NUMBER_BITS)
    _write(y, grid, grid.top, ROWS, stored << _CRC_BITS | _crc8(stored))


def _time_crc(number: int, captured_ms: int) -> int:
    return _crc8((number % (1 << _NUMBER_BITS)) << _TIME_BITS | captured_ms, _NUMBER_BITS + _TIME_BITS)


def _write(y: Plane, grid: _CellGrid, top: int, rows: int, word: int) -> None:
    bits = np.array([word >> bit & 1 for bit in range(rows * COLUMNS - 1, -1, -1)]).reshape(rows, COLUMNS)
    cells = np.where(bits, _LIGHT, _DARK).astype(np.uint8).repeat(grid.cell, axis=0).repeat(grid.cell, axis=1)
    y[top : top + cells.shape[0], grid.left : grid.left + cells.shape[1]] = cells


def read_frame_number(picture: Picture) -> int | None:
    """Returns the frame number in a picture of its original size, or None if there is no undamaged one.

    A number with its time is tried first: two CRCs rarely match by accident, a single one does in 1 of 256 pictures.
    """
    code = read_frame_code(picture)
    return code.number if code else _read_number(picture, with_time=False)


def read_frame_code(picture: Picture) -> FrameCode | None:
    """Reads the frame number and capture time from the pixels of a frame of ``synthetic:street``.

    Works on rendered frames and on frames decoded from a recording, a JPEG or a network stream, as long as the picture
    has its original size. With the code, a test can tell which frame it received, and how old that frame is.

    Args:
        picture: any pixel format; not modified.

    Returns:
        Number and time, or None if the picture is smaller than 160x56 pixels, holds no frame code, or holds a damaged
        one (both CRCs must match).

    >>> from streamdet.color import ColorSpace
    >>> picture = Picture.allocate(320, 240, PixelFormat.I420, ColorSpace())
    >>> write_frame_code(picture.planes[0], 320, 240, number=7, captured_ms=233)
    >>> read_frame_code(picture)
    FrameCode(number=7, captured_ms=233)
    """
    number, word = _read_number(picture, with_time=True), _read(picture, -TIME_ROWS, TIME_ROWS, with_time=True)
    if number is None or word is None:
        return None
    captured_ms = word >> _CRC_BITS
    undamaged = word & ((1 << _CRC_BITS) - 1) == _time_crc(number, captured_ms)
    return FrameCode(number, captured_ms) if undamaged else None


def _read_number(picture: Picture, with_time: bool) -> int | None:
    word = _read(picture, 0, ROWS, with_time)
    if word is None:
        return None
    number = word >> _CRC_BITS
    return number if word & ((1 << _CRC_BITS) - 1) == _crc8(number) else None


def _read(picture: Picture, first: int, rows: int, with_time: bool) -> int | None:
    """Returns the bits of `rows` rows of cells; the first row is `first` rows below the top of the frame number."""
    width, height = picture.width, picture.height
    if width < SMALLEST_WIDTH or height < SMALLEST_HEIGHT:
        return None
    grid = _cell_grid(width, height, with_time)
    levels = _levels(picture, grid, grid.top + first * grid.cell, rows)
    if levels.max() - levels.min() < _MIN_CONTRAST:
        return None
    word = 0
    for is_light in (levels > (levels.max() + levels.min()) / 2).ravel().tolist():
        word = word << 1 | is_light
    return word


def _levels(picture: Picture, grid: _CellGrid, top: int, rows: int) -> NDArray[np.float64]:
    """Returns the mean brightness of each cell, (rows, COLUMNS)."""
    lines = slice(top, top + rows * grid.cell)
    columns = slice(grid.left, grid.left + COLUMNS * grid.cell)
    if picture.format is PixelFormat.BGR24:
        region = picture.bgr()[lines, columns].mean(axis=2)
    else:
        region = picture.planes[0][lines, columns].astype(np.float64)
    border = grid.cell // 4
    cells = region.reshape(rows, grid.cell, COLUMNS, grid.cell)[:, border:-border, :, border:-border]
    return np.asarray(cells.mean(axis=(1, 3)))
