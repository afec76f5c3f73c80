"""The keys of model descriptions: a parser for each validates its value, or raises with the fix."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

from streamdet.labels import COCO80, COCO90
from streamdet.model_spec.default_boxes import BoxGrid
from streamdet.model_spec.origin import check_url
from streamdet.model_spec.spec import Contract, Resize

MAX_BYTES = 64 * 1024
"""Maximum size of a description or a file of labels."""

MAX_LABEL_LENGTH = 100
"""Maximum number of characters of a class name in the metadata of a file."""

_MAX_GRIDS, _MAX_CELLS, _MAX_BOXES = 32, 1024, 1 << 20
_MAX_BOX_SIDE = 16
"""Maximum side of a default box as a fraction of the picture: the coarsest boxes of small SSDs reach nearly 10 for the
smallest input."""
_GRIDS_FIX = (
    "give a list of grids, each with columns, rows and shapes [[width, height], ...] as fractions of the picture"
)

Parse = Callable[[Any, Path], Any]
"""Converts a value for `ModelSpec`; the path is that of the description. Raises ValueError with the fix."""

LABEL_SETS = {"coco80": COCO80, "coco90": COCO90}
"""Lists of labels that a description may name."""


def _integer(low: int, high: int) -> Parse:
    def parse(value: Any, _: Path) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"give a whole number from {low} to {high}")
        return value

    return parse


def _fraction(value: Any, _: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("give a number from 0 to 1")
    return float(value)


def _boolean(value: Any, _: Path) -> bool:
    if not isinstance(value, bool):
        raise ValueError("give true or false")
    return value


def _text(value: Any, _: Path) -> str:
    if not isinstance(value, str):
        raise ValueError("give text, in quotes if it looks like something else")
    text = value.strip()
    if not text.isprintable():  # control characters could control a terminal
        raise ValueError("give one line of text without control characters")
    return text


def _choice(kind: type[Enum]) -> Parse:
    def parse(value: Any, _: Path) -> Enum:
        try:
            return kind(value)
        except ValueError:
            raise ValueError("give one of " + ", ".join(str(member.value) for member in kind)) from None

    return parse


def _box_order(value: Any, _: Path) -> str:
    if value not in ("xyxy", "yxyx"):
        raise ValueError("give xyxy or yxyx")
    return str(value)


def _three(positive: bool) -> Parse:
    def parse(value: Any, _: Path) -> tuple[float, ...]:
        values = value if isinstance(value, list) else [value] * 3
        if len(values) != 3 or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            raise ValueError("give one number or a list of three")
        if not all(abs(v) < 1e6 and (v > 0 or not positive) for v in values):  # also refuses .nan and .inf
            raise ValueError("give " + ("numbers greater than 0" if positive else "finite numbers"))
        return tuple(float(v) for v in values)

    return parse


def _texts(value: Any, _: Path) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(v, str) for v in values):
        raise ValueError("give text or a list of texts")
    return tuple(values)


def _box_grids(value: Any, _: Path) -> tuple[BoxGrid, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= _MAX_GRIDS:
        raise ValueError(_GRIDS_FIX)
    grids = tuple(_box_grid(row) for row in value)
    if sum(grid.count for grid in grids) > _MAX_BOXES:
        raise ValueError(f"there are more than {_MAX_BOXES} default boxes")
    return grids


def _box_grid(row: Any) -> BoxGrid:
    if not isinstance(row, dict) or set(row) != {"columns", "rows", "shapes"}:
        raise ValueError(_GRIDS_FIX)
    sides, shapes = (row["columns"], row["rows"]), row["shapes"]
    if not all(isinstance(side, int) and not isinstance(side, bool) and 0 < side <= _MAX_CELLS for side in sides):
        raise ValueError(_GRIDS_FIX)
    if not isinstance(shapes, list) or not shapes or not all(_is_shape(shape) for shape in shapes):
        raise ValueError(_GRIDS_FIX)
    return BoxGrid(*sides, tuple((float(width), float(height)) for width, height in shapes))


def _is_shape(value: Any) -> bool:
    """Returns whether a value is [width, height] as fractions of the picture; a box may be larger than the picture."""
    sides = value if isinstance(value, list) else []
    return len(sides) == 2 and all(
        isinstance(side, int | float) and not isinstance(side, bool) and 0 < side <= _MAX_BOX_SIDE for side in sides
    )


def _urls(value: Any, path: Path) -> tuple[str, ...]:
    urls = _texts(value, path)
    for url in urls:
        check_url(url)
    return urls


def _digest(digits: int) -> Parse:
    def parse(value: Any, path: Path) -> str:
        digest = _text(value, path)
        if not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", digest):
            raise ValueError(f"give the {digits} hexadecimal digits that sha{4 * digits}sum prints")
        return digest

    return parse


def _labels(value: Any, path: Path) -> tuple[str, ...]:
    if isinstance(value, list) and value and all(isinstance(v, str | int) and not isinstance(v, bool) for v in value):
        return tuple(str(v) for v in value)
    if isinstance(value, str):
        if value in LABEL_SETS:
            return LABEL_SETS[value]
        file = path.parent / value
        try:
            lines = file.read_text("utf-8").splitlines() if file.stat().st_size <= MAX_BYTES else []
        except (OSError, ValueError):
            lines = []
        names = tuple(line.strip() for line in lines if line.strip())
        if names:
            return names
    raise ValueError("give coco80, coco90, a list of names, or a text file next to this one with one name per line")


def _metadata_labels(value: Any, path: Path) -> tuple[str, ...]:
    if value == []:
        return ()
    if isinstance(value, list) and not all(
        isinstance(v, str) and v.isprintable() and len(v) <= MAX_LABEL_LENGTH for v in value
    ):
        raise ValueError(f"give names of up to {MAX_LABEL_LENGTH} printable characters")
    if isinstance(value, list) or (isinstance(value, str) and value in LABEL_SETS):
        return _labels(value, path)
    raise ValueError("give coco80, coco90 or a list of names")


def _short_text(value: Any, path: Path) -> str:
    text = _text(value, path)
    if len(text) > 100:
        raise ValueError("give up to 100 printable characters")
    return text


def _file(value: Any, path: Path) -> Path:
    try:
        return path.parent / Path(_text(value, path)).expanduser()
    except RuntimeError:
        raise ValueError("there is no such home directory: give a path relative to this file, or a full path") from None


PARSERS: dict[str, Parse] = {
    "file": _file,
    "name": _text,
    "contract": _choice(Contract),
    "width": _integer(1, 16384),
    "height": _integer(1, 16384),
    "nchw": _boolean,
    "rgb": _boolean,
    "uint8": _boolean,
    "mean": _three(positive=False),
    "std": _three(positive=True),
    "resize": _choice(Resize),
    "pad_value": _integer(0, 255),
    "box_order": _box_order,
    "box_normalized": _boolean,
    "labels": _labels,
    "label_offset": _integer(-1000, 1000),
    "output_names": _texts,
    "default_boxes": _box_grids,
    "conf": _fraction,
    "iou": _fraction,
    "urls": _urls,
    "size_bytes": _integer(0, 1 << 40),
    "sha256": _digest(64),
    "sha384": _digest(96),
    "licence": _text,
    "about": _text,
}
"""The keys of a YAML description."""

_FILE_KEYS = frozenset({"file", "name", "urls", "size_bytes", "sha256", "sha384", "licence", "about"})
IN_METADATA = {key: parse for key, parse in PARSERS.items() if key not in _FILE_KEYS} | {
    "labels": _metadata_labels,
    "licence": _short_text,
}
"""The keys allowed in the metadata of a model file."""
