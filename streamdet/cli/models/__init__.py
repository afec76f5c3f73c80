"""`streamdet models`: what is known, what a file is, and the flagship's architecture with random weights."""

import typer

from streamdet.cli.models.benchmark import benchmark
from streamdet.cli.models.build import build
from streamdet.cli.models.info import info
from streamdet.cli.models.listing import list_models

app = typer.Typer(help="Known models, and what is inside a model file.", no_args_is_help=True)
app.command("list")(list_models)
app.command("info")(info)
app.command("build")(build)
app.command("benchmark")(benchmark)
