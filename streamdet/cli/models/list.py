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
    files = {spec.name: file_status(spec.origin, folder / model_file_name(spec)) for spec in MODELS}
    if as_json:
        rows = [
            {
                "name": spec.name,
                "about": spec.about,
                "licence": spec.licence,
                "size_bytes": spec.size_bytes,
                "downloaded": files[spec.name].state is FileState.PRESENT,
                "state": files[spec.name].state.value,
                "downloaded_bytes": files[spec.name].size,
                "file": str(folder / model_file_name(spec)),
            }
            for spec in MODELS
        ]
        bundled = [{"name": name, "about": about} for name, about in ABOUT.items()]
        typer.echo(json.dumps({"folder": str(folder), "models": rows, "bundled": bundled}, indent=2))
        return
    for spec in MODELS:
        file = files[spec.name]
        extra = (
            f", {format_bytes(file.size)} on this machine"
            if file.state in (FileState.PARTIAL, FileState.WRONG_SIZE)
            else ""
        )
        typer.echo(f"{spec.name}  ({format_bytes(spec.size_bytes)}, {spec.licence}, {file.state.value}{extra})")
        typer.echo(f"  {spec.about}")
    for name, about in ABOUT.items():
        typer.echo(f"{name}  (part of streamdet)")
        typer.echo(f"  {about}")
    typer.echo(f"Known models are stored in {folder}; `-m NAME` and `streamdet models pull NAME` download them.")
    typer.echo("`-m` also accepts an .onnx file or a .yaml description.")
