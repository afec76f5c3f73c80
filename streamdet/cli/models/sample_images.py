"""Pictures for the commands that run a model on some: the user's photos, or a made-up scene."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from streamdet.errors import UsageError

if TYPE_CHECKING:
    from streamdet.convert.proof import Sample

_SCENE = "synthetic:?frames=3&size=640x480&objects=12&seed=7"


def photo_paths(where: str) -> list[Path]:
    """Returns the images of a folder, a pattern, or a text file with a path per line (beside it, if not absolute).

    Raises:
        UsageError: it is not there, or a list names what is not.
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
        what = (
            f"{len(missing)} of its {len(paths)} files are not there, like {missing[0]}" if missing else "it is empty"
        )
        raise UsageError(f"{where}: {what}")
    return paths


def load_samples(images: str | None, count: int) -> list[Sample]:
    """Returns pictures with names.

    Args:
        images: where photos are; None for frames of a made-up scene.
        count: how many photos at most, spread evenly over all.

    Raises:
        UsageError, SourceError: there are none, or one cannot be read.
    """
    from streamdet.convert.proof import Sample
    from streamdet.picture import Picture
    from streamdet.sources.factory import create_source
    from streamdet.sources.images import read_image
    from streamdet.sources.options import SourceOptions

    if images is None:
        with create_source(_SCENE) as source:
            source.open()
            return [Sample(f"frame {frame.index} of a made-up scene", frame.picture) for frame in source.frames()]
    paths = evenly_spaced(photo_paths(images), count)
    limit = SourceOptions().max_pixels
    return [Sample(path.name, Picture.from_bgr(read_image(path, limit))) for path in paths]


def evenly_spaced(paths: Sequence[Path], count: int) -> list[Path]:
    """Returns at most `count` of the paths, from all over.

    >>> [str(p) for p in evenly_spaced([Path(c) for c in "abcdef"], 3)]
    ['a', 'c', 'e']
    """
    step = max(1.0, len(paths) / count)
    return [paths[int(i * step)] for i in range(min(count, len(paths)))]
