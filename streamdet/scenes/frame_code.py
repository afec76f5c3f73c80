"""A frame's number and time as black and white cells in the picture, so that anybody can tell which frame they see.

Cells stand in rows of 16, most significant bit first, and are large enough to survive lossy coding. Two rows are 24
bits of number and 8 bits of CRC, at the bottom right. Where the time is told too, three rows with 40 bits of time in
milliseconds and a CRC over number and time stand above them, and all five at the top right: of a street that is sky and
walls, where nothing moves and no box is drawn. A CRC tells a damaged or missing code from a good one.
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
_LEAST_CONTRAST = 60
SMALLEST_WIDTH, SMALLEST_HEIGHT = 160, 56
"""The smallest picture that the cells fit into."""
TIME_MODULUS_MS = 1 << _TIME_BITS
"""Times are kept modulo this: about 35 years."""


class FrameCode(NamedTuple):
    """What the cells of a frame say.

    Attributes:
        number: of the frame, modulo 2**24.
        captured_ms: when it was made, milliseconds modulo `TIME_MODULUS_MS`. A source that is live writes the system's
            clock (milliseconds since 1970, as ``Date.now()`` in a browser and ``time.time_ns() // 1_000_000`` give
            them), any other the time in its scene.
    """

    number: int
    captured_ms: int

    def age_ms(self, now_ms: int) -> int:
        """Returns how long before `now_ms`, a time by the same clock, the frame was made; negative where after it.

        >>> FrameCode(1, 1_790_000_000_000 % TIME_MODULUS_MS).age_ms(1_790_000_000_250)
        250
        """
        half = TIME_MODULUS_MS // 2
        return (now_ms - self.captured_ms + half) % TIME_MODULUS_MS - half


@dataclass(frozen=True, slots=True)
class _Place:
    left: int
    top: int
    cell: int


def _place(width: int, height: int, with_time: bool) -> _Place:
    """Returns where the number is; the time is above it."""
    cell = max(8, 2 * round(min(height, 9 * width / 16) / 120))
    left = width - COLUMNS * cell - cell
    top = (1 + TIME_ROWS) * cell if with_time else height - ROWS * cell - cell
    return _Place(left - left % 2, top - top % 2, cell)


def frame_code_area(width: int, height: int) -> tuple[slice, slice]:
    """Returns the rows and columns that number and time cover."""
    place = _place(width, height, with_time=True)
    top = place.top - TIME_ROWS * place.cell
    return slice(top, place.top + ROWS * place.cell), slice(place.left, place.left + COLUMNS * place.cell)


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
    """Writes `number` modulo 2**24 into a luma plane (height, line bytes); the picture is at least 160x56."""
    _write_number(y, _place(width, height, with_time=False), number)


def write_frame_code(y: Plane, width: int, height: int, number: int, captured_ms: int) -> None:
    """Writes `number` modulo 2**24, and above it `captured_ms` modulo `TIME_MODULUS_MS`."""
    place = _place(width, height, with_time=True)
    _write_number(y, place, number)
    kept = captured_ms % TIME_MODULUS_MS
    _write(y, place, place.top - TIME_ROWS * place.cell, TIME_ROWS, kept << _CRC_BITS | _time_crc(number, kept))


def _write_number(y: Plane, place: _Place, number: int) -> None:
    kept = number % (1 << _NUMBER_BITS)
    _write(y, place, place.top, ROWS, kept << _CRC_BITS | _crc8(kept))


def _time_crc(number: int, captured_ms: int) -> int:
    return _crc8((number % (1 << _NUMBER_BITS)) << _TIME_BITS | captured_ms, _NUMBER_BITS + _TIME_BITS)


def _write(y: Plane, place: _Place, top: int, rows: int, word: int) -> None:
    bits = np.array([word >> bit & 1 for bit in range(rows * COLUMNS - 1, -1, -1)]).reshape(rows, COLUMNS)
    cells = np.where(bits, _LIGHT, _DARK).astype(np.uint8).repeat(place.cell, axis=0).repeat(place.cell, axis=1)
    y[top : top + cells.shape[0], place.left : place.left + cells.shape[1]] = cells


def read_frame_number(picture: Picture) -> int | None:
    """Returns the number written into a picture of the same size, or None where there is no undamaged one.

    A number with its time is looked for first: two CRCs are hardly ever right by chance, one is in a picture of 256.
    """
    code = read_frame_code(picture)
    return code.number if code else _read_number(picture, with_time=False)


def read_frame_code(picture: Picture) -> FrameCode | None:
    """Returns number and time written into a picture of the same size, or None where not both are undamaged."""
    number, word = _read_number(picture, with_time=True), _read(picture, -TIME_ROWS, TIME_ROWS, with_time=True)
    if number is None or word is None:
        return None
    captured_ms = word >> _CRC_BITS
    whole = word & ((1 << _CRC_BITS) - 1) == _time_crc(number, captured_ms)
    return FrameCode(number, captured_ms) if whole else None


def _read_number(picture: Picture, with_time: bool) -> int | None:
    word = _read(picture, 0, ROWS, with_time)
    if word is None:
        return None
    number = word >> _CRC_BITS
    return number if word & ((1 << _CRC_BITS) - 1) == _crc8(number) else None


def _read(picture: Picture, first: int, rows: int, with_time: bool) -> int | None:
    """Returns the bits of `rows` rows of cells, the first of which is `first` rows below the top of the number."""
    width, height = picture.width, picture.height
    if width < SMALLEST_WIDTH or height < SMALLEST_HEIGHT:
        return None
    place = _place(width, height, with_time)
    levels = _levels(picture, place, place.top + first * place.cell, rows)
    if levels.max() - levels.min() < _LEAST_CONTRAST:
        return None
    word = 0
    for light in (levels > (levels.max() + levels.min()) / 2).ravel().tolist():
        word = word << 1 | light
    return word


def _levels(picture: Picture, place: _Place, top: int, rows: int) -> NDArray[np.float64]:
    """Returns the mean brightness of each cell, (rows, COLUMNS)."""
    lines = slice(top, top + rows * place.cell)
    columns = slice(place.left, place.left + COLUMNS * place.cell)
    if picture.format is PixelFormat.BGR24:
        region = picture.bgr()[lines, columns].mean(axis=2)
    else:
        region = picture.planes[0][lines, columns].astype(np.float64)
    border = place.cell // 4
    cells = region.reshape(rows, place.cell, COLUMNS, place.cell)[:, border:-border, :, border:-border]
    return np.asarray(cells.mean(axis=(1, 3)))
