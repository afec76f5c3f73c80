"""`streamdet models`: lists, inspects, downloads, verifies, builds, converts and benchmarks models."""

import typer

from streamdet.cli.models.benchmark import benchmark
from streamdet.cli.models.build import build
from streamdet.cli.models.convert import convert
from streamdet.cli.models.info import info
from streamdet.cli.models.list import list_models
from streamdet.cli.models.pull import pull
from streamdet.cli.models.verify import verify

app = typer.Typer(help="List, inspect, download, convert and benchmark models.", no_args_is_help=True)
app.command("list")(list_models)
app.command("info")(info)
app.command("pull")(pull)
app.command("verify")(verify)
app.command("build")(build)
app.command("convert")(convert)
app.command("benchmark")(benchmark)
