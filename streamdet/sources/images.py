"""Still images: one file, a directory or a glob pattern."""

from __future__ import annotations

import glob
import logging
import re
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdet.errors import SourceError
from streamdet.picture import Picture
from streamdet.sources import suffixes
from streamdet.sources.base import Source
from streamdet.sources.image_header import image_size
from streamdet.sources.native_stderr import caught_codec_messages
from streamdet.sources.options import SourceOptions
from streamdet.sources.picture_size import check_size
from streamdet.types import Frame, SourceInfo

log = logging.getLogger(__name__)


def find_images(pattern: str) -> list[Path]:
    """Returns the images at a path, in a directory or matching a glob pattern, in natural order (2 before 10).

    Raises:
        SourceError: no image was found.
    """
    path = Path(pattern)
    if path.is_file():
        return [path]
    paths = path.iterdir() if path.is_dir() else (Path(name) for name in glob.glob(pattern, recursive=True))
    images = [p for p in paths if p.suffix.lower() in suffixes.IMAGES and p.is_file()]
    if not images:
        where = "in the directory" if path.is_dir() else "matches"
        formats = ", ".join(sorted(s[1:] for s in suffixes.IMAGES))
        raise SourceError(f"{pattern}: no image {where}: supported are {formats}")
    return sorted(images, key=natural_key)


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Returns a sort key that orders numbers in a name by value.

    >>> sorted([Path("a10.png"), Path("a9.png"), Path("b.png")], key=natural_key)[0].name
    'a9.png'
    """
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def read_image(
    path: Path, max_pixels: int, damage: list[str] | None = None, apply_orientation: bool = True
) -> NDArray[np.uint8]:
    """Returns an image as (height, width, 3) uint8 BGR, rotated according to its EXIF orientation.

    Args:
        path: path of the image.
        max_pixels: largest image that is decoded, in pixels.
        damage: list to which the decoder's messages about a partly readable image are added.
        apply_orientation: False returns the pixels as stored.

    Raises:
        SourceError: the image cannot be read or decoded, or is larger than allowed. The size is taken from the header
            if possible, so that a small file that unpacks to gigabytes is refused before decoding.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    if not data:
        raise SourceError(f"{path}: the file is empty: copy or save it again")
    size = image_size(data)
    if size is not None:
        check_size(str(path), *size, max_pixels)
    flags = cv2.IMREAD_COLOR if apply_orientation else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    with caught_codec_messages([] if damage is None else damage):
        try:
            bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error:  # OpenCV's own limits
            bgr = None
    if bgr is None:
        raise SourceError(f"{path}: the image is damaged or of an unsupported format: copy or save it again")
    height, width = bgr.shape[:2]
    check_size(str(path), width, height, max_pixels)
    return bgr  # type: ignore[no-any-return]


class ImagesSource(Source):
    """A sequence of still images, each 1 / `image_fps` seconds long.

    If one of several images cannot be decoded, it is counted, skipped, and reported at the end. If it is the only
    image, it is an error. `Frame.file` is the path of each image.
    """

    still_images = True

    def __init__(self, pattern: str, name: str, options: SourceOptions | None = None) -> None:
        super().__init__(name, pattern)
        self._options = options or SourceOptions()
        self.files = self._all = find_images(pattern)
        self._remaining: Iterator[Path] = iter(())
        self._broken: list[Path] = []
        self._first: Frame | None = None
        self._time_base = 1 / Fraction(self._options.image_fps).limit_denominator(90_000)
        self._index = 0

    def open(self) -> SourceInfo:
        """Decodes the first image; see `Source.open`."""
        self._remaining = iter(self._all)
        self._first = self._next()
        if self._first is None:
            raise SourceError(f"{self.url}: none of its {len(self._all)} images can be decoded")
        return SourceInfo(
            name=self.name,
            width=self._first.width,
            height=self._first.height,
            time_base=self._time_base,
            average_rate=1 / self._time_base,
            frame_count=len(self._all),
            codec="image",
        )

    def frames(self) -> Iterator[Frame]:
        """Yields one frame for each image; see `Source.frames`."""
        while not self.stopping.is_set():
            frame, self._first = self._first or self._next(), None
            if frame is None:
                self._report_damage()
                return
            yield frame

    def _report_damage(self) -> None:
        problems = []
        if self._broken:
            names = ", ".join(path.name for path in self._broken[:3]) + (", ..." if len(self._broken) > 3 else "")
            problems.append(f"{len(self._broken)} cannot be decoded and were skipped ({names})")
        if count := self.faults["damaged_image"]:
            problems.append(f"{count} are damaged and were read in part")
        if problems:
            log.warning("%s: of %d images %s", self.url, len(self._all), ", ".join(problems))

    def _next(self) -> Frame | None:
        for path in self._remaining:
            damage: list[str] = []
            try:
                bgr = read_image(path, self._options.max_pixels, damage)
            except SourceError:
                if len(self._all) == 1:
                    raise
                self.faults["broken_image"] += 1
                self._broken.append(path)
                continue
            if any("warning" not in message for message in damage):  # libpng warns of color profiles, for example
                self.faults["damaged_image"] += 1
            index, self._index = self._index, self._index + 1
            return Frame(
                picture=Picture.from_bgr(bgr),
                source=self.name,
                index=index,
                pts=index,
                time_base=self._time_base,
                captured_ns=time.monotonic_ns(),
                duration=1,
                key_frame=True,
                file=path,
            )
        return None

    def close(self) -> None:
        """Drops the remaining images; see `Source.close`."""
        self._remaining = iter(())
        self._first = None
