"""`streamdet eval`: how good results are, judged by what is really there."""

import typer

from streamdet.cli.eval.coco import coco
from streamdet.cli.eval.mot import mot
from streamdet.cli.eval.streaming import streaming
from streamdet.cli.eval.street import street

app = typer.Typer(help="Measure how good results are, on data whose truth is known.", no_args_is_help=True)
app.command("coco")(coco)
app.command("mot")(mot)
app.command("streaming")(streaming)
app.command("street")(street)


@app.callback()
def group() -> None:
    """Measure how good results are, on data whose truth is known."""
