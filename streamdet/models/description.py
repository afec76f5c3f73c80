"""Models described in a few YAML lines (`file:` and any field of `ModelSpec`), or in the metadata of their own file."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any

from streamdet.errors import ConfigError, ModelError
from streamdet.labels import COCO80, COCO90
from streamdet.models.origin import Origin, check_url
from streamdet.models.spec import Contract, ModelSpec, Resize
from streamdet.models.ssd_geometry import BoxGrid
from streamdet.redact import redact
from streamdet.yaml_file import read_yaml

SPEC_KEY = "streamdet.spec"
"""Metadata key of a file that says how it is fed and read: JSON with fields of `ModelSpec`."""

MAX_BYTES = 64 * 1024
"""No description is longer; a longer file is something else."""

# Of a value in a message; `redact` takes longer over a long text than its length says.
_LONGEST_LOOKED_AT = 400

_MOST_GRIDS, _MOST_CELLS, _MOST_BOXES = 32, 1024, 1 << 20
_GRIDS_FIX = "give a list of grids, each with columns, rows and shapes [[width, height], ...] in shares of the picture"

_Parse = Callable[[Any, Path], Any]
_LABEL_SETS = {"coco80": COCO80, "coco90": COCO90}


@dataclass(frozen=True, slots=True)
class Description:
    """What a YAML file says of a model.

    Attributes:
        path: of the YAML file.
        file: the model it describes; None where it only stands beside one.
        fields: fields of `ModelSpec`, checked.
    """

    path: Path
    file: Path | None
    fields: Mapping[str, Any]

    @property
    def origin(self) -> Origin:
        """Where the model's file can be had, as far as the description says so."""
        known = {field.name: self.fields[field.name] for field in fields(Origin) if field.name in self.fields}
        return Origin(**{"name": self.path.stem, **known, "asked_as": str(self.path)})


def read_description(path: Path) -> Description:
    """Reads a description.

    Raises:
        ConfigError: it cannot be read, or a key or value cannot work; the message names key, value and fix.
    """
    return _checked(read_yaml(path, MAX_BYTES), path)


def read_metadata(metadata: Mapping[str, str], name: str) -> dict[str, Any]:
    """Returns the fields of `ModelSpec` that a file's own metadata gives; none where it gives none.

    Whoever made the file wrote them: they are checked as a description is, and cannot name other files.

    Raises:
        ModelError: they cannot be read, or cannot work.
    """
    text = metadata.get(SPEC_KEY)
    if text is None:
        return {}
    fix = "convert the model again, or describe it in a YAML file beside it"
    if len(text) > MAX_BYTES:
        raise ModelError(f"{name}: its metadata {SPEC_KEY} is too long ({len(text)} characters): {fix}")
    try:
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ConfigError(f"{name}: must hold keys and values")
        return dict(_checked(content, Path(name), _IN_METADATA).fields)
    except ConfigError as error:
        reason = str(error).removeprefix(f"{name}: ")
        raise ModelError(f"{name}: its metadata {SPEC_KEY} cannot be used: {reason}; {fix}") from None
    except (ValueError, RecursionError):
        raise ModelError(f"{name}: its metadata {SPEC_KEY} is not valid JSON: {fix}") from None


def metadata_text(spec: ModelSpec, with_size: bool = False) -> str:
    """Returns what `read_metadata` reads: fields that are not default, and those where families have habits.

    Args:
        spec: of the file.
        with_size: say width and height too, for a graph that leaves them open.
    """
    content: dict[str, Any] = {}
    for field in fields(spec):
        value = getattr(spec, field.name)
        if field.name not in _IN_METADATA or (value == field.default and field.name not in _ALWAYS):
            continue
        if field.name in ("width", "height") and not with_size:
            continue
        named = next((name for name, labels in _LABEL_SETS.items() if labels == value), None)
        content[field.name] = value.value if isinstance(value, Enum) else named or value
    return json.dumps(content, default=asdict)


def _checked(content: dict[Any, Any], path: Path, known: Mapping[str, _Parse] | None = None) -> Description:
    known = _PARSERS if known is None else known
    given: dict[str, Any] = {}
    file: Path | None = None
    for key, value in content.items():
        parse = known.get(key) if isinstance(key, str) else None
        if parse is None:
            close = difflib.get_close_matches(str(key)[:_LONGEST_LOOKED_AT], known, n=1)
            fix = f"did you mean `{close[0]}`?" if close else f"known keys: {', '.join(known)}"
            raise ConfigError(f"{path}: unknown key `{_shown(key)}`: {fix}")
        try:
            parsed = parse(value, path)
        except ValueError as error:
            raise ConfigError(f"{path}: `{key}: {_shown(value)}` cannot work: {error}") from None
        if key == "file":
            file = parsed
        else:
            given[key] = parsed
    return Description(path, file, given)


