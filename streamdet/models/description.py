"""Model descriptions: a few lines of YAML (`file:` and any field of `ModelSpec`), or metadata in the model file."""

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
"""Metadata key of a self-describing file: JSON with fields of `ModelSpec`."""

# Written even at their default, since the defaults of a contract may differ from those of the dataclass.
_ALWAYS = frozenset(
    {"contract", "rgb", "mean", "std", "resize", "box_normalized", "labels", "label_offset", "conf", "iou"}
)

# Longest value that is redacted for a message: the time of `redact` grows faster than the length of its text.
_MAX_REDACTED = 400


@dataclass(frozen=True, slots=True)
class Description:
    """The content of a YAML description.

    Attributes:
        path: path of the YAML file.
        file: the model file it names; None if the description is next to the model file.
        fields: fields of `ModelSpec`, validated.
    """

    path: Path
    file: Path | None
    fields: Mapping[str, Any]

    @property
    def origin(self) -> Origin:
        """The origin of the model file, as far as the description states it."""
        known = {field.name: self.fields[field.name] for field in fields(Origin) if field.name in self.fields}
        return Origin(**{"name": self.path.stem, **known, "typed_name": str(self.path)})


def read_description(path: Path) -> Description:
    """Reads a description.

    Raises:
        ConfigError: it cannot be read, or a key or value is invalid; the message names key, value and fix.
    """
    return _checked(read_yaml(path, MAX_BYTES), path)


def read_metadata(metadata: Mapping[str, str], name: str) -> dict[str, Any]:
    """Returns the fields of `ModelSpec` in the metadata of a file, {} if there are none.

    Metadata is untrusted: it is validated like a description, and cannot name other files.

    Raises:
        ModelError: the metadata cannot be read or is invalid.
    """
    text = metadata.get(SPEC_KEY)
    if text is None:
        return {}
    fix = "convert the model again, or describe it in a YAML file next to it"
    if len(text) > MAX_BYTES:
        raise ModelError(f"{name}: its metadata {SPEC_KEY} is too long ({len(text)} characters): {fix}")
    try:
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ConfigError(f"{name}: must contain keys and values")
        return dict(_checked(content, Path(name), IN_METADATA).fields)
    except ConfigError as error:
        reason = str(error).removeprefix(f"{name}: ")
        raise ModelError(f"{name}: its metadata {SPEC_KEY} cannot be used: {reason}; {fix}") from None
    except (ValueError, RecursionError):
        raise ModelError(f"{name}: its metadata {SPEC_KEY} is not valid JSON: {fix}") from None


def metadata_text(spec: ModelSpec, with_size: bool = False) -> str:
    """Returns the JSON text that `read_metadata` reads: fields that differ from their default, and those in `_ALWAYS`.

    Args:
        spec: spec of the file.
        with_size: include width and height, for a graph with open dimensions.
    """
    content: dict[str, Any] = {}
    for field in fields(spec):
        value = getattr(spec, field.name)
        if field.name not in IN_METADATA or (value == field.default and field.name not in _ALWAYS):
            continue
        if field.name in ("width", "height") and not with_size:
            continue
        label_set = next((name for name, labels in LABEL_SETS.items() if labels == value), None)
        content[field.name] = value.value if isinstance(value, Enum) else label_set or value
    return json.dumps(content, default=asdict)


def _checked(content: dict[Any, Any], path: Path, known: Mapping[str, Parse] | None = None) -> Description:
    known = PARSERS if known is None else known
    given: dict[str, Any] = {}
    file: Path | None = None
    for key, value in content.items():
        parse = known.get(key) if isinstance(key, str) else None
        if parse is None:
            close = difflib.get_close_matches(str(key)[:_MAX_REDACTED], known, n=1)
            fix = f"did you mean `{close[0]}`?" if close else f"known keys: {', '.join(known)}"
            raise ConfigError(f"{path}: unknown key `{_printable(key)}`: {fix}")
        try:
            parsed = parse(value, path)
        except ValueError as error:
            raise ConfigError(f"{path}: `{key}: {_printable(value)}` is invalid: {error}") from None
        if key == "file":
            file = parsed
        else:
            given[key] = parsed
    return Description(path, file, given)


def _printable(value: Any) -> str:
    """Returns the start of a key or value on one line, without credentials."""
    plain = "".join(character if character.isprintable() else " " for character in str(value))
    return redact(" ".join(plain.split())[:_MAX_REDACTED])[:60]
