"""SampleImage images for commands that run a model: the user's photos, or frames of a synthetic scene."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from streamdet.errors import UsageError

if TYPE_CHECKING:
    from streamdet.convert.verification import SampleImage

_SCENE = "synthetic:?frames=3&size=640x480&objects=12&seed=7"


def photo_paths(where: str) -> list[Path]:
    """Returns the images of a folder, a pattern, or a text file with one path per line (relative to the file).

    Raises:
        UsageError: the folder or list does not exist, or the list names a missing file.
        SourceError: there is no image.
    """
    from streamdet.sources.images import find_images

    path = Path(os.path.expanduser(where))
    if not os.path.exists(path) and not any(sign in where for sign in "*?["):
        raise UsageError(f"{where}: no such file or folder: give photos as a folder, a pattern or a list (.txt)")
    if path.suffix.casefold() not in (".txt", ".list") or not path.is_file():
        return find_images(str(path))
    names = [line.strip() for line in path.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    paths = [path.parent / name for name in names]
    missing = [p for p in paths if not p.is_file()]
    if missing or not paths:
        problem = (
            f"{len(missing)} of {len(paths)} files are missing, e.g. {missing[0]}" if missing else "the list is empty"
        )
        raise UsageError(f"{where}: {problem}")
    return paths


def load_samples(images: str | None, count: int) -> list[SampleImage]:
    """Returns pictures with their names.

    Args:
        images: folder, pattern or list of photos; None for frames of a synthetic scene.
        count: maximum number of photos, spread evenly over all.

    Raises:
        UsageError, SourceError: there is no photo, or one cannot be read.
    """
    from streamdet.convert.verification import SampleImage
    from streamdet.picture import Picture
    from streamdet.sources.factory import create_source
    from streamdet.sources.images import read_image
    from streamdet.sources.options import SourceOptions

    if images is None:
        with create_source(_SCENE) as source:
            source.open()
            return [
                SampleImage(f"frame {frame.index} of a synthetic scene", frame.picture) for frame in source.frames()
            ]
    paths = evenly_spaced(photo_paths(images), count)
    limit = SourceOptions().max_pixels
    return [SampleImage(path.name, Picture.from_bgr(read_image(path, limit))) for path in paths]


def evenly_spaced(paths: Sequence[Path], count: int) -> list[Path]:
    """Returns at most `count` of the paths, evenly spaced.

    >>> [str(p) for p in evenly_spaced([Path(c) for c in "abcdef"], 3)]
    ['a', 'c', 'e']
    """
    step = max(1.0, len(paths) / count)
    return [paths[int(i * step)] for i in range(min(count, len(paths)))]
