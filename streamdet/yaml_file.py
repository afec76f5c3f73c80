"""Reads YAML files of keys and values: configurations and model descriptions, which need not be trusted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from streamdet.errors import ConfigError
from streamdet.redact import redact

# More than any 64-bit integer or double needs. Python takes seconds to convert a number of thousands of digits, and
# refuses to print it.
_MAX_NUMBER_LENGTH = 40
_MAX_REASON_LENGTH = 300


def read_yaml(path: Path, max_bytes: int) -> dict[Any, Any]:
    """Returns the content of a YAML file of keys and values; an empty file has none.

    The result is no larger than the file: aliases are refused, because they let a few hundred bytes expand to
    gigabytes. Values are those that need no tags: text, numbers, true and false, null, dates, lists and mappings.

    Args:
        path: the file.
        max_bytes: maximum size of the file.

    Raises:
        ConfigError: the file cannot be read, is too large, or is not of this kind.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or type(error).__name__}") from None
    if len(data) > max_bytes:
        raise ConfigError(f"{path} is too long: at most {max_bytes} bytes are read")
    try:
        content = yaml.load(data, _PlainLoader)
    except RecursionError:
        raise ConfigError(f"{path} is not valid YAML: nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: bytes that are not text, a date that does not exist
        reason = redact(" ".join(str(error).split())[:_MAX_REASON_LENGTH])
        raise ConfigError(f"{path} is not valid YAML: {reason}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold keys and values at the top, like 'name: value'")
    return content


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader without aliases, tags and very long numbers."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not supported")
        if getattr(event, "tag", None) is not None:  # "!!int x" and the like make PyYAML raise other errors
            raise yaml.YAMLError("tags (!name) are not supported")
        return super().compose_node(parent, index)


def _short(construct: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def checked(loader: Any, node: Any) -> Any:
        if len(node.value) > _MAX_NUMBER_LENGTH:
            raise yaml.YAMLError(f"a number has {len(node.value)} digits, {_MAX_NUMBER_LENGTH} at most are read")
        return construct(loader, node)

    return checked


for _tag in ("int", "float"):
    _tag = f"tag:yaml.org,2002:{_tag}"
    _PlainLoader.add_constructor(_tag, _short(yaml.SafeLoader.yaml_constructors[_tag]))
