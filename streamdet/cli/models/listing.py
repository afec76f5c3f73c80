"""`streamdet models list`: what can be given by name."""

import json
from typing import Annotated

import typer


def list_models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the models that can be given by name."""
    from streamdet.models.zoo import MODELS, file_name, models_dir

    folder = models_dir()
    here = {spec.name: (folder / file_name(spec)).is_file() for spec in MODELS}
    if as_json:
        rows = [
            {"name": s.name, "about": s.about, "licence": s.licence, "size_bytes": s.size_bytes, "here": here[s.name]}
            for s in MODELS
        ]
        typer.echo(json.dumps({"folder": str(folder), "models": rows}, indent=2))
        return
    for spec in MODELS:
        state = "here" if here[spec.name] else "not downloaded"
        typer.echo(f"{spec.name}  ({spec.size_bytes / 1e6:.1f} MB, {spec.licence}, {state})")
        typer.echo(f"  {spec.about}")
    typer.echo(f"Named models are kept in {folder}. `-m` also takes an ONNX file or a YAML description.")
