"""`streamdet models`: what is known, what a file is, other forms of it, and the flagship with random weights."""

import typer

from streamdet.cli.models.build import build
from streamdet.cli.models.convert import convert
from streamdet.cli.models.info import info
from streamdet.cli.models.listing import list_models

app = typer.Typer(help="Known models, and what is inside a model file.", no_args_is_help=True)
app.command("list")(list_models)
app.command("info")(info)
app.command("build")(build)
app.command("convert")(convert)
