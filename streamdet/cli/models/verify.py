"""`streamdet models verify`: whether files of models are what they should be."""

import hashlib
import os
from pathlib import Path
from typing import Annotated

import typer

from streamdet.errors import ModelError


def verify(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL", help="Known name, YAML description or ONNX file; all that are here."),
    ] = None,
) -> None:
    """Check size and hash of models' files. Exit code 1 where one is missing or not what it should be.

    An ONNX file is compared with every known model.
    """
    from streamdet.models.catalog import MODELS, model_file_name, models_dir

    names = models or [spec.name for spec in MODELS if (models_dir() / model_file_name(spec)).is_file()]
    if not names:
        typer.echo(f"no known model is in {models_dir()}")
    wrong = 0
    for name in names:
        try:
            typer.echo(f"{_verified(name)}: right")
        except ModelError as error:
            typer.echo(f"wrong: {error}")
            wrong += 1
    if wrong:
        raise typer.Exit(1)


def _verified(model: str) -> str:
    """Returns what a model's file is.

    Raises:
        ModelError: it is missing, or is not what it should be.
    """
    from streamdet.models.bundled import BUNDLED_MODELS
    from streamdet.models.catalog import expand_path, find_model, find_origin
    from streamdet.models.model_cache import read_cached_model

    path = expand_path(model)
    if model in BUNDLED_MODELS and not os.path.isfile(path):
        return f"{model} (comes with streamdet)"
    if find_model(model) is None and os.path.isfile(path) and path.suffix.casefold() not in (".yaml", ".yml"):
        return _identified(path)
    origin, path = find_origin(model)
    if not origin.digests:
        raise ModelError(f"{model}: it has no `sha256` or `sha384` to check against")
    read_cached_model(origin, path)
    return f"{origin.name} ({path}; {origin.facts})"


def _identified(path: Path) -> str:
    """Returns which known model a file is.

    Raises:
        ModelError: none of them.
    """
    from streamdet.models.catalog import MODELS
    from streamdet.models.onnx_file import read_model

    data = read_model(path).data
    for spec in MODELS:
        digests = spec.origin.digests
        if digests and all(hashlib.new(name, data).hexdigest() == digest for name, digest in digests.items()):
            return f"{path} is {spec.name} ({spec.origin.facts})"
    digest = hashlib.sha256(data).hexdigest()
    raise ModelError(f"{path} is no known model: {len(data)} bytes, SHA-256 {digest}")
