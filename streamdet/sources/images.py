"""Still images: one file, a directory, a glob."""

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
from streamdet.sources.orientation import check_size
from streamdet.types import Frame, SourceInfo

log = logging.getLogger(__name__)


def find_images(pattern: str) -> list[Path]:
    """Returns the images that a path, a directory or a glob names, in natural order (2 before 10).

    Raises:
        SourceError: there is none.
    """
    path = Path(pattern)
    if path.is_file():
        return [path]
    found = path.iterdir() if path.is_dir() else (Path(name) for name in glob.glob(pattern, recursive=True))
    images = [p for p in found if p.suffix.lower() in suffixes.IMAGES and p.is_file()]
    if not images:
        where = "in the directory" if path.is_dir() else "matches"
        kinds = ", ".join(sorted(s[1:] for s in suffixes.IMAGES))
        raise SourceError(f"{pattern}: no image {where}: looked for {kinds}")
    return sorted(images, key=natural_key)


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sorts numbers in a name by value.

    >>> sorted([Path("a10.png"), Path("a9.png"), Path("b.png")], key=natural_key)[0].name
    'a9.png'
    """
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def read_image(
    path: Path, max_pixels: int, damage: list[str] | None = None, apply_orientation: bool = True
) -> NDArray[np.uint8]:
    """Returns an image as (height, width, 3) uint8 BGR, upright by its EXIF orientation.

    Args:
        path: of the image.
        max_pixels: largest image that is decoded.
        damage: gets what the decoder said of an image that it could read in part.
        apply_orientation: False leaves the pixels as they are stored.

    Raises:
        SourceError: it cannot be read or decoded, or is larger than allowed; told by its header where there is one, so
            that a small file that unpacks to gigabytes is refused before it does.
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
        raise SourceError(f"{path}: not an image that can be decoded, or damaged: copy or save it again")
    height, width = bgr.shape[:2]
    check_size(str(path), width, height, max_pixels)
    return bgr  # type: ignore[no-any-return]


class ImagesSource(Source):
    """Images one after the other, each standing for 1 / `image_fps` seconds.

    A broken image among several is counted, left out and told of at the end; a single one is an error. `Frame.file`
    names each.
    """

    still_images = True

    def __init__(self, pattern: str, name: str, options: SourceOptions | None = None) -> None:
        super().__init__(name, pattern)
        self._options = options or SourceOptions()
        self.files = self._all = find_images(pattern)
        self._waiting: Iterator[Path] = iter(())
        self._broken: list[Path] = []
        self._first: Frame | None = None
        self._time_base = 1 / Fraction(self._options.image_fps).limit_denominator(90_000)
        self._index = 0

    def open(self) -> SourceInfo:
        """Decodes the first image; see `Source.open`."""
        self._waiting = iter(self._all)
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
                self._tell_of_damage()
                return
            yield frame

    def _tell_of_damage(self) -> None:
        said = []
        if self._broken:
            names = ", ".join(path.name for path in self._broken[:3]) + (", ..." if len(self._broken) > 3 else "")
            said.append(f"{len(self._broken)} cannot be decoded and are left out ({names})")
        if count := self.faults["damaged_image"]:
            said.append(f"{count} are damaged and read in part")
        if said:
            log.warning("%s: of %d images %s", self.url, len(self._all), ", ".join(said))

    def _next(self) -> Frame | None:
        for path in self._waiting:
            damage: list[str] = []
            try:
                bgr = read_image(path, self._options.max_pixels, damage)
            except SourceError:
                if len(self._all) == 1:
                    raise
                self.faults["broken_image"] += 1
                self._broken.append(path)
                continue
            if any("warning" not in message for message in damage):  # libpng warns of colour profiles, for one
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
        """Forgets the images not yet read; see `Source.close`."""
        self._waiting = iter(())
        self._first = None
