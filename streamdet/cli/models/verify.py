"""`streamdet models verify`: checks the size and hash of model files."""

import hashlib
import os
from pathlib import Path
from typing import Annotated

import typer

from streamdet.errors import ModelError


def verify(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL", help="Model: a known name, a .yaml or an .onnx file; default: all downloaded."),
    ] = None,
) -> None:
    """Verify the size and hash of model files.

    An .onnx file is compared with every known model. Exit code 1: a file is missing or wrong.
    """
    from streamdet.models.catalog import MODELS, model_file_name, models_dir

    names = models or [spec.name for spec in MODELS if (models_dir() / model_file_name(spec)).is_file()]
    if not names:
        typer.echo(f"no known model in {models_dir()}")
    wrong = 0
    for name in names:
        try:
            typer.echo(f"{_verify(name)}: correct")
        except ModelError as error:
            typer.echo(f"wrong: {error}")
            wrong += 1
    if wrong:
        raise typer.Exit(1)


def _verify(model: str) -> str:
    """Returns a description of a verified model file.

    Raises:
        ModelError: the file is missing or wrong.
    """
    from streamdet.models.bundled import BUNDLED_MODELS
    from streamdet.models.catalog import expand_path, find_model, find_origin
    from streamdet.models.model_cache import read_cached_model

    path = expand_path(model)
    if model in BUNDLED_MODELS and not os.path.isfile(path):
        return f"{model} (part of streamdet)"
    if find_model(model) is None and os.path.isfile(path) and path.suffix.casefold() not in (".yaml", ".yml"):
        return _identify(path)
    origin, path = find_origin(model)
    if not origin.digests:
        raise ModelError(f"{model}: the description has no `sha256` or `sha384` to verify: add one")
    read_cached_model(origin, path)
    return f"{origin.name} ({path}; {origin.facts})"


def _identify(path: Path) -> str:
    """Returns which known model a file is.

    Raises:
        ModelError: the file is not a known model.
    """
    from streamdet.models.catalog import MODELS
    from streamdet.models.onnx_file import read_model

    data = read_model(path).data
    for spec in MODELS:
        digests = spec.origin.digests
        if digests and all(hashlib.new(name, data).hexdigest() == digest for name, digest in digests.items()):
            return f"{path} is {spec.name} ({spec.origin.facts})"
    digest = hashlib.sha256(data).hexdigest()
    raise ModelError(f"{path} is not a known model: {len(data)} bytes, SHA-256 {digest}")
