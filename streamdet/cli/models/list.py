"""`streamdet models list`: lists the models that `-m` accepts by name."""

import json

import typer

from streamdet.cli.options import AsJson


def list_models(as_json: AsJson = False) -> None:
    """List the models that -m accepts by name."""
    from streamdet.model_spec.origin import format_bytes
    from streamdet.models.bundled import ABOUT
    from streamdet.models.catalog import MODELS, model_file_name, models_dir
    from streamdet.models.model_cache import FileState, file_status

    folder = models_dir()
    found = {spec.name: file_status(spec.origin, folder / model_file_name(spec)) for spec in MODELS}
    if as_json:
        rows = [
            {
                "name": s.name,
                "about": s.about,
                "licence": s.licence,
                "size_bytes": s.size_bytes,
                "here": found[s.name].state is FileState.PRESENT,
                "state": found[s.name].state.value,
                "bytes_here": found[s.name].size,
                "file": str(folder / model_file_name(s)),
            }
            for s in MODELS
        ]
        embedded = [{"name": name, "about": about} for name, about in ABOUT.items()]
        typer.echo(json.dumps({"folder": str(folder), "models": rows, "embedded": embedded}, indent=2))
        return
    for spec in MODELS:
        here = found[spec.name]
        extra = (
            f", {format_bytes(here.size)} on this machine"
            if here.state in (FileState.PARTIAL, FileState.WRONG_SIZE)
            else ""
        )
        typer.echo(f"{spec.name}  ({format_bytes(spec.size_bytes)}, {spec.licence}, {here.state.value}{extra})")
        typer.echo(f"  {spec.about}")
    for name, about in ABOUT.items():
        typer.echo(f"{name}  (part of streamdet)")
        typer.echo(f"  {about}")
    typer.echo(f"Known models are stored in {folder}; `-m NAME` and `streamdet models pull NAME` download them.")
    typer.echo("`-m` also accepts an .onnx file or a .yaml description.")