def _shown(value: Any) -> str:
    """Returns the start of a key or value, on one line and without credentials."""
    plain = "".join(character if character.isprintable() else " " for character in str(value))
    return redact(" ".join(plain.split())[:_LONGEST_LOOKED_AT])[:60]


def _integer(low: int, high: int) -> _Parse:
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
        raise ValueError("give text, in quotes where it looks like something else")
    text = value.strip()
    if not text.isprintable():  # a terminal would obey it
        raise ValueError("give one line of text without control characters")
    return text


def _choice(kind: type[Enum]) -> _Parse:
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


def _three(positive: bool) -> _Parse:
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
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_GRIDS:
        raise ValueError(_GRIDS_FIX)
    grids = tuple(_box_grid(row) for row in value)
    if sum(grid.count for grid in grids) > _MOST_BOXES:
        raise ValueError(f"there are more than {_MOST_BOXES} default boxes")
    return grids


def _box_grid(row: Any) -> BoxGrid:
    if not isinstance(row, dict) or set(row) != {"columns", "rows", "shapes"}:
        raise ValueError(_GRIDS_FIX)
    sides, shapes = (row["columns"], row["rows"]), row["shapes"]
    if not all(isinstance(side, int) and 0 < side <= _MOST_CELLS for side in sides):
        raise ValueError(_GRIDS_FIX)
    if not isinstance(shapes, list) or not shapes or not all(_is_shape(shape) for shape in shapes):
        raise ValueError(_GRIDS_FIX)
    return BoxGrid(*sides, tuple((float(width), float(height)) for width, height in shapes))


def _is_shape(value: Any) -> bool:
    """Whether something is a width and a height in shares of a picture; a box may be larger than it."""
    sides = value if isinstance(value, list) else []
    return len(sides) == 2 and all(
        isinstance(side, int | float) and not isinstance(side, bool) and 0 < side <= 4 for side in sides
    )


def _urls(value: Any, path: Path) -> tuple[str, ...]:
    urls = _texts(value, path)
    for url in urls:
        check_url(url)
    return urls


def _digest(digits: int) -> _Parse:
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
        if value in _LABEL_SETS:
            return _LABEL_SETS[value]
        file = path.parent / value
        try:
            lines = file.read_text("utf-8").splitlines() if file.stat().st_size <= MAX_BYTES else []
        except (OSError, ValueError):
            lines = []
        names = tuple(line.strip() for line in lines if line.strip())
        if names:
            return names
    raise ValueError("give coco80, coco90, a list of names, or a text file beside this one with a name per line")


def _listed_labels(value: Any, path: Path) -> tuple[str, ...]:
    if value == []:
        return ()
    if isinstance(value, list) and not all(isinstance(v, str) and v.isprintable() and len(v) <= 100 for v in value):
        raise ValueError("give names of up to 100 printable characters")
    if isinstance(value, list) or (isinstance(value, str) and value in _LABEL_SETS):
        return _labels(value, path)
    raise ValueError("give coco80, coco90 or a list of names")


def _short_text(value: Any, path: Path) -> str:
    text = _text(value, path)
    if not text.isprintable() or len(text) > 100:
        raise ValueError("give up to 100 printable characters")
    return text


def _file(value: Any, path: Path) -> Path:
    try:
        return path.parent / Path(_text(value, path)).expanduser()
    except RuntimeError:
        raise ValueError("there is no such home directory: give a path beside this file, or a whole one") from None


_PARSERS: dict[str, _Parse] = {
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

_OF_A_FILE = frozenset({"file", "name", "urls", "size_bytes", "sha256", "sha384", "licence", "about"})
_IN_METADATA = {key: parse for key, parse in _PARSERS.items() if key not in _OF_A_FILE} | {
    "labels": _listed_labels,
    "licence": _short_text,
}
# Where a family has a habit, the dataclass's default says nothing of it.
_ALWAYS = frozenset(
    {"contract", "rgb", "mean", "std", "resize", "box_normalized", "labels", "label_offset", "conf", "iou"}
)
