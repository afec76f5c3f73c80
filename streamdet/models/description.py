"""Models described in a few YAML lines (`file:` and any field of `ModelSpec`), or in the metadata of their own file."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any

from streamdet.errors import ConfigError, ModelError
from streamdet.model_spec.origin import Origin
from streamdet.model_spec.spec import ModelSpec
from streamdet.models.description_keys import IN_METADATA, LABEL_SETS, MAX_BYTES, PARSERS, Parse
from streamdet.redact import redact
from streamdet.yaml_file import read_yaml

SPEC_KEY = "streamdet.spec"
"""Metadata key of a file that says how it is fed and read: JSON with fields of `ModelSpec`."""

# Where a family has a habit, the dataclass's default says nothing of it.
_ALWAYS = frozenset(
    {"contract", "rgb", "mean", "std", "resize", "box_normalized", "labels", "label_offset", "conf", "iou"}
)

# Of a value in a message; `redact` takes longer over a long text than its length says.
_LONGEST_LOOKED_AT = 400


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
        return Origin(**{"name": self.path.stem, **known, "typed_name": str(self.path)})


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
        return dict(_checked(content, Path(name), IN_METADATA).fields)
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
        if field.name not in IN_METADATA or (value == field.default and field.name not in _ALWAYS):
            continue
        if field.name in ("width", "height") and not with_size:
            continue
        named = next((name for name, labels in LABEL_SETS.items() if labels == value), None)
        content[field.name] = value.value if isinstance(value, Enum) else named or value
    return json.dumps(content, default=asdict)


def _checked(content: dict[Any, Any], path: Path, known: Mapping[str, Parse] | None = None) -> Description:
    known = PARSERS if known is None else known
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
