"""Reads formats, sizes and rates of a Linux camera with V4L2's ioctl calls, without changing or starting it.

Layouts and numbers are from linux/videodev2.h.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Ioctl = Callable[[int, int, bytearray], object]
"""Like `fcntl.ioctl` with a mutable buffer: descriptor, request, structure."""

_READ, _READ_WRITE = 2, 3


def _request(direction: int, number: int, size: int) -> int:
    """Returns an ioctl number of kind 'V', as x86 and ARM encode it."""
    return direction << 30 | size << 16 | ord("V") << 8 | number


CAPABILITY = struct.Struct("=16s32s32sIII3I")
FORMAT = struct.Struct("=III32sII3I")
FRAME_SIZE = struct.Struct("=III6I2I")
FRAME_INTERVAL = struct.Struct("=IIIII6I2I")

QUERYCAP = _request(_READ, 0, CAPABILITY.size)
ENUM_FMT = _request(_READ_WRITE, 2, FORMAT.size)
ENUM_FRAMESIZES = _request(_READ_WRITE, 74, FRAME_SIZE.size)
ENUM_FRAMEINTERVALS = _request(_READ_WRITE, 75, FRAME_INTERVAL.size)

_HAS_DEVICE_CAPS = 0x80000000
_CAPTURE = {0x1: 1, 0x1000: 9}  # capability of a node -> its buffer type: with one plane, with several
_DISCRETE = 1
_MAX_ENTRIES = 256
"""Most entries read of one list: a broken driver may never end it."""


@dataclass(frozen=True, slots=True)
class CaptureMode:
    """A FOURCC, a size in pixels, and the highest frame rate at that size; 0 if the driver does not report it."""

    pixel_format: str
    width: int
    height: int
    rate_hz: float

    def __str__(self) -> str:
        return f"{self.width}x{self.height}" + (f" at {self.rate_hz:.3g}/s" if self.rate_hz else "")


def read_capture_modes(path: Path, ioctl: Ioctl | None = None) -> list[CaptureMode]:
    """Returns all modes of a camera.

    Args:
        path: the device file.
        ioctl: calls the driver; `fcntl.ioctl` by default.

    Raises:
        OSError: the device cannot be opened, or the driver failed.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        return list(capture_modes(descriptor, ioctl or _fcntl_ioctl))
    finally:
        os.close(descriptor)


def _fcntl_ioctl(descriptor: int, request: int, buffer: bytearray) -> object:
    import fcntl  # not on Windows

    return fcntl.ioctl(descriptor, request, buffer)


def capture_modes(descriptor: int, ioctl: Ioctl) -> Iterator[CaptureMode]:
    """Yields the modes of an open camera in the driver's order; see `read_capture_modes`."""
    buffer = bytearray(CAPABILITY.size)
    ioctl(descriptor, QUERYCAP, buffer)
    *_, capabilities, device_caps, _, _, _ = CAPABILITY.unpack(buffer)
    if capabilities & _HAS_DEVICE_CAPS:
        capabilities = device_caps
    for bit, kind in _CAPTURE.items():
        if capabilities & bit:
            for entry in _listed(ioctl, descriptor, ENUM_FMT, FORMAT, (kind,), before_type=True):
                yield from _sizes(ioctl, descriptor, entry[4])


def _sizes(ioctl: Ioctl, descriptor: int, fourcc: int) -> Iterator[CaptureMode]:
    name = struct.pack("=I", fourcc & 0x7FFFFFFF).decode("ascii", "replace").strip("\0 ")
    for entry in _listed(ioctl, descriptor, ENUM_FRAMESIZES, FRAME_SIZE, (fourcc,)):
        # Discrete: width, height. Else: minimum, maximum and step of the width, then of the height.
        width, height = (entry[3], entry[4]) if entry[2] == _DISCRETE else (entry[4], entry[7])
        yield CaptureMode(name, width, height, _rate(ioctl, descriptor, (fourcc, width, height)))


def _rate(ioctl: Ioctl, descriptor: int, mode: tuple[int, int, int]) -> float:
    """Returns the highest rate in Hz. A driver lists the time between frames as a fraction, or its minimum."""
    entries = _listed(ioctl, descriptor, ENUM_FRAMEINTERVALS, FRAME_INTERVAL, mode)
    return max((entry[6] / entry[5] for entry in entries if entry[5]), default=0.0)


def _listed(
    ioctl: Ioctl, descriptor: int, request: int, layout: struct.Struct, key: tuple[int, ...], before_type: bool = False
) -> Iterator[tuple[int, ...]]:
    """Yields the entries of a list. Each structure starts with the index, then the key.

    A list that is not discrete has one entry, of type 2 or 3.
    """
    for index in range(_MAX_ENTRIES):
        buffer = bytearray(layout.size)
        struct.pack_into(f"={1 + len(key)}I", buffer, 0, index, *key)
        try:
            ioctl(descriptor, request, buffer)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):  # end of the list, or no list
                return
            raise
        entry = layout.unpack(buffer)
        yield entry
        if not before_type and entry[1 + len(key)] != _DISCRETE:
            return
