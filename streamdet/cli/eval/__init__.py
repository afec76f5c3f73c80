"""`streamdet eval`: how good results are, judged by what is really there."""

import typer

from streamdet.cli.eval.coco import coco

app = typer.Typer(help="Measure how good results are, on data whose truth is known.", no_args_is_help=True)
app.command("coco")(coco)


@app.callback()
def group() -> None:
    """Measure how good results are, on data whose truth is known."""
